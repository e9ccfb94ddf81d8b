#include "control/admin_access.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "config/address.h"

namespace rw::control {
namespace {

// What comes behind `scheme` and one space or more.
std::string_view credentials_of(std::string_view line, std::string_view scheme) {
  if (line.size() <= scheme.size() || line[scheme.size()] != ' ' ||
      !iequals(line.substr(0, scheme.size()), scheme)) {
    return {};
  }
  line.remove_prefix(scheme.size());
  return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

}  // namespace

bool names_this_machine(const http::request_head& asked) noexcept {
  if (iequals(asked.host, "localhost")) return true;
  const auto parsed = config::parse_address(std::string(asked.host) + ":1");
  return parsed && parsed->what == config::address::kind::ip;
}

bool presents(const http::request_head& asked, const secret& credential) {
  const std::string_view line = asked.value(http::field_id::authorization);
  if (const std::string_view token = credentials_of(line, "bearer"); !token.empty()) {
    return equal_in_constant_time(token, credential.view());
  }
  const std::string_view basic = credentials_of(line, "basic");
  std::array<char, 8U << 10U> text;  // a head is no longer
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed =
      sodium_base642bin(reinterpret_cast<unsigned char*>(text.data()), text.size(), basic.data(),
                        basic.size(), nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL);
  const std::string_view pair(text.data(), failed == 0 ? size : 0);
  const std::size_t colon = pair.find(':');
  const bool right = failed == 0 && end == basic.data() + basic.size() &&
                     colon != std::string_view::npos &&
                     equal_in_constant_time(pair.substr(colon + 1), credential.view());
  wipe(text.data(), text.size());
  return right;
}

}  // namespace rw::control
