#include "auth/authenticate.h"

#include <algorithm>
#include <optional>

#include "auth/authorization.h"
#include "auth/json.h"
#include "auth/jws.h"
#include "base/text.h"

namespace rw::auth {

namespace {

using kind = config::credential::kind;

// Of two reasons why none of several credentials did, the one an operator learns more from.
reason more_telling(reason a, reason b) noexcept {
  const auto rank = [](reason why) {
    switch (why) {
      case reason::none:
        return 0;
      case reason::missing:
        return 1;
      case reason::not_accepted:
        return 2;
      case reason::wrong_issuer:
        return 3;
      default:
        return 4;
    }
  };
  return rank(b) > rank(a) ? b : a;
}

}  // namespace

// One request at a time; between requests only the cache and the buffers' capacity matter.
struct authenticator::work {
  explicit work(token_cache_limits limits) : cache(limits) {}

  void begin(const snapshot& state, wall_time at, mono_time mono, const slow_answer* said) {
    snap = &state;
    mono_now = mono;
    answer = said;
    slow_key = {};
    now = at;
    now_us = std::chrono::floor<std::chrono::microseconds>(at);
    key_name.reset();
    token = {};
    has_key = has_token = false;
    parts.reset();
    issuer_claim.reset();
    good_issuer.reset();
  }

  reason take_key(std::string_view key);
  reason take_slow_key(std::string_view key);
  reason take_name(const key_owner& owner);
  reason check_token(std::uint32_t index);
  reason check_signed(std::uint32_t index);
  reason verify_token(std::uint32_t index);
  reason find_cached(std::uint32_t index);
  reason accept(std::uint32_t index, std::string_view who, std::string_view its_scopes,
                numeric_date expires, reason why);
  reason scan_token(std::span<const config::credential> any,
                    std::span<const config::credential> all);
  reason check(const config::credential& one);
  reason take(const presented& credentials, std::span<const config::credential> any,
              std::span<const config::credential> all);
  void fill(verdict& out, const config::credential& one);

  token_cache cache;
  jws_reader reader;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;

  const snapshot* snap = nullptr;
  wall_time now;
  numeric_date now_us;

  bool has_key = false;
  std::optional<std::string_view> key_name;

  slow_cache slow;
  digest_secret secret = make_digest_secret();
  mono_time mono_now;
  const slow_answer* answer = nullptr;
  std::string_view slow_key;  // has to be held against slow hashes
  bool slow_key_known = false;

  bool has_token = false;
  std::string_view token;
  std::optional<std::expected<jws_parts, reason>> parts;  // read once per request
  std::optional<std::expected<std::string_view, reason>> issuer_claim;
  // The last issuer whose rules the token passed, and what it says by them.
  std::optional<std::uint32_t> good_issuer;
  identity token_identity;
  numeric_date token_expires;
  std::string scopes;
};

reason authenticator::work::take_key(std::string_view key) {
  if (const auto owner = snap->keys->find(key)) return take_name(*owner);
  if (snap->keys->may_be_slow(key)) return take_slow_key(key);
  const bool could_be = is_visible_ascii(key) && key.size() <= api_key_bytes_max;
  return could_be ? reason::unknown_key : reason::malformed;
}

// Both headers may hold a key; then it must be one caller's.
reason authenticator::work::take_name(const key_owner& owner) {
  if (now >= owner.expires) return reason::expired;
  if (has_key && *key_name != owner.name) return reason::ambiguous;
  has_key = true;
  key_name = owner.name;
  return reason::none;
}

// What was found holds for as long as the line, or the lines, that it was about are in the file.
reason authenticator::work::take_slow_key(std::string_view key) {
  const key_digest digest = digest_of(key, secret);
  const auto known = slow.find(digest, mono_now);
  const slow_answer* said = known && known->fresh ? &known->what : nullptr;
  if (answer != nullptr) {
    // One hash for each request: a second key is not this one's.
    if (answer->key != digest && said == nullptr) return reason::ambiguous;
    if (answer->key == digest) said = answer;
  }
  if (said != nullptr && said->matched) {
    const slow_line* line = snap->keys->slow_line_of(said->about);
    if (line != nullptr) return take_name({line->name, line->expires});
  }
  if (said != nullptr && said->about == snap->keys->slow_id()) return reason::unknown_key;
  slow_key = key;
  slow_key_known = known && known->what.matched;
  return reason::unverified;
}

reason authenticator::work::accept(std::uint32_t index, std::string_view who,
                                   std::string_view its_scopes, numeric_date expires, reason why) {
  token_identity.assign_checked(who);
  scopes.assign(its_scopes);
  token_expires = expires;
  if (why == reason::none) good_issuer = index;
  return why;
}

// reason::missing: not in the cache.
reason authenticator::work::find_cached(std::uint32_t index) {
  const issuer& by = snap->issuers[index];
  if (by.keys == nullptr) return reason::missing;
  const auto hit = cache.find(token, index, snap->generation, now_us);
  if (!hit) return reason::missing;
  ++hits;
  return accept(index, hit->identity, hit->scopes, hit->expires, hit->why);
}

reason authenticator::work::verify_token(std::uint32_t index) {
  const issuer& by = snap->issuers[index];
  if (token.size() > by.rules.max_token_bytes) return reason::too_large;
  if (!parts) parts = reader.read(token);
  if (!*parts) return parts->error();
  const json_object* claims = reader.claims();
  if (claims == nullptr) return reason::malformed;
  if (!issuer_claim) issuer_claim = issuer_of(*claims);
  if (!*issuer_claim) return issuer_claim->error();
  if (**issuer_claim != by.rules.issuer) return reason::wrong_issuer;
  if (by.keys == nullptr) return reason::keys_unavailable;
  ++misses;
  if (const auto ok = verify_jws(**parts, *by.keys, by.rules.algorithms); !ok) return ok.error();
  const auto checked = check_claims(*claims, by.rules, now);
  if (!checked) return checked.error();
  cache.insert(token, index, snap->generation, *checked);
  return accept(index, checked->identity, checked->scopes, checked->expires, checked->why);
}

reason authenticator::work::check_token(std::uint32_t index) {
  const reason why = check_signed(index);
  if (why != reason::none || !snap->issuers[index].ours || snap->keys == nullptr) return why;
  return snap->keys->has_key_of(token_identity.view(), now) ? why : reason::key_removed;
}

reason authenticator::work::check_signed(std::uint32_t index) {
  if (good_issuer == index) return reason::none;
  if (good_issuer &&
      snap->issuers[*good_issuer].rules.issuer != snap->issuers[index].rules.issuer) {
    return reason::wrong_issuer;
  }
  const reason cached = find_cached(index);
  return cached == reason::missing ? verify_token(index) : cached;
}

// A token that is there must be good, whether the route needs it or not: by one of the issuers the
// route names, or by any when it names none. All caches are asked before anything is parsed.
reason authenticator::work::scan_token(std::span<const config::credential> any,
                                       std::span<const config::credential> all) {
  bool names_issuers = false;
  for (const auto list : {any, all}) {
    for (const config::credential& one : list) {
      if (one.how != kind::jwt) continue;
      names_issuers = true;
      if (find_cached(one.issuer) == reason::none) return check_token(one.issuer);
    }
  }
  reason why = reason::missing;
  const auto passes = [&](std::uint32_t index) {
    const reason found = check_token(index);
    why = found == reason::none ? found : more_telling(why, found);
    return found == reason::none;
  };
  for (const auto list : {any, all}) {
    for (const config::credential& one : list) {
      if (one.how == kind::jwt && passes(one.issuer)) return reason::none;
    }
  }
  if (names_issuers) return why;
  for (std::uint32_t index = 0; index < snap->issuers.size(); ++index) {
    if (passes(index)) return reason::none;
  }
  return why;
}

reason authenticator::work::check(const config::credential& one) {
  if (one.how == kind::api_keys) return has_key ? reason::none : reason::missing;
  return has_token ? check_token(one.issuer) : reason::missing;
}

// Everything presented must be good.
reason authenticator::work::take(const presented& credentials,
                                 std::span<const config::credential> any,
                                 std::span<const config::credential> all) {
  if (credentials.api_key_lines == 1 && snap->keys != nullptr && snap->keys_in_x_api_key) {
    const reason why = take_key(credentials.api_key);
    if (why != reason::none) return why;
  }
  const authorization line = read_authorization(credentials, *snap);
  switch (line.what) {
    case authorization::form::absent:
      return reason::none;
    case authorization::form::refused:
      return line.why;
    case authorization::form::key:
      return take_key(line.value);
    case authorization::form::token:
      has_token = true;
      token = line.value;
      return scan_token(any, all);
  }
  return reason::malformed;
}

void authenticator::work::fill(verdict& out, const config::credential& one) {
  if (one.how == kind::api_keys) {
    out.kind = credential_kind::api_key;
    out.who.assign_checked(*key_name);
    return;
  }
  // auth_all may have held the token against another table of the same issuer since.
  if (check_token(one.issuer) != reason::none) return;
  out.kind = credential_kind::jwt;
  out.issuer = one.issuer;
  out.who = token_identity;
  out.expires = token_expires;
  out.scopes = scopes;
}

snapshot make_snapshot(const config::configuration& configuration) {
  snapshot out;
  const auto reads = [&](std::string_view header) {
    return std::ranges::find(configuration.api_keys.headers, header) !=
           configuration.api_keys.headers.end();
  };
  out.keys_in_x_api_key = configuration.has_api_keys && reads("x-api-key");
  out.keys_in_authorization = configuration.has_api_keys && reads("authorization");
  out.slow_for = configuration.api_keys.cache;
  for (const config::jwt_issuer& one : configuration.jwt) {
    // Where another claim names the caller, nothing says which key a token was minted for.
    const bool ours = one.jwks_mint && one.identity == "sub";
    out.issuers.push_back({.rules = token_rules(one), .keys = nullptr, .ours = ours});
  }
  return out;
}

std::string_view name(credential_kind kind) noexcept {
  switch (kind) {
    case credential_kind::none:
      return "none";
    case credential_kind::api_key:
      return "api_key";
    case credential_kind::jwt:
      return "jwt";
  }
  return "unknown";
}

authenticator::authenticator(token_cache_limits limits) : work_(std::make_unique<work>(limits)) {}
authenticator::authenticator(authenticator&&) noexcept = default;
authenticator& authenticator::operator=(authenticator&&) noexcept = default;
authenticator::~authenticator() = default;

std::uint64_t authenticator::cache_hits() const noexcept { return work_->hits; }
std::uint64_t authenticator::cache_misses() const noexcept { return work_->misses; }

void authenticator::share_secret(const digest_secret& secret) noexcept { work_->secret = secret; }
key_digest authenticator::digest(std::string_view key) const noexcept {
  return digest_of(key, work_->secret);
}
void authenticator::learn(const slow_answer& what, mono_time now, nanoseconds right_for) noexcept {
  work_->slow.insert(what, now, right_for);
}

verdict authenticator::authenticate(const presented& credentials,
                                    std::span<const config::credential> any,
                                    std::span<const config::credential> all, const snapshot& state,
                                    wall_time now, mono_time mono_now) {
  verdict out;
  if (credentials.api_key_lines > 1 || credentials.authorization_lines > 1) {
    out.why = reason::ambiguous;
    return out;
  }
  if (any.empty() && all.empty()) return out;

  work& own = *work_;
  own.begin(state, now, mono_now, credentials.answer);
  out.why = own.take(credentials, any, all);
  if (out.why == reason::unverified) {
    out.slow_key = own.slow_key;
    out.slow_key_known = own.slow_key_known;
  }
  if (out.why == reason::insufficient_scope) out.who = own.token_identity;
  if (!out.allowed()) return out;

  const config::credential* winner = nullptr;
  if (any.empty()) winner = &all.front();
  reason why = reason::missing;
  for (const config::credential& one : any) {
    const reason found = own.check(one);
    if (found == reason::none) {
      winner = &one;
      break;
    }
    why = more_telling(why, found);
  }
  if (winner == nullptr) {
    const bool presented_some = own.has_key || own.has_token;
    out.why = why == reason::missing && presented_some ? reason::not_accepted : why;
    return out;
  }
  for (const config::credential& one : all) {
    out.why = own.check(one);
    if (!out.allowed()) return out;
  }
  own.fill(out, *winner);
  return out;
}

}  // namespace rw::auth
