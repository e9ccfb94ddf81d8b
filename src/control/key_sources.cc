#include "control/key_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "auth/digest.h"
#include "auth/discovery.h"
#include "base/assert.h"
#include "base/random.h"
#include "config/url.h"
#include "control/fetch_schedule.h"
#include "observe/metric.h"

namespace rw::control {
namespace {

// A failure that goes on is not worth a line each time.
constexpr std::chrono::minutes failing_every{10};

std::uint64_t random_number() {
  std::array<std::uint64_t, 1> drawn{};
  random_bytes(std::as_writable_bytes(std::span(drawn)));
  return drawn[0];
}

auto whole_seconds(nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

fetch_schedule::rules rules_of(const config::jwt_issuer& from) noexcept {
  return {from.jwks_remote.refresh, from.jwks_remote.max_stale};
}

std::unexpected<https_failure> refuse(const char* why) {
  return std::unexpected(https_failure{
      https_stage::body, {.code = fault::malformed, .from = origin::upstream, .text = why}});
}

}  // namespace

struct key_sources::source {
  source(io::loop& on, resolver& names, const config::jwt_issuer& from, gateway::key_plan by)
      : rules(from), plan(std::move(by)), client(on, names), schedule(rules_of(from), on.now()) {}

  config::jwt_issuer rules;
  gateway::key_plan plan;
  std::size_t issuer = 0;  // index into snapshot::auth.issuers
  https_client client;
  fetch_schedule schedule;
  std::shared_ptr<const auth::key_set> keys;
  // Of the answer that `keys` are from, and where it came from: they are only good together.
  std::string etag;
  config::https_url from;
  std::optional<auth::digest> body;

  std::uint64_t fetched_new = 0;
  std::uint64_t fetched_same = 0;
  std::uint64_t failed = 0;
  std::string last_failure;
  mono_time told;  // of a failure
  io::sleep* pause = nullptr;
  bool fetching = false;
  bool ended = false;
};

key_sources::key_sources(io::loop& on, const observe::log& log, listeners to)
    : loop_(on), names_(on), log_(log), to_(std::move(to)) {}

key_sources::~key_sources() { RW_ASSERT(under_way_.inside() == 0); }

void key_sources::end(source& one) noexcept {
  one.ended = true;
  one.plan.source->wanted = nullptr;
  one.client.end();
  if (one.pause != nullptr) one.pause->cut();
}

void key_sources::end() noexcept {
  ended_ = true;
  names_.end();
  for (const auto& one : sources_) end(*one);
}

io::task<> key_sources::ended() { co_await under_way_.empty(); }

void key_sources::adopt(const std::shared_ptr<const gateway::snapshot>& state) {
  if (ended_) return;
  auto before = std::exchange(sources_, {});
  for (std::size_t i = 0; i < state->key_plans.size(); ++i) {
    const gateway::key_plan& plan = state->key_plans[i];
    const config::jwt_issuer& rules = state->settings.jwt[i];
    if (!plan.source) continue;
    const auto known = std::ranges::find_if(
        before, [&](const auto& one) { return one->plan.source == plan.source; });
    if (known == before.end()) {
      sources_.push_back(std::make_shared<source>(loop_, names_, rules, plan));
      source& made = *sources_.back();
      made.plan.source->wanted = [this, &made] { ask(made); };
      made.issuer = i;
      io::spawn(watch(sources_.back()), under_way_);
      continue;
    }
    source& one = **known;
    const auto now_by = rules_of(rules);
    const auto then_by = rules_of(one.rules);
    const bool other = one.plan.tls != plan.tls || now_by.refresh != then_by.refresh ||
                       now_by.max_stale != then_by.max_stale;
    one.rules = rules;
    one.plan = plan;
    one.issuer = i;
    if (other) {
      one.schedule.change(now_by, loop_.now());
      if (one.pause != nullptr) one.pause->cut();
    }
    sources_.push_back(std::move(*known));
    before.erase(known);
  }
  for (const auto& one : before) end(*one);
}

// A worker that looked while a fetch came to its end may ask for one too early.
void key_sources::ask(source& one) {
  if (one.fetching) return;
  if (one.schedule.askable() > loop_.now()) return settle(one);
  one.schedule.ask();
  if (one.pause != nullptr) one.pause->cut();
}

std::vector<gateway::known_keys> key_sources::known() const {
  std::vector<gateway::known_keys> list;
  list.reserve(sources_.size());
  for (const auto& one : sources_) {
    list.push_back(
        {one->rules.name, one->rules.issuer, one->rules.jwks_remote, one->plan.source, one->keys});
  }
  return list;
}

void key_sources::fill(auth::snapshot& keys) const {
  for (const auto& one : sources_) keys.issuers[one->issuer].keys = one->keys;
}

io::task<> key_sources::watch(std::shared_ptr<source> one) {
  while (!one->ended) {
    const mono_time until = std::min(one->schedule.due(), one->schedule.lapses());
    if (until > loop_.now()) {
      io::sleep pause(loop_, until);
      one->pause = &pause;
      co_await pause;
      one->pause = nullptr;
      if (one->ended) co_return;
    }
    if (one->schedule.lapses() <= loop_.now()) lapse(*one);
    if (one->schedule.due() > loop_.now()) continue;
    one->schedule.begin(loop_.now());
    one->plan.source->begin();
    one->fetching = true;
    const https_outcome got = co_await fetch(*one);
    one->fetching = false;
    if (one->ended) co_return;
    take(*one, got);
    settle(*one);
  }
}

io::task<https_outcome> key_sources::fetch(source& one) {
  https_request what;
  what.tls = one.plan.tls;
  what.body_bytes_max = auth::key_set_bytes_max;
  what.by = loop_.now() + fetch_time_max;
  std::string url = one.rules.jwks_remote.url;
  if (one.rules.jwks_remote.discover) {
    const auto document = config::parse_https_url(auth::discovery_url(one.rules.issuer));
    if (!document) co_return refuse(document.error().text);
    what.url = *document;
    const https_outcome found = co_await one.client.get(what);
    if (!found) co_return found;
    const auto said = auth::read_discovery(found->body, one.rules.issuer);
    if (!said) co_return refuse(said.error());
    url = *said;
  }
  const auto where = config::parse_https_url(url);
  if (!where) co_return refuse("the `jwks_uri` of the openid-configuration is no URL of https");
  what.url = *where;
  if (one.keys && what.url == one.from) what.etag = one.etag;
  // What is kept for the next time is of this address, whatever the answer is.
  if (what.url != one.from) {
    one.from = what.url;
    one.etag.clear();
    one.body.reset();
  }
  https_outcome got = co_await one.client.get(what);
  co_return got;
}

void key_sources::take(source& one, const https_outcome& got) {
  if (!got) return fail(one, got.error().text());
  if (!got->unchanged && !take_keys(one, *got)) return;
  if (got->unchanged) ++one.fetched_same;
  if (!got->unchanged || !got->etag.empty()) one.etag = got->etag;
  if (one.schedule.failures() > 0) {
    log_.info(fmt::format("auth.jwt.{}: keys are fetched again, after {} failures", one.rules.name,
                          one.schedule.failures()));
  }
  one.last_failure.clear();
  one.told = {};
  one.schedule.succeed(got->max_age, random_number());
}

bool key_sources::take_keys(source& one, const https_answer& got) {
  const auth::digest is = auth::make_digest(auth::digest_kind::sha256, got.body);
  const bool same =
      one.keys && one.body && one.body->size == is.size &&
      std::equal(is.octets.begin(), is.octets.begin() + is.size, one.body->octets.begin());
  if (same) {
    ++one.fetched_same;
    return true;
  }
  const std::string from = fmt::format("https://{}{}", one.from.authority(), one.from.target);
  config::diagnostics found;
  auto keys = auth::load_key_set(got.body, from, found);
  std::string refused = "keys: ";
  for (const config::diagnostic& each : found) {
    if (each.severity == config::diagnostic::level::error) refused += each.text;
  }
  if (!keys) {
    fail(one, std::move(refused));
    return false;
  }
  for (const config::diagnostic& each : found) {
    log_.warning(fmt::format("auth.jwt.{}: {}: {}", one.rules.name, from, each.text));
  }
  log_.info(fmt::format("auth.jwt.{}: {} keys from {}", one.rules.name, keys->keys().size(), from));
  happened(one, observe::audit_result::done, one.keys ? "changed" : "loaded", from);
  one.keys = std::make_shared<const auth::key_set>(std::move(*keys));
  one.body = is;
  ++one.fetched_new;
  to_.changed();
  return true;
}

void key_sources::fail(source& one, std::string why) {
  ++one.failed;
  one.schedule.fail(loop_.now(), random_number());
  one.last_failure = std::move(why);
  if (one.told != mono_time{} && loop_.now() - one.told < failing_every) return;
  one.told = loop_.now();
  happened(one, observe::audit_result::failed, "fetch_failed", one.last_failure);
  log_.warning(fmt::format("auth.jwt.{}: keys could not be fetched, {} times in a row: {}; {}",
                           one.rules.name, one.schedule.failures(), one.last_failure,
                           one.keys
                               ? fmt::format("those from before are used for another {} s",
                                             whole_seconds(one.schedule.lapses() - loop_.now()))
                               : std::string("there are none, and its tokens get 503")));
}

void key_sources::lapse(source& one) {
  one.schedule.lapse();
  one.keys = nullptr;
  one.etag.clear();
  one.body.reset();
  log_.error(fmt::format("auth.jwt.{}: its keys are older than max_stale: its tokens get 503",
                         one.rules.name));
  happened(one, observe::audit_result::failed, "too_old", {});
  to_.changed();
}

void key_sources::happened(const source& one, observe::audit_result how, const char* reason,
                           std::string_view detail) const {
  const std::string object = fmt::format("auth.jwt.{}.jwks", one.rules.name);
  observe::audit_record r;
  r.what = observe::audit_event::key_set;
  r.outcome = how;
  r.reason = reason;
  r.object = object;
  r.detail = detail;
  to_.happened(r);
}

// Keys first, then the word that the fetch is over: whoever waits finds them there.
void key_sources::settle(source& one) {
  one.plan.source->settle(one.schedule.askable(), one.schedule.failures() > 0);
  to_.settled(one.plan.source);
}

std::string key_sources::summary() const {
  std::string text;
  for (const auto& one : sources_) {
    text += fmt::format("{:<14}{}: ", "key set", one->rules.name);
    const mono_time now = loop_.now();
    if (one->keys) {
      text += fmt::format("{} keys, fetched {} s ago", one->keys->keys().size(),
                          whole_seconds(now - one->schedule.fetched().value_or(now)));
    } else {
      text += "no keys, its tokens get 503";
    }
    if (one->schedule.failures() > 0) {
      text += fmt::format("; failed {} times in a row: {}", one->schedule.failures(),
                          one->last_failure);
    }
    const nanoseconds left = std::max(one->schedule.due() - now, nanoseconds{0});
    text += fmt::format("; next in {} s\n", whole_seconds(left));
  }
  return text;
}

void key_sources::expose(std::string& out) const {
  if (sources_.empty()) return;
  const auto family = [&](std::string_view name, auto&& value) {
    observe::begin_metric(name, out);
    for (const auto& one : sources_) value(*one);
  };
  const auto line = [&](std::string_view name, const source& one, std::string_view more,
                        std::uint64_t value) {
    fmt::format_to(std::back_inserter(out), "{}{{issuer=\"{}\"{}}} {}\n", name, one.rules.name,
                   more, value);
  };
  constexpr std::string_view keys = "ringward_key_set_keys";
  family(keys,
         [&](const source& one) { line(keys, one, "", one.keys ? one.keys->keys().size() : 0); });
  constexpr std::string_view fetches = "ringward_key_set_fetches_total";
  family(fetches, [&](const source& one) {
    line(fetches, one, ",result=\"new\"", one.fetched_new);
    line(fetches, one, ",result=\"same\"", one.fetched_same);
    line(fetches, one, ",result=\"failed\"", one.failed);
  });
  constexpr std::string_view failing = "ringward_key_set_failures_in_a_row";
  family(failing, [&](const source& one) { line(failing, one, "", one.schedule.failures()); });
  constexpr std::string_view waiting = "ringward_key_set_waiting";
  family(waiting, [&](const source& one) { line(waiting, one, "", one.plan.source->waiting()); });
  constexpr std::string_view age = "ringward_key_set_age_seconds";
  family(age, [&](const source& one) {
    if (const auto at = one.schedule.fetched()) {
      line(age, one, "", static_cast<std::uint64_t>(whole_seconds(loop_.now() - *at)));
    }
  });
}

}  // namespace rw::control
