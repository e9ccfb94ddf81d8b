#include "http/cache_control.h"

#include <algorithm>

#include "base/text.h"

namespace rw::http {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t most = 31'536'000;  // a year

seconds whole(std::string_view digits) noexcept {
  return seconds(std::min(parse_u64(digits).value_or(0), most));
}

// Takes the first directive off `list`. A comma inside quotes ends none (RFC 9110 5.6.4).
std::string_view next_directive(std::string_view& list) noexcept {
  bool quoted = false;
  std::size_t i = 0;
  for (; i < list.size(); ++i) {
    if (quoted && list[i] == '\\') {
      ++i;
    } else if (list[i] == '"') {
      quoted = !quoted;
    } else if (list[i] == ',' && !quoted) {
      break;
    }
  }
  i = std::min(i, list.size());
  const std::string_view one = trim_ows(list.substr(0, i));
  list.remove_prefix(std::min(i + 1, list.size()));
  return one;
}

}  // namespace

std::optional<seconds> freshness(const response_head& head) noexcept {
  std::optional<seconds> found;
  const auto at_most = [&found](seconds value) { found = std::min(found.value_or(value), value); };
  for (const field& one : head.fields) {
    if (one.id != field_id::cache_control) continue;
    for (std::string_view list = one.value; !list.empty();) {
      const std::string_view directive = next_directive(list);
      const std::size_t equals = std::min(directive.find('='), directive.size());
      const std::string_view name = directive.substr(0, equals);
      std::string_view value = directive.substr(std::min(equals + 1, directive.size()));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      if (iequals(name, "max-age")) at_most(whole(value));
      // no-cache="field" is about that field alone.
      if (iequals(name, "no-store") || (iequals(name, "no-cache") && value.empty())) {
        at_most(seconds{0});
      }
    }
  }
  if (!found) return {};
  const seconds age = whole(trim_ows(head.value(field_id::age)));
  return std::max(*found - age, seconds{0});
}

}  // namespace rw::http
