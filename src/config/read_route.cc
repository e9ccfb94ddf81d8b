// [[route]]: which request goes where, for whom, and what changes on the way.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "config/names.h"
#include "config/nearest.h"
#include "config/read_headers.h"
#include "config/sections.h"

namespace rw::config {
namespace {

constexpr std::string_view jwt_scheme = "jwt:";

// gateway/exchange.h has room for no more decisions about one request.
constexpr std::size_t limits_max = 16;

// A list whose items each have a test of their own; `refuse` says what is wrong with one.
void read_list(table_reader& in, std::string_view key, std::vector<std::string>& out,
               std::string_view (*refuse)(std::string_view)) {
  const node* at = in.texts(key, out);
  if (at == nullptr) return;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto item = out.begin() + static_cast<std::ptrdiff_t>(i);
    const node& where = std::get<list>(at->value)[i];
    if (const std::string_view why = refuse(out[i]); !why.empty()) {
      in.error(where, key, fmt::format("\"{}\" {}", out[i].substr(0, 64), why));
    } else if (std::find(out.begin(), item, out[i]) != item) {
      in.error(where, key, fmt::format("\"{}\" is given twice", out[i]));
    }
  }
}

void read_match(table_reader& in, route& out) {
  read_list(in, "hosts", out.hosts,
            [](std::string_view host) { return refuse_host_pattern(lower_case(host)); });
  for (std::string& host : out.hosts) host = lower_case(host);
  if (out.hosts.empty()) in.error("hosts", "must not be empty; [\"*\"] is every host");
  read_list(in, "methods", out.methods, refuse_method);
  for (const auto& [key, path] :
       {std::pair{"path", &out.path}, {"path_prefix", &out.path_prefix}}) {
    const node* at = in.text(key, *path, need::optional);
    if (at == nullptr) continue;
    if (const std::string_view why = refuse_path(*path); !why.empty()) {
      in.error(*at, key, std::string(why));
    }
  }
  const bool has_path = in.wrote("path");
  const bool has_prefix = in.wrote("path_prefix");
  if (has_path && has_prefix) in.error("path", "goes without path_prefix: give one of them");
  if (!has_path && !has_prefix) in.missing("path_prefix", "or path, for one exact path");
}

// The credentials named by `auth` or `auth_all`.
void read_credentials(table_reader& in, std::string_view key, const configuration& settings,
                      catalog& names, std::vector<credential>& out) {
  std::vector<std::string> written;
  const node* at = in.texts(key, written);
  if (at == nullptr) return;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const node& item = std::get<list>(at->value)[i];
    const std::string_view word = written[i];
    if (word == "api_keys") {
      if (!settings.has_api_keys) in.error(item, key, "\"api_keys\" needs [auth.api_keys]");
      out.push_back({.how = credential::kind::api_keys});
    } else if (word.starts_with(jwt_scheme)) {
      const std::string_view issuer = word.substr(jwt_scheme.size());
      if (const auto index = names.issuers.use(issuer)) {
        out.push_back({.how = credential::kind::jwt, .issuer = *index});
      } else {
        in.error(item, key,
                 fmt::format("there is no [auth.jwt.{}]{}", issuer.substr(0, 64),
                             suggestion(issuer, names.issuers.names())));
      }
    } else if (word == "mtls") {
      const bool asked = std::ranges::any_of(settings.listeners, [](const listener& one) {
        return one.tls.clients != client_auth::off;
      });
      if (!asked) in.error(item, key, "\"mtls\" needs a [[listener]] whose tls has client_auth");
      out.push_back({.how = credential::kind::mtls});
    } else {
      constexpr std::array<std::string_view, 3> known{"api_keys", "jwt:NAME", "mtls"};
      in.refuse_word(item, key, word, known);
    }
  }
}

void read_auth_of(table_reader& in, const configuration& settings, catalog& names, route& out) {
  if (!in.wrote("auth")) in.missing("auth", "auth = [] makes the route open to everyone");
  read_credentials(in, "auth", settings, names, out.auth);
  read_credentials(in, "auth_all", settings, names, out.auth_all);
}

void read_limits(table_reader& in, const configuration& settings, catalog& names, route& out) {
  std::vector<std::string> written;
  const node* at = in.texts("limits", written);
  if (at == nullptr) return;
  if (written.size() > limits_max) {
    in.error(*at, "limits", fmt::format("a route has at most {} limits", limits_max));
    return;
  }
  for (std::size_t i = 0; i < written.size(); ++i) {
    const node& item = std::get<list>(at->value)[i];
    const auto index = names.limits.use(written[i]);
    if (!index) {
      in.error(item, "limits",
               fmt::format("there is no limit \"{}\"{}", written[i].substr(0, 64),
                           suggestion(written[i], names.limits.names())));
    } else if (std::ranges::find(out.limits, *index) != out.limits.end()) {
      in.error(item, "limits", fmt::format("\"{}\" is given twice", written[i]));
    } else {
      const bool by_identity = std::ranges::find(settings.limits[*index].by, limit_key::identity) !=
                               settings.limits[*index].by.end();
      if (by_identity && out.auth.empty() && out.auth_all.empty()) {
        in.error(item, "limits",
                 fmt::format("\"{}\" goes by identity, which a route open to everyone lacks",
                             written[i]));
      }
      out.limits.push_back(*index);
    }
  }
}

void read_proxy(table_reader& in, catalog& names, route& out) {
  std::string written;
  if (const node* at = in.text("upstream", written, need::required)) {
    if (const auto index = names.upstreams.use(written)) {
      out.upstream = *index;
    } else {
      in.error(*at, "upstream",
               fmt::format("there is no upstream \"{}\"{}", written.substr(0, 64),
                           suggestion(written, names.upstreams.names())));
    }
  }
  const node* at = in.flag("strip_prefix", out.strip_prefix);
  if (at != nullptr && out.strip_prefix && out.path_prefix.empty()) {
    in.error(*at, "strip_prefix", "needs path_prefix");
  }
}

void read_redirect(table_reader& in, route& out) {
  const node* at = in.text("redirect", out.redirect, need::required);
  if (at != nullptr) {
    if (const std::string_view why = refuse_redirect(out.redirect); !why.empty()) {
      in.error(*at, "redirect", std::string(why));
    }
  }
  out.status = 308;
  at = in.number<unsigned>("status", out.status, {301, 308});
  if (at != nullptr && out.status > 303 && out.status < 307) {
    in.error(*at, "status", "must be 301, 302, 303, 307 or 308");
  }
}

void read_respond(table_reader& in, route& out) {
  out.status = 200;
  out.type = "text/plain; charset=utf-8";
  const node* at = in.number<unsigned>("status", out.status, {200, 599});
  if (const node* type = in.text("type", out.type)) {
    const std::string_view why = refuse_header_value(out.type);
    if (out.type.empty() || !why.empty()) in.error(*type, "type", "is not a media type");
  }
  const node* body = in.text("body", out.body);
  constexpr std::size_t body_octets_max = std::size_t{1} << 20U;
  if (out.body.size() > body_octets_max) in.error(*body, "body", "has at most 1MiB");
  const bool is_bodiless = out.status == 204 || out.status == 205 || out.status == 304;
  if (at != nullptr && is_bodiless && !out.body.empty()) {
    in.error(*at, "status", "has no body (RFC 9110 15.3.5, 15.3.6, 15.4.5)");
  }
}

// A key in hand may be traded for a token; a token, or nothing, may not.
void check_mint(table_reader& in, const configuration& settings, const route& out) {
  if (!settings.mint.present) in.error("action", "\"mint\" needs [auth.mint]");
  const auto is_key = [](const credential& one) { return one.how == credential::kind::api_keys; };
  const bool always_key = std::ranges::any_of(out.auth_all, is_key) ||
                          (!out.auth.empty() && std::ranges::all_of(out.auth, is_key));
  if (!always_key) {
    in.error("auth", "of a route that mints must be [\"api_keys\"]: tokens are given for keys");
  }
}

// The keys that belong to some actions only.
void refuse_foreign(table_reader& in, route_action action) {
  struct foreign {
    std::string_view key;
    std::array<route_action, 2> of;
    std::string_view owners;
  };
  constexpr auto proxy = route_action::proxy;
  constexpr auto redirect = route_action::redirect;
  constexpr auto respond = route_action::respond;
  constexpr std::array<foreign, 7> all{{{"upstream", {proxy, proxy}, "proxy"},
                                        {"upgrade", {proxy, proxy}, "proxy"},
                                        {"strip_prefix", {proxy, proxy}, "proxy"},
                                        {"redirect", {redirect, redirect}, "redirect"},
                                        {"status", {redirect, respond}, "redirect or respond"},
                                        {"type", {respond, respond}, "respond"},
                                        {"body", {respond, respond}, "respond"}}};
  for (const foreign& one : all) {
    if (!in.asked_for(one.key) || one.of[0] == action || one.of[1] == action) continue;
    in.error(in.place_of(one.key), one.key, fmt::format("is for action {}", one.owners));
  }
}

void read_action(table_reader& in, const configuration& settings, catalog& names, route& out) {
  in.choice("action", out.action,
            {{"proxy", route_action::proxy},
             {"mint", route_action::mint},
             {"jwks", route_action::jwks},
             {"redirect", route_action::redirect},
             {"respond", route_action::respond}});
  refuse_foreign(in, out.action);
  switch (out.action) {
    case route_action::proxy:
      return read_proxy(in, names, out);
    case route_action::mint:
      return check_mint(in, settings, out);
    case route_action::jwks:
      if (!settings.mint.present) in.error("action", "\"jwks\" needs [auth.mint]");
      return;
    case route_action::redirect:
      return read_redirect(in, out);
    case route_action::respond:
      return read_respond(in, out);
  }
}

void read_upgrade(table_reader& in, const configuration& settings, route& out) {
  const node* at = in.texts("upgrade", out.upgrade);
  for (std::size_t i = 0; i < out.upgrade.size(); ++i) {
    out.upgrade[i] = lower_case(out.upgrade[i]);
    if (out.upgrade[i] == "websocket") continue;
    in.error(std::get<list>(at->value)[i], "upgrade", "must be \"websocket\"");
  }
  if (out.upgrade.empty() || out.action != route_action::proxy ||
      out.upstream >= settings.upstreams.size()) {
    return;
  }
  if (settings.upstreams[out.upstream].protocol == upstream_protocol::h2) {
    in.error(*at, "upgrade", "is of HTTP/1.1, and its upstream has protocol = \"h2\"");
  }
}

void read_headers(table_reader& in, const configuration& settings, route& out) {
  if (const node* at = in.text("forward_identity", out.forward_identity)) {
    out.forward_identity = lower_case(out.forward_identity);
    const auto& credentials = settings.api_keys.headers;
    if (const auto why = refuse_header_name(out.forward_identity); !why.empty()) {
      in.error(*at, "forward_identity", std::string(why));
    } else if (out.forward_identity == "authorization" ||
               std::ranges::find(credentials, out.forward_identity) != credentials.end()) {
      in.error(*at, "forward_identity", "must not be a header that clients send credentials in");
    }
  }
  in.table("request_headers", [&](table_reader& headers) {
    read_header_changes(headers, underscores::refused, out.request_set, out.request_remove);
    for (const header_value& one : out.request_set) {
      if (one.name != out.forward_identity) continue;
      headers.error("set", one.name + " is set from the identity: forward_identity");
    }
  });
  in.table("response_headers", [&](table_reader& headers) {
    read_header_changes(headers, underscores::taken, out.response_set, out.response_remove);
  });
  in.flag("forward_credentials", out.forward_credentials);
  in.flag("security_headers", out.security_headers);
}

}  // namespace

void read_route(table_reader& in, const configuration& settings, catalog& names, route& out) {
  read_match(in, out);
  read_auth_of(in, settings, names, out);
  in.flag("end_at_expiry", out.end_at_expiry);
  read_limits(in, settings, names, out);
  read_countries(in, settings, out);
  read_action(in, settings, names, out);
  in.size<std::uint64_t>("max_body", out.max_body_bytes, {0, 1ULL << 44U});
  read_headers(in, settings, out);
  read_upgrade(in, settings, out);
  if (const node* at = in.duration_or_off("heartbeat", out.heartbeat,
                                          {milliseconds{100}, std::chrono::hours{24}});
      at != nullptr && out.heartbeat.count() > 0 && out.action != route_action::proxy) {
    in.error(*at, "heartbeat", "is for the answers of an origin, and this action has none");
  }
  read_cors(in, out);
}

}  // namespace rw::config
