#include "gateway/ban.h"

#include <fmt/format.h>

#include <optional>

#include "config/values.h"
#include "gateway/connection.h"
#include "gateway/worker.h"
#include "observe/time_text.h"

namespace rw::gateway {
namespace {

using limit::ban_cause;

// Neither the operator's own networks nor a proxy, whatever comes through it.
bool is_spared(const config::ip16& ip, const ban_plan& plan, const listener_plan& at) noexcept {
  return plan.exempt.contains(ip) || at.trusted.contains(ip) || at.proxies.contains(ip);
}

// Nobody is banned without a table, and nobody can be who has no address.
bool may_be_banned(worker& on, const snapshot& state, bool is_unix) noexcept {
  return state.ban && on.bans() != nullptr && !is_unix;
}

bool is_shut_out(worker& on, const snapshot& state, const listener_plan& at, const config::ip16& ip,
                 bool is_unix) noexcept {
  return may_be_banned(on, state, is_unix) && on.bans()->holds(ip, on.loop().now()) &&
         !is_spared(ip, *state.ban, at);
}

std::optional<ban_cause> cause_of(const exchange& x) noexcept {
  // What a page asks for that its visitor's browser then asks about is not the visitor's doing.
  if (x.banned || x.preflight || x.ended_by != nullptr) return {};
  switch (x.decision.status) {
    case 400:
      return ban_cause::malformed;
    case 401:
      return x.caller.why == auth::reason::expired ? ban_cause::expired : ban_cause::unauthorized;
    case 403:
      return ban_cause::forbidden;
    default:
      return {};
  }
}

// A ban is written down where it was made: behind the failures that led to it.
void record_ban(worker& on, const limit::ban& made, const ban_plan& plan, const char* reason) {
  const mono_time now = on.loop().now();
  const wall_time at = on.loop().wall_now();
  observe::time_text until;
  const std::string detail =
      fmt::format("{} within {}, the last {}; until {:.19}Z, time {}", plan.rule.failures,
                  config::duration_text(plan.rule.within), reason,
                  until.rfc3339(at + (made.until - now)), made.repeat);
  const std::string client = text_of_banned(made.client);
  observe::audit_record r;
  r.at = at;
  r.what = observe::audit_event::ban;
  r.reason = "banned";
  r.client = client;
  r.detail = detail;
  on.audit().write(r);
}

void note(worker& on, const config::ip16& ip, const snapshot& state, const listener_plan& at,
          ban_cause cause, const char* reason) {
  const ban_plan& plan = *state.ban;
  const std::uint32_t weight = plan.weights[static_cast<std::size_t>(cause)];
  if (weight == 0 || is_spared(ip, plan, at)) return;
  limit::ban made;
  const auto what = on.bans()->fail(ip, weight, cause, plan.rule, on.loop().now(), made);
  if (what != limit::ban_table::effect::banned) return;
  on.counters().add(observe::counter::bans_made);
  record_ban(on, made, plan, reason);
}

}  // namespace

std::string text_of_banned(const config::ip16& client) {
  std::string text(net::endpoint_text(client).view());
  if (text.contains(':')) text += "/64";
  return text;
}

ban_plan make_ban_plan(const config::ban& from) {
  ban_plan made;
  made.rule = {.failures = from.failures, .within = from.within, .lasts = from.lasts};
  const auto weigh = [&made](ban_cause what, std::uint32_t weight) {
    made.weights[static_cast<std::size_t>(what)] = weight;
  };
  weigh(ban_cause::unauthorized, from.weights.unauthorized);
  weigh(ban_cause::expired, from.weights.expired);
  weigh(ban_cause::forbidden, from.weights.forbidden);
  weigh(ban_cause::malformed, from.weights.malformed);
  weigh(ban_cause::handshake, from.weights.handshake);
  if (auto exempt = config::cidr_set::parse(from.exempt)) made.exempt = std::move(*exempt);
  return made;
}

bool is_banned(const connection& c, const listener_plan& at) noexcept {
  return is_shut_out(c.on, c.on.state(), at, c.peer.ip, c.peer.is_unix);
}

bool is_banned(const exchange& x) noexcept {
  return is_shut_out(*x.on, *x.state, x.state->listeners[x.client->listener], x.client_ip,
                     x.client_is_unix);
}

void note_refusal(exchange& x) {
  if (!may_be_banned(*x.on, *x.state, x.client_is_unix)) return;
  const auto cause = cause_of(x);
  if (!cause) return;
  note(*x.on, x.client_ip, *x.state, x.state->listeners[x.client->listener], *cause,
       x.decision.reason);
}

void note_handshake(connection& c, const char* reason) {
  const snapshot& state = c.on.state();
  if (!may_be_banned(c.on, state, c.peer.is_unix)) return;
  note(c.on, c.peer.ip, state, state.listeners[c.listener], ban_cause::handshake, reason);
}

}  // namespace rw::gateway
