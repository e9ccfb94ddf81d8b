// A configuration as somebody wrote it, key by key, to say how two of them differ.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/document.h"

namespace rw::config {

// One table: "server", "listener https", "auth.jwt.main". Keys of tables in it are dotted
// ("tls.min_version"); values are as in TOML. In order of key.
struct written_table {
  std::string name;
  std::vector<std::pair<std::string, std::string>> keys;
};

// In the order they were written. Any thread.
using written = std::vector<written_table>;
written write_down(const members& root);

// A line for each table that comes or goes ("+ route costly", "- limit per-ip"), for each key that
// does or has another value ("~ route api: max_body \"1MiB\" -> \"2MiB\""), and for each kind of
// table whose order is another one, where that matters. Empty: they say the same.
std::vector<std::string> differences(const written& before, const written& after);

}  // namespace rw::config
