#include "gateway/cors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "gateway/exchange.h"
#include "gateway/snapshot.h"

namespace rw::gateway {
namespace {

constexpr std::string_view request_method = "access-control-request-method";
constexpr std::string_view request_headers = "access-control-request-headers";
// Written here, whatever the origin server says: two that disagree are no answer to a browser.
constexpr std::array<std::string_view, 7> own_fields{"access-control-allow-origin",
                                                     "access-control-allow-credentials",
                                                     "access-control-allow-methods",
                                                     "access-control-allow-headers",
                                                     "access-control-max-age",
                                                     "access-control-expose-headers",
                                                     "access-control-allow-private-network"};
// What the gate itself puts on answers and a page has a use for.
constexpr std::string_view exposed =
    "ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id";

bool is_known(const std::vector<std::string>& lower_case, std::string_view name) noexcept {
  return std::ranges::any_of(lower_case, [&](const auto& one) { return iequals(one, name); });
}

// Calls `on` for each member of a list (RFC 9110 5.6.1); true when it took all of them.
template <class F>
bool all_members(std::string_view list, F&& on) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view one = trim_ows(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (!one.empty() && !on(one)) return false;
  }
  return true;
}

bool varies_by(std::string_view list, std::string_view name) noexcept {
  return !all_members(list, [&](auto one) { return one != "*" && !iequals(one, name); });
}

bool takes_method(const config::cors& rules, std::string_view method) noexcept {
  // As routes do: who may GET may HEAD.
  const auto has = [&](std::string_view one) {
    return std::ranges::find(rules.methods, one) != rules.methods.end();
  };
  return has(method) || (method == "HEAD" && has("GET"));
}

// What is sent by the page the request is from; empty when it does not say, or says two things.
std::string_view origin_of(const exchange& x) noexcept {
  return x.request.count(http::field_id::origin) == 1 ? x.request.value(http::field_id::origin)
                                                      : std::string_view{};
}

// In one line with what else the answer varies by: not every cache reads a second one.
void write_vary(const exchange& x, http::head_writer& out) noexcept {
  const cors_rules& rules = x.route->cors;
  if (x.preflight) {
    out.text("vary: origin, access-control-request-method, access-control-request-headers\r\n");
    return;
  }
  if (rules.any_origin) return;
  out.open_field("vary");
  bool said = varies_by(rules.vary, "origin");
  out.text(rules.vary);
  std::string_view comma = rules.vary.empty() ? "" : ", ";
  if (rules.keeps_vary && x.response.has(http::field_id::vary)) {
    for (const http::field& one : x.response.fields) {
      if (one.id != http::field_id::vary || one.value.empty()) continue;
      said = said || varies_by(one.value, "origin");
      out.text(comma);
      out.text(one.value);
      comma = ", ";
    }
  }
  if (!said) {
    out.text(comma);
    out.text("origin");
  }
  out.close_field();
}

}  // namespace

bool cors_rules::admits(std::string_view origin) const noexcept {
  return any_origin || std::ranges::binary_search(settings->origins, origin);
}

cors_rules make_cors_rules(const config::route& route, resolved_headers& set, name_set& removed) {
  cors_rules made;
  if (route.cors.origins.empty()) return made;
  made.settings = &route.cors;
  made.any_origin = route.cors.origins.front() == "*";
  for (const std::string_view name : own_fields) removed.add(name);
  if (!made.any_origin) {
    removed.add("vary");  // is written with ours
    const auto is_vary = [](const auto& one) { return one.first == "vary"; };
    const auto own = std::ranges::find_if(set, is_vary);
    if (own != set.end()) made.vary = std::move(own->second);
    const auto& gone = route.response_remove;
    made.keeps_vary = own == set.end() && std::ranges::find(gone, "vary") == gone.end();
    std::erase_if(set, is_vary);
  }
  if (route.cors.credentials) made.granted = "access-control-allow-credentials: true\r\n";
  made.preflight =
      fmt::format("access-control-allow-methods: {}\r\n", fmt::join(route.cors.methods, ", "));
  if (!route.cors.headers.empty()) {
    made.preflight +=
        fmt::format("access-control-allow-headers: {}\r\n", fmt::join(route.cors.headers, ", "));
  }
  made.preflight +=
      fmt::format("access-control-max-age: {}\r\n",
                  std::chrono::duration_cast<std::chrono::seconds>(route.cors.max_age).count());
  made.actual = fmt::format("access-control-expose-headers: {}\r\n", exposed);
  return made;
}

std::string_view preflight_method(const http::request_head& request) noexcept {
  if (request.verb != http::method::options || !request.has(http::field_id::origin)) return {};
  const http::field* one = request.find(request_method);
  return one != nullptr ? one->value : std::string_view{};
}

verdict judge_preflight(const exchange& x) noexcept {
  const cors_rules& rules = x.route->cors;
  if (!rules.admits(origin_of(x))) return {403, "cors_origin"};
  if (!takes_method(*rules.settings, preflight_method(x.request))) return {403, "cors_method"};
  for (const http::field& one : x.request.fields) {
    if (!iequals(one.name, request_headers)) continue;
    const bool known =
        all_members(one.value, [&](auto name) { return is_known(rules.settings->headers, name); });
    if (!known) return {403, "cors_header"};
  }
  return {};
}

void write_cors_fields(const exchange& x, http::head_writer& out) noexcept {
  const cors_rules& rules = x.route->cors;
  write_vary(x, out);
  if (x.preflight && !x.decision.admitted()) return;
  const std::string_view origin = origin_of(x);
  if (!rules.admits(origin)) return;
  out.field("access-control-allow-origin", rules.any_origin ? "*" : origin);
  out.text(rules.granted);
  out.text(x.preflight ? rules.preflight : rules.actual);
}

}  // namespace rw::gateway
