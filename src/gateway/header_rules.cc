#include "gateway/header_rules.h"

#include <algorithm>

#include "base/text.h"

namespace rw::gateway {
namespace {

void add_line(std::string& lines, std::string_view name, std::string_view value) {
  lines.append(name).append(": ").append(value).append("\r\n");
}

constexpr std::string_view tls_only = "strict-transport-security";
constexpr std::string_view origin_decides = "content-security-policy";

void add_security(response_rules& rules, const resolved_headers& security) {
  for (const auto& [name, value] : security) {
    if (name == origin_decides) {
      add_line(rules.policy, name, value);
      continue;
    }
    rules.removed.add(name);
    if (name != tls_only) add_line(rules.added_plain, name, value);
    add_line(rules.added_tls, name, value);
  }
}

}  // namespace

void name_set::add(std::string_view lower_case_name) {
  const http::field_id id = http::identify(lower_case_name);
  if (id != http::field_id::none) {
    known_ |= http::mask_of(id);
    return;
  }
  lengths_ |= std::uint64_t{1} << std::min<std::size_t>(lower_case_name.size(), 63);
  names_.emplace_back(lower_case_name);
}

bool name_set::contains(const http::field& one) const noexcept {
  if (one.id != http::field_id::none) return (known_ & http::mask_of(one.id)) != 0;
  if ((lengths_ >> std::min<std::size_t>(one.name.size(), 63) & 1U) == 0) return false;
  return std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& name) { return iequals(name, one.name); });
}

void wipe_values(resolved_headers& set) noexcept {
  for (auto& [name, value] : set) wipe(value.data(), value.size());
}

request_rules make_request_rules(const config::route& route, const config::upstream* to,
                                 const resolved_headers& set,
                                 const std::vector<std::string>& all_identity_names) {
  request_rules rules;
  rules.identity_name = route.forward_identity;
  rules.credentials = route.forward_credentials;
  for (const std::string& name : all_identity_names) rules.removed.add(name);
  for (const std::string& name : route.request_remove) rules.removed.add(name);
  std::size_t bytes = 0;
  for (const auto& [name, value] : set) {
    rules.removed.add(name);
    bytes += name.size() + value.size() + 4;
  }
  std::string lines;
  lines.reserve(bytes);  // growing would leave copies behind
  for (const auto& [name, value] : set) add_line(lines, name, value);
  if (bytes > 0) rules.added = std::make_shared<const secret>(lines);
  wipe(lines.data(), lines.size());
  if (to != nullptr) {
    rules.upstream_tls = to->has_tls;
    rules.upstream_host = to->host == config::host_rule::upstream;
    if (to->host == config::host_rule::literal) rules.host = to->host_literal;
  }
  return rules;
}

response_rules make_response_rules(const config::route& route, const resolved_headers& set,
                                   const resolved_headers& security, name_set removed) {
  response_rules rules{.removed = std::move(removed)};
  for (const std::string& name : route.response_remove) rules.removed.add(name);
  for (const auto& [name, value] : set) {
    rules.removed.add(name);
    add_line(rules.added_plain, name, value);
    add_line(rules.added_tls, name, value);
  }
  resolved_headers ours;
  if (route.security_headers) {
    for (const auto& one : security) {
      const bool replaced = std::any_of(
          set.begin(), set.end(), [&](const auto& other) { return other.first == one.first; });
      if (!replaced) ours.push_back(one);
    }
  }
  add_security(rules, ours);
  return rules;
}

response_rules make_default_response_rules(const resolved_headers& security) {
  response_rules rules;
  add_security(rules, security);
  return rules;
}

}  // namespace rw::gateway
