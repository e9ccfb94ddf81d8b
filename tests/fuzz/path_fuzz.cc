// Paths: what comes out is normal, and nothing that any origin would read in another way.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/assert.h"
#include "http/character.h"
#include "http/path.h"

namespace {

using namespace rw::http;

bool is_hex_upper(char c) { return is(c, hex_char) && (c < 'a' || c > 'f'); }

void check_normal(std::string_view path, path_rules rules) {
  RW_ASSERT(path.starts_with('/'));
  RW_ASSERT(path.find("//") == path.npos);
  for (std::string_view rest = path.substr(1);;) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    RW_ASSERT(segment != "." && segment != "..");
    RW_ASSERT(!segment.starts_with("..;") && !segment.starts_with(".;"));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      RW_ASSERT(is(path[i], path_char));
      continue;
    }
    RW_ASSERT(i + 2 < path.size() && is_hex_upper(path[i + 1]) && is_hex_upper(path[i + 2]));
    const unsigned value = hex_value(path[i + 1]) << 4U | hex_value(path[i + 2]);
    RW_ASSERT(value >= 0x20 && value != 0x7f);
    RW_ASSERT(!is(static_cast<char>(value), unreserved_char));
    RW_ASSERT(rules.keep_encoded_slash || (value != '/' && value != '\\'));
    i += 2;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const path_rules rules{.keep_encoded_slash = (data[0] & 1U) != 0};
  const std::size_t length = size - 1;
  auto copy = std::make_unique<char[]>(length);
  auto room = std::make_unique<char[]>(3 * length);
  std::memcpy(copy.get(), data + 1, length);
  const std::string_view path{copy.get(), length};

  const path_outcome got = normalise(path, rules, {room.get(), 3 * length});
  RW_ASSERT(got.status == 0 || got.status == 400);  // three times the size is always enough
  if (!got || got.path == "*") return 0;
  check_normal(got.path, rules);

  // Less room may end in 414, never in another path.
  auto little = std::make_unique<char[]>(length);
  const path_outcome tight = normalise(path, rules, {little.get(), length});
  RW_ASSERT(tight.status == 414 || tight.path == got.path);

  auto more = std::make_unique<char[]>(3 * got.path.size());
  const path_outcome again = normalise(got.path, rules, {more.get(), 3 * got.path.size()});
  RW_ASSERT(again && again.path == got.path);
  return 0;
}
