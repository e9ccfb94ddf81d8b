// Names and values of headers, wherever the contract takes them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/names.h"
#include "config/table_reader.h"

namespace rw::config {

using header_list = std::vector<std::pair<std::string, std::string>>;  // lower-case name, value

// A list of header names, put into lower case. With `parameters` also "?name", for a query
// parameter.
void read_header_names(table_reader& in, std::string_view key, std::vector<std::string>& out,
                       bool parameters = false, underscores names = underscores::refused);

// { set = {}, remove = [] }, the latter with `removed`
void read_header_changes(table_reader& in, underscores removed, std::vector<header_value>& set,
                         std::vector<std::string>& remove);

header_list default_security_headers();

// Puts what was written over the defaults in `out`; "" takes a header out.
void read_security_headers(table_reader& in, header_list& out);

}  // namespace rw::config
