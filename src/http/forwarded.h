// The Forwarded field (RFC 7239 4). Pure; any thread.
#pragma once

#include <string_view>

namespace rw::http {

// Whether `value` is a list of elements of token=token and token="quoted string" pairs. Of any
// other, what is put behind it could be read as a part of it: a quote may be open at its end.
bool is_forwarded_list(std::string_view value) noexcept;

}  // namespace rw::http
