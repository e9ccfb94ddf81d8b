// Any octets as a configuration: what loads is consistent in itself, what does not says why and
// where.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tuple>

#include "config/address.h"
#include "config/cidr.h"
#include "config/load.h"

namespace {

using namespace rw::config;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_places(const diagnostics& list, std::string_view text) {
  std::uint32_t lines = 1;
  for (const char c : text) lines += c == '\n' ? 1 : 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const diagnostic& one = list[i];
    check(!one.text.empty() && one.file == "fuzz");
    check((one.line == 0) == (one.column == 0) && one.line <= lines);
    check(one.column <= text.size() + 1);
    const std::string printed = to_string(one);
    for (const char c : printed) check(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    const bool is_last = i + 1 == list.size();
    if (!is_last && list[i + 1].line != 0) {
      check(std::tuple(one.line, one.column) <= std::tuple(list[i + 1].line, list[i + 1].column));
    }
  }
}

void check_credentials(const std::vector<credential>& list, const configuration& settings) {
  for (const credential& one : list) {
    if (one.how == credential::kind::jwt) check(one.issuer < settings.jwt.size());
    if (one.how == credential::kind::api_keys) check(settings.has_api_keys);
  }
}

void check_route(const route& one, const configuration& settings) {
  check(!one.name.empty() && !one.hosts.empty());
  check(one.path.empty() != one.path_prefix.empty());
  check((one.path + one.path_prefix).starts_with('/'));
  if (one.action == route_action::proxy) check(one.upstream < settings.upstreams.size());
  if (one.action == route_action::mint)
    check(settings.mint.present && !(one.auth.empty() && one.auth_all.empty()));
  if (one.action == route_action::jwks) check(settings.mint.present);
  for (const std::uint32_t index : one.limits) check(index < settings.limits.size());
  check_credentials(one.auth, settings);
  check_credentials(one.auth_all, settings);
  for (const header_value& header : one.request_set) {
    check(!header.text.contains('\r') && !header.text.contains('\n'));
    check(header.name != "host" && header.name != "transfer-encoding");
  }
}

void check_settings(const configuration& settings) {
  check(!settings.listeners.empty());
  for (const listener& one : settings.listeners) {
    check(parse_address(one.address).has_value());
    check(cidr_set::parse(one.client_address_from).has_value());
    check(one.limits.target_bytes <= one.limits.head_bytes);
    if (one.has_tls) check(!one.tls.certificates.empty() && !one.tls.groups.empty());
  }
  for (const limit& one : settings.limits) {
    check(one.burst >= 1 && one.rate.count >= 1 && one.rate.per.count() > 0 && !one.by.empty());
  }
  for (const upstream& one : settings.upstreams) {
    check(!one.servers.empty());
    for (const upstream_server& server : one.servers)
      check(parse_address(server.address).has_value());
    check(one.health.expect_min <= one.health.expect_max && one.health.rise > 0);
    check(one.retry_budget >= 0 && one.retry_budget <= 1);
  }
  for (const route& one : settings.routes) check_route(one, settings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto read = parse(text, "fuzz");
  if (read) {
    check(!has_error(read->warnings));
    check_places(read->warnings, text);
    check_settings(read->settings);
  } else {
    check(has_error(read.error()));
    check_places(read.error(), text);
  }
  return 0;
}
