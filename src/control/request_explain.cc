#include "control/request_explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "config/address.h"
#include "config/values.h"
#include "http/method.h"
#include "http/path.h"
#include "net/address.h"

namespace rw::control {
namespace {

constexpr std::size_t words = 8;  // of the command

class explainer {
 public:
  explainer(const asked_request& asked, const gateway::snapshot& state, const auth::snapshot& keys)
      : asked_(asked), state_(state), keys_(keys) {}

  bool find_listener();
  bool find_client(const limit::ban_table& bans, mono_time now);
  bool find_route();
  bool check_country();
  bool authenticate(auth::authenticator& by, wall_time now, mono_time mono_now);
  void tell_limits(const std::vector<std::uint32_t>& which);
  void tell_end();
  const gateway::route_plan& route() const noexcept { return *route_; }

  explanation out;

 private:
  void line(std::string_view key, std::string value) {
    out.lines.emplace_back(std::string(key), std::move(value));
  }
  bool refuse(unsigned status, std::string_view reason) {
    out.status = status;
    line("answer", fmt::format("{} ({})", status, reason));
    return false;
  }

  bool action_takes(const config::route& route) const noexcept;

  const asked_request& asked_;
  const gateway::snapshot& state_;
  const auth::snapshot& keys_;
  const gateway::listener_plan* listener_ = nullptr;
  const gateway::route_plan* route_ = nullptr;
  std::optional<config::ip16> client_;
  std::string normal_;  // the path, where it is spelt anew
};

bool explainer::find_listener() {
  for (const gateway::listener_plan& one : state_.listeners) {
    if (!asked_.listener.empty() && one.settings->name != asked_.listener) continue;
    listener_ = &one;
    line("listener", one.settings->name);
    return true;
  }
  return refuse(400, fmt::format("there is no listener {}", asked_.listener));
}

bool explainer::find_client(const limit::ban_table& bans, mono_time now) {
  if (asked_.address.empty()) return true;
  const auto parsed = config::parse_address(
      asked_.address.contains(':') ? fmt::format("[{}]:1", asked_.address) : asked_.address + ":1");
  if (!parsed || parsed->what != config::address::kind::ip) {
    return refuse(400, fmt::format("{} is no address", asked_.address));
  }
  client_ = net::to_endpoint(parsed->socket).ip;
  const bool spared = state_.ban && (state_.ban->exempt.contains(*client_) ||
                                     listener_->trusted.contains(*client_) ||
                                     listener_->proxies.contains(*client_));
  return !state_.ban || spared || !bans.holds(*client_, now) || refuse(403, "banned");
}

bool explainer::find_route() {
  const std::size_t end = std::min(asked_.path.find('?'), asked_.path.size());
  const std::string_view path = std::string_view(asked_.path).substr(0, end);
  normal_.resize(3 * path.size());
  const http::path_outcome normal = http::normalise(
      path, {listener_->settings->limits.keep_encoded_slash}, {normal_.data(), normal_.size()});
  if (!normal) return refuse(normal.status, normal.reason);
  if (normal.path != path) line("path", std::string(normal.path));
  const route::match_result found = state_.routes->match(asked_.host, normal.path, asked_.method);
  if (found.what == route::outcome::not_found) return refuse(404, "no_route");
  if (found.what == route::outcome::method_not_allowed) return refuse(405, "method_not_allowed");
  route_ = &state_.route_plans[found.index];
  line("route", route_->settings->name);
  return action_takes(*route_->settings) || refuse(405, "method_not_allowed");
}

// As gateway/decide.cc has it.
bool explainer::action_takes(const config::route& route) const noexcept {
  const http::method verb = http::parse_method(asked_.method);
  switch (route.action) {
    case config::route_action::mint:
      return verb == http::method::post;
    case config::route_action::jwks:
      return verb == http::method::get || verb == http::method::head;
    default:
      return verb != http::method::trace || !route.methods.empty();
  }
}

bool explainer::check_country() {
  if (!state_.countries || !client_) return true;
  const country where = state_.countries->find(*client_);
  line("country", where.is_known() ? std::string(where.text()) : "unknown");
  if (route_->countries.none() || route_->countries.test(where.index())) return true;
  return refuse(403, where.is_known() ? "country_refused" : "country_unknown");
}

bool explainer::authenticate(auth::authenticator& by, wall_time now, mono_time mono_now) {
  auth::presented given;
  given.api_key = asked_.api_key;
  given.api_key_lines = asked_.api_key.empty() ? 0 : 1;
  given.authorization = asked_.authorization;
  given.authorization_lines = asked_.authorization.empty() ? 0 : 1;
  const config::route& route = *route_->settings;
  const auth::verdict found =
      by.authenticate(given, route.auth, route.auth_all, keys_, now, mono_now);
  if (found.pending()) {
    line("credential", "a key that a slow hash decides about: `ringward key check` computes it");
    return true;
  }
  if (!found.allowed()) {
    if (found.wants_keys_of != auth::verdict::no_issuer) {
      line("credential", fmt::format("the key set of issuer {} would be fetched first",
                                     state_.settings.jwt[found.wants_keys_of].name));
    }
    return refuse(found.status(), auth::name(found.why));
  }
  if (route.auth.empty() && route.auth_all.empty()) {
    line("credential", "none is asked for");
    return true;
  }
  line("credential", std::string(auth::name(found.kind)));
  line("identity", std::string(found.who.view()));
  if (found.kind == auth::credential_kind::jwt) {
    line("issuer", state_.settings.jwt[found.issuer].name);
  }
  if (found.rate.count != 0) line("own rate", config::rate_text(found.rate));
  return true;
}

void explainer::tell_limits(const std::vector<std::uint32_t>& which) {
  for (const std::uint32_t index : which) {
    const config::limit& one = state_.settings.limits[index];
    std::vector<std::string> parts;
    if (one.rate.count != 0) {
      parts.push_back(fmt::format("{}, burst {}", config::rate_text(one.rate), one.burst));
    }
    if (one.concurrent != 0) parts.push_back(fmt::format("{} at once", one.concurrent));
    if (one.shadow) parts.emplace_back("shadow");
    line("limit", fmt::format("{}: {}", one.name, fmt::join(parts, ", ")));
  }
}

void explainer::tell_end() {
  const config::route& route = *route_->settings;
  switch (route.action) {
    case config::route_action::proxy: {
      const gateway::upstream_plan& to = state_.upstreams[route.upstream];
      std::size_t usable = 0;
      for (std::size_t i = 0; i < to.servers.size(); ++i) {
        usable += to.health.at(i).usable() ? 1 : 0;
      }
      line("upstream", fmt::format("{}: {} of {} servers get requests", to.settings->name, usable,
                                   to.servers.size()));
      if (usable == 0) refuse(503, "no server can be used");
      return;
    }
    case config::route_action::mint:
      return line("answer", "a token, by the gate");
    case config::route_action::jwks:
      return line("answer", "the minting key's public half, by the gate");
    case config::route_action::redirect:
      return line("answer", fmt::format("{} to {}", route.status, route.redirect));
    case config::route_action::respond:
      return line("answer", fmt::format("{}, by the gate", route.status));
  }
}

}  // namespace

std::string to_command(const asked_request& asked) {
  return fmt::format("explain\t{}\t{}\t{}\t{}\t{}\t{}\t{}", asked.method, asked.host, asked.path,
                     asked.address, asked.listener, asked.api_key, asked.authorization);
}

std::optional<asked_request> from_command(std::string_view command) {
  std::array<std::string_view, words> word;
  for (std::size_t i = 0; i < words; ++i) {
    const std::size_t end = std::min(command.find('\t'), command.size());
    if ((end == command.size()) != (i + 1 == words)) return std::nullopt;
    word[i] = command.substr(0, end);
    command.remove_prefix(std::min(end + 1, command.size()));
  }
  if (word[0] != "explain") return std::nullopt;
  return asked_request{.method = std::string(word[1]),
                       .host = std::string(word[2]),
                       .path = std::string(word[3]),
                       .address = std::string(word[4]),
                       .listener = std::string(word[5]),
                       .api_key = std::string(word[6]),
                       .authorization = std::string(word[7])};
}

explanation explain_request(const asked_request& asked, const gateway::snapshot& state,
                            const auth::snapshot& keys, auth::authenticator& authenticator,
                            const limit::ban_table& bans, wall_time now, mono_time mono_now) {
  explainer e(asked, state, keys);
  if (!e.find_listener() || !e.find_client(bans, mono_now) || !e.find_route()) return e.out;
  if (!e.check_country()) return e.out;
  e.tell_limits(e.route().early_limits);
  if (!e.authenticate(authenticator, now, mono_now)) return e.out;
  e.tell_limits(e.route().identity_limits);
  e.tell_end();
  return e.out;
}

}  // namespace rw::control
