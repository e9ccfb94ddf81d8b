#include "gateway/decide.h"

#include <algorithm>
#include <utility>

#include "base/phase.h"
#include "gateway/ban.h"
#include "gateway/client_address.h"
#include "gateway/connection.h"
#include "gateway/cors.h"
#include "gateway/once.h"
#include "gateway/share.h"
#include "gateway/worker.h"
#include "http/path.h"

namespace rw::gateway {
namespace {

verdict find_path(exchange& x, const config::listener_limits& limits) {
  const http::path_rules rules{limits.keep_encoded_slash};
  http::path_outcome normal = http::normalise(x.request.path, rules, {});
  if (normal.status == 414) {
    x.path_bytes = x.on->loop().buffers().take();
    normal = http::normalise(x.request.path, rules, {x.path_bytes.text(), io::buffer::capacity()});
  }
  x.path = normal.path;
  return {normal.status, normal.reason};
}

// Whether the route's action answers the request's method; a list of the route's own has been
// asked.
bool action_takes(const exchange& x) noexcept {
  const http::method verb = x.request.verb;
  switch (x.route->settings->action) {
    case config::route_action::mint:
      return verb == http::method::post;
    case config::route_action::jwks:
      return verb == http::method::get || verb == http::method::head;
    default:
      // An origin that answers TRACE sends back what we add to requests, secrets included.
      return verb != http::method::trace || !x.route->settings->methods.empty();
  }
}

// A preflight is for the route of the request that it announces, and answered there when that lets
// other origins in; else it is a request like any other.
bool find_preflight(exchange& x) {
  const std::string_view method = preflight_method(x.request);
  if (method.empty()) return false;
  const route::match_result found = x.state->routes->match(x.request.authority, x.path, method);
  if (found.what != route::outcome::found) return false;
  const route_plan& plan = x.state->route_plans[found.index];
  if (!plan.cors.is_on()) return false;
  x.route = &plan;
  x.preflight = true;
  return true;
}

verdict find_route(exchange& x) {
  if (x.request.verb == http::method::options && find_preflight(x)) return {};
  const route::match_result found =
      x.state->routes->match(x.request.authority, x.path, x.request.method_text);
  if (found.what == route::outcome::not_found) return {404, "no_route"};
  if (found.what == route::outcome::method_not_allowed) {
    x.allowed_methods = found.allowed;
    return {405, "method_not_allowed"};
  }
  x.route = &x.state->route_plans[found.index];
  if (!action_takes(x)) return {405, "method_not_allowed"};
  return {};
}

// Somebody else's alice is not ours. A token that we minted ourselves counts as the key it was for.
std::string_view realm_of(const exchange& x) noexcept {
  // No table of an issuer can be called so.
  if (x.caller.kind == auth::credential_kind::mtls) return ":mtls";
  if (x.caller.kind != auth::credential_kind::jwt) return {};
  const config::jwt_issuer& by = x.state->settings.jwt[x.caller.issuer];
  return by.jwks_mint ? std::string_view{} : by.name;
}

using header_values = std::array<std::string_view, config::limit_headers_max>;

// Who asks, as limit `index` counts.
limit::caller caller_of(const exchange& x, std::uint32_t index, header_values& values) noexcept {
  const config::limit& rules = x.state->limits->at(index);
  for (std::size_t i = 0; i < rules.by_headers.size(); ++i) {
    if (const http::field* one = x.request.find(rules.by_headers[i])) values[i] = one->value;
  }
  return {.client = x.client_ip,
          .identity = x.caller.who.view(),
          .realm = realm_of(x),
          .route = x.route->index,
          .country = x.country,
          .headers = std::span(values.data(), rules.by_headers.size()),
          .own = x.caller.rate};
}

// What a limit is asked for this request.
limit::demand demand_of(const exchange& x, std::uint32_t index) noexcept {
  header_values values;
  limit::demand made = x.state->limits->make_demand(index, caller_of(x, index, values));
  // Of a body that comes in chunks each is charged as it comes: charge_body().
  if (x.state->limits->at(index).cost == config::limit_cost::request_bytes) {
    made.cost = x.request.body == http::framing::length ? x.request.content_length : 0;
  }
  return made;
}

verdict refusal_of(limit::bound met) noexcept {
  switch (met) {
    case limit::bound::under_way:
      return {429, "too_many_under_way"};
    case limit::bound::size:
      return {413, "over_the_burst"};
    case limit::bound::room:
      return {503, "limit_full"};
    case limit::bound::none:
    case limit::bound::rate:
      break;
  }
  return {429, "rate_limited"};
}

// Takes from the budgets of `which`, all or none. What other limits of this request took is given
// back on a refusal: the request did not happen for them.
verdict admit(exchange& x, const std::vector<std::uint32_t>& which) {
  if (which.empty()) return {};
  const std::size_t before = x.limit_count;
  x.limit_count += which.size();
  const std::span demands = std::span(x.limits).subspan(before, which.size());
  const std::span outcomes = std::span(x.outcomes).subspan(before, which.size());
  for (std::size_t i = 0; i < which.size(); ++i) {
    demands[i] = demand_of(x, which[i]);
    outcomes[i] = {};  // a shadow is not always asked
  }
  const limit::limiter& limits = *x.state->limits;
  const mono_time now = x.on->loop().now();
  const auto refused = limits.admit_all(demands, now, outcomes);
  for (std::size_t i = 0; i < which.size(); ++i) {
    x.taken[before + i] = !refused && outcomes[i].admitted;
  }
  if (!refused) return x.state->shares ? share(x, before) : verdict{};
  give_back(x, before);
  // Only the one that refused says anything of use to the client.
  x.refusing_limit = before + *refused;
  return refusal_of(outcomes[*refused].met);
}

// What the mint reads of an Authorization line: no key is as long, and a longer one is no attempt
// to be somebody.
constexpr std::size_t mint_authorization_max = 8U << 10U;

// Whether the request is to wait for keys. Where nobody can say that the issuer has no such key,
// the token is not called a bad one.
bool want_keys(exchange& x) {
  using advice = key_source::advice;
  key_source& source = *x.state->key_plans[x.caller.wants_keys_of].source;
  io::loop& loop = x.on->loop();
  const advice what = x.waited_for_keys ? source.ask_again()
                                        : source.ask(loop.now(), x.on->control(), loop.kernel());
  if (what == advice::try_later && x.caller.why == auth::reason::unknown_kid) {
    x.caller.why = auth::reason::keys_unavailable;
  }
  return what == advice::wait;
}

verdict authenticate(exchange& x, const auth::slow_answer* answer) {
  const config::route& route = *x.route->settings;
  auth::presented given = presented_by(x);
  if (route.action == config::route_action::mint &&
      given.authorization.size() > mint_authorization_max) {
    return {400, "authorization_too_large"};
  }
  given.answer = answer;
  given.cannot_spend = cannot_ask_once(x);
  const io::loop& loop = x.on->loop();
  x.caller = x.on->authenticator().authenticate(given, route.auth, route.auth_all, *x.under->auth,
                                                loop.wall_now(), loop.now());
  if (x.caller.allowed()) return {};
  if (x.caller.pending()) return {verdict::undecided, "unverified"};
  if (x.caller.wants_keys_of != auth::verdict::no_issuer && want_keys(x)) {
    return {verdict::undecided, "waits_for_keys"};
  }
  return {x.caller.status(), auth::name(x.caller.why).data()};
}

// route.countries: who is elsewhere, or nobody knows where, is not let in.
verdict check_country(const exchange& x) noexcept {
  const route_plan& route = *x.route;
  if (route.countries.none() || route.countries.test(x.country.index())) return {};
  return {403, x.country.is_known() ? "country_refused" : "country_unknown"};
}

// listener.redirect_to_https: no route, limit or caller is looked at. Only to a host that a route
// is for, so that nobody is led elsewhere in the gate's name.
verdict send_to_https(const exchange& x) noexcept {
  if (x.request.host.empty()) return {400, "missing_host"};
  const bool known = x.path.starts_with('/') && x.state->routes->knows(x.request.authority);
  return known ? verdict{verdict::to_https, "redirected_to_https"} : verdict{404, "no_route"};
}

verdict judge(exchange& x, const listener_plan& from) {
  verdict v = find_path(x, from.settings->limits);
  if (!v.admitted()) return v;
  if (from.settings->redirect_to_https) return send_to_https(x);
  v = find_route(x);
  if (!v.admitted()) return v;
  v = check_country(x);
  if (!v.admitted()) return v;
  v = admit(x, x.route->early_limits);
  if (!v.admitted()) return v;
  return judge_caller(x);
}

// Takes the head off the stream, and the body with it when all of that has come: it can then be
// sent in one piece with the head, and sent again.
void take_head(exchange& x) {
  const std::string_view input = x.downstream->input();
  std::size_t size = x.request.size;
  if (x.request.body == http::framing::length &&
      x.request.content_length <= input.size() - x.request.size) {
    x.first_body = input.substr(x.request.size, x.request.content_length);
    size += x.request.content_length;
    x.bytes_in = x.request.content_length;
    x.body_read = true;
  }
  if (!x.request.has_body()) x.body_read = true;
  x.head_bytes = x.downstream->hold(size);
  if (const char* now = x.head_bytes.moved_to; now != nullptr) {
    if (!x.first_body.empty()) x.first_body = {now + x.request.size, x.first_body.size()};
    x.request.rebase(now);
  }
}

}  // namespace

verdict check_body(const exchange& x) {
  if (x.request.body == http::framing::length &&
      x.request.content_length > x.route->settings->max_body_bytes) {
    return {413, "body_too_large"};
  }
  return {};
}

void write_shared_key(const exchange& x, std::size_t i, std::string& out) {
  header_values values;
  const std::uint32_t index = x.limits[i].index;
  x.state->limits->write_key(index, caller_of(x, index, values), x.route->settings->name,
                             x.state->share_secret, out);
}

verdict judge_caller(exchange& x, const auth::slow_answer* answer) {
  const phase_scope about(phase::decide);
  // Browsers send no credentials with it: its answer says nothing that a stranger may not know.
  if (x.preflight) return judge_preflight(x);
  verdict v = authenticate(x, answer);
  if (!v.admitted()) return v;
  v = ask_once(x);
  return v.admitted() ? judge_known(x) : v;
}

verdict judge_known(exchange& x) {
  const phase_scope about(phase::decide);
  const verdict v = admit(x, x.route->identity_limits);
  if (!v.admitted()) return v;
  return check_body(x);
}

void decide(exchange& x) {
  const phase_scope about(phase::decide);
  const listener_plan& from = x.state->listeners[x.client->listener];
  take_head(x);
  x.keep_alive = x.request.keep_alive && !x.on->draining() && !x.downstream->worn_out() &&
                 !is_outdated(*x.client);
  find_client(x, from.trusted);
  find_country(x);
  find_request_id(x);
  find_trace(x);
  x.banned = is_banned(x);
  if (x.banned) {
    x.decision = {403, "banned"};
    // What else comes through a proxy is others'.
    if (!x.from_trusted_peer) x.keep_alive = false;
    x.on->counters().add(observe::counter::banned_requests);
  } else {
    x.decision = judge(x, from);
  }
  if (!x.decision.pending()) x.on->audit().decide(x);
  x.decided = x.on->loop().now();
}

auth::presented presented_by(const exchange& x) noexcept {
  auth::presented given;
  if (x.client->shown) given.certificate = &x.client->shown->certificate;
  for (const http::field& one : x.request.fields) {
    if (one.id == http::field_id::authorization) {
      if (given.authorization_lines++ == 0) given.authorization = one.value;
    } else if (one.id == http::field_id::x_api_key) {
      if (given.api_key_lines++ == 0) given.api_key = one.value;
    }
  }
  return given;
}

bool charge_body(exchange& x, std::size_t octets) noexcept {
  const phase_scope about(phase::decide);
  for (std::size_t i = 0; i < x.limit_count; ++i) {
    const config::limit& rules = x.state->limits->at(x.limits[i].index);
    if (rules.cost != config::limit_cost::request_bytes) continue;
    // The place among the requests under way is taken already.
    limit::demand more = x.limits[i];
    more.cost = octets;
    const limit::decision made = x.state->limits->charge(more, x.on->loop().now());
    if (made.admitted) continue;
    x.outcomes[i] = made;
    if (rules.shadow) continue;
    x.refusing_limit = i;
    return false;
  }
  return true;
}

bool is_forwarded(const exchange& x) noexcept {
  return x.route != nullptr && !x.preflight &&
         x.route->settings->action == config::route_action::proxy;
}

}  // namespace rw::gateway
