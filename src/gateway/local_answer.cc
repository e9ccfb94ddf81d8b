#include <algorithm>

#include "base/assert.h"
#include "base/phase.h"
#include "base/text.h"
#include "gateway/connection.h"
#include "gateway/epoch.h"
#include "gateway/respond.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// {host}, {path} and {query} of a redirect's template. Everything put in has passed the parser: it
// holds no character that could end the field.
std::string expand(const exchange& x, std::string_view target) {
  std::string out;
  while (!target.empty()) {
    const std::size_t open = target.find('{');
    out.append(target.substr(0, open));
    if (open == std::string_view::npos) break;
    target.remove_prefix(open);
    if (target.starts_with("{host}")) {
      out.append(x.request.host);
      target.remove_prefix(6);
    } else if (target.starts_with("{path}")) {
      out.append(x.path);
      target.remove_prefix(6);
    } else if (target.starts_with("{query}")) {
      out.append(x.request.query);
      target.remove_prefix(7);
    } else {
      out += target.front();
      target.remove_prefix(1);
    }
  }
  return out;
}

// 0: not known, or that of https.
std::uint16_t https_port(const exchange& x) {
  for (std::uint32_t i = 0; i < x.state->listeners.size(); ++i) {
    const int fd = x.state->listeners[i].tls ? x.on->listening_fd(i) : -1;
    if (fd < 0) continue;
    const result<sockaddr_storage> at = x.on->loop().kernel().local_address(fd);
    const std::uint16_t port = at ? net::to_endpoint(*at).port : std::uint16_t{0};
    if (port != 0) return port != 443 ? port : std::uint16_t{0};
  }
  return 0;
}

answer mint(exchange& x, std::string& store) {
  // Bound to the certificate where the client has one: what else it may show says nothing here.
  const auto* shown = x.client->shown.get();
  const result<std::string> token = x.under->minter->answer(
      x.caller.key_name, x.caller.key_line, x.on->loop().wall_now(),
      shown != nullptr ? std::string_view(shown->certificate.thumbprint) : std::string_view{});
  if (!token) {
    x.decision = {500, "mint_failed"};
    return problem(500, store);
  }
  store = *token;
  answer a;
  a.type = "application/json";
  a.cache_control = "no-store";
  a.body = store;
  return a;
}

// RFC 9110 13.1.2: a list of tags, weak ones too, or whatever there is.
bool names_tag(std::string_view list, std::string_view tag) noexcept {
  if (trim_ows(list) == "*") return true;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view one = trim_ows(list.substr(0, end));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

answer publish_keys(const exchange& x) {
  answer a;
  a.type = "application/jwk-set+json";
  a.cache_control = "public, max-age=300";
  a.etag = x.state->jwks_etag;
  a.body = x.state->jwks_body;
  if (names_tag(x.request.value(http::field_id::if_none_match), a.etag)) a.status = 304;
  return a;
}

}  // namespace

std::string https_location(const exchange& x) {
  std::string out = "https://";
  out.append(x.request.host);
  if (const std::uint16_t port = https_port(x); port != 0) {
    out.append(":").append(std::to_string(port));
  }
  return out.append(x.path).append(x.request.query);
}

answer local_answer(exchange& x, std::string& store) {
  const phase_scope about(phase::answer);
  if (x.preflight) return {.status = 204};
  const config::route& route = *x.route->settings;
  switch (route.action) {
    case config::route_action::mint:
      return mint(x, store);
    case config::route_action::jwks:
      return publish_keys(x);
    case config::route_action::redirect: {
      // HTTP/1.0 has no Host unless it wants to; a URL without one leads nowhere.
      if (x.request.host.empty() && route.redirect.contains("{host}")) {
        x.decision = {400, "missing_host"};
        return problem(400, store);
      }
      store = expand(x, route.redirect);
      answer a;
      a.status = route.status;
      a.location = store;
      return a;
    }
    case config::route_action::respond: {
      answer a;
      a.status = route.status;
      a.type = route.type;
      a.body = route.body;
      return a;
    }
    case config::route_action::proxy:
      break;
  }
  RW_ASSERT(false);
  return {};
}

}  // namespace rw::gateway
