// One spelling for every path (RFC 3986 6.2.2), so that what is routed and authorised is byte for
// byte what the origin gets. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace rw::http {

struct path_rules {
  // false: %2F, %5C and a raw backslash are refused. true: they stay data, spelt %2F and %5C; yet a
  // segment that would have a dot segment between them ("..%2Fx") is refused all the same.
  bool keep_encoded_slash = false;
};

// `status` is 0 when all went well; else the status to answer and a snake_case literal for the log.
struct path_outcome {
  std::string_view path;
  std::uint16_t status = 0;
  const char* reason = "";
  explicit operator bool() const noexcept { return status == 0; }
};

// `path`: request_head::path: "*", or '/' and what follows it, without the query. The answer is
// `path` itself when there is nothing to do, else a view into `out`; up to 3 x path.size() octets
// are written, and 414 is the answer when `out` is too small.
//
// - Escapes of unreserved characters are decoded, the others' digits upper-cased.
// - `//` becomes `/`, then dot segments, encoded ones included, are removed (RFC 3986 5.2.4); `..`
//   at the root stays at the root.
// - Characters that have no place in a path ("<>[]^`{|}) are encoded, as browsers do.
// - Refused with 400: an escape that is none, an encoded control character (%00-%1F, %7F), octets
//   that are not visible ASCII, '?', '#', and "." or ".." with parameters (`..;x`), which some
//   origins take for a dot segment.
// normalise(normalise(x)) == normalise(x).
path_outcome normalise(std::string_view path, path_rules rules, std::span<char> out) noexcept;

}  // namespace rw::http
