#include "auth/authenticate.h"

#include <algorithm>
#include <optional>

#include "auth/authorization.h"
#include "auth/json.h"
#include "auth/jws.h"
#include "auth/presented_key.h"
#include "auth/token_id.h"
#include "base/text.h"

namespace rw::auth {

// One request at a time; between requests only the cache and the buffers' capacity matter.
struct authenticator::work {
  using kind = config::credential::kind;

  explicit work(token_cache_limits limits) : cache(limits) {}

  void begin(const snapshot& state, wall_time at, mono_time mono, const slow_answer* said) {
    snap = &state;
    keys.begin(state, at, mono, said);
    now = at;
    now_us = std::chrono::floor<std::chrono::microseconds>(at);
    token = {};
    has_token = false;
    parts.reset();
    issuer_claim.reset();
    good_issuer.reset();
    certificate = nullptr;
    wants_keys_of = verdict::no_issuer;
  }

  reason take_key(std::string_view key);
  reason check_token(std::uint32_t index);
  reason check_signed(std::uint32_t index);
  reason verify_token(std::uint32_t index);
  void want_keys(std::uint32_t index, const json_object& claims);
  reason find_cached(std::uint32_t index);
  reason accept(std::uint32_t index, const token_cache::hit& says);
  bool is_revoked(std::uint32_t index, std::string_view who, std::string_view jti,
                  std::string_view kid) const noexcept;
  reason spend();
  reason scan_token(std::span<const config::credential> any,
                    std::span<const config::credential> all);
  reason check_certificate() const noexcept;
  reason check(const config::credential& one);
  reason take(const presented& credentials, std::span<const config::credential> any,
              std::span<const config::credential> all);
  void fill(verdict& out, const config::credential& one);

  token_cache cache;
  jws_reader reader;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::shared_ptr<const revocation_list> revoked;  // null: nothing is

  const snapshot* snap = nullptr;
  wall_time now;
  numeric_date now_us;
  const client_certificate* certificate = nullptr;

  presented_keys keys;

  bool has_token = false;
  std::string_view token;
  std::optional<std::expected<jws_parts, reason>> parts;  // read once per request
  std::optional<std::expected<std::string_view, reason>> issuer_claim;
  // The last issuer whose rules the token passed, and what it says by them.
  std::optional<std::uint32_t> good_issuer;
  std::uint32_t wants_keys_of = verdict::no_issuer;
  identity token_identity;
  numeric_date token_expires;
  numeric_date token_until;
  std::string token_id;                // verdict::token_id; where it counts once, its jti
  std::optional<line_tag> token_line;  // of the key that it was minted for
  std::string scopes;
};

reason authenticator::work::take_key(std::string_view key) {
  const reason why = keys.take(key);
  if (why != reason::none || revoked == nullptr) return why;
  if (!revoked->has_identity(keys.name(), now)) return why;
  token_identity.assign_checked(keys.name());
  return reason::revoked;
}

bool authenticator::work::is_revoked(std::uint32_t index, std::string_view who,
                                     std::string_view jti, std::string_view kid) const noexcept {
  return revoked->has_identity(who, now) ||
         revoked->has_token(snap->issuers[index].rules.issuer, jti, kid, now);
}

// Of a token that is good by itself, from the cache or not.
reason authenticator::work::accept(std::uint32_t index, const token_cache::hit& says) {
  token_identity.assign_checked(says.identity);
  if (revoked != nullptr && is_revoked(index, says.identity, says.jti, says.kid)) {
    return reason::revoked;
  }
  if (!says.bound.empty() && (certificate == nullptr || certificate->thumbprint != says.bound)) {
    return reason::certificate;
  }
  scopes.assign(says.scopes);
  token_expires = says.expires;
  token_until = says.until;
  token_id.assign(says.jti);
  if (says.jti.empty() && !says.kid.empty()) token_id.append("kid:").append(says.kid);
  if (snap->issuers[index].ours) token_line = tag_in(says.jti);
  if (says.why == reason::none) good_issuer = index;
  return says.why;
}

// Last of all: a request that is refused for something else uses nothing up.
reason authenticator::work::spend() {
  if (!good_issuer) return reason::none;
  const token_rules& rules = snap->issuers[*good_issuer].rules;
  if (!rules.once) return reason::none;
  switch (snap->used->take(rules.issuer, token_id, token_until, now_us)) {
    case replay_table::outcome::first:
      return reason::none;
    case replay_table::outcome::again:
      return reason::replayed;
    case replay_table::outcome::full:
      break;
  }
  return reason::replay_full;
}

// reason::missing: not in the cache.
reason authenticator::work::find_cached(std::uint32_t index) {
  const issuer& by = snap->issuers[index];
  if (by.keys == nullptr) return reason::missing;
  const auto hit = cache.find(token, index, by.generation, now_us);
  if (!hit) return reason::missing;
  ++hits;
  return accept(index, *hit);
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
  if (by.keys == nullptr) {
    want_keys(index, *claims);
    return reason::keys_unavailable;
  }
  ++misses;
  if (const auto ok = verify_jws(**parts, *by.keys, by.rules.algorithms); !ok) {
    const bool is_about_keys =
        ok.error() == reason::unknown_kid || ok.error() == reason::bad_signature;
    if (is_about_keys) want_keys(index, *claims);
    return ok.error();
  }
  const auto checked = check_claims(*claims, by.rules, now);
  if (!checked) return checked.error();
  const std::string_view kid = (*parts)->header.kid.value_or(std::string_view{});
  cache.insert(token, index, by.generation, *checked, kid);
  return accept(index, {.identity = checked->identity,
                        .scopes = checked->scopes,
                        .expires = checked->expires,
                        .jti = checked->jti,
                        .kid = kid,
                        .bound = checked->bound,
                        .until = checked->valid_until,
                        .why = checked->why});
}

// Not for a token that no key would make good: those that clients go on sending after its end cost
// the issuer nothing.
void authenticator::work::want_keys(std::uint32_t index, const json_object& claims) {
  const issuer& by = snap->issuers[index];
  if (by.remote && check_claims(claims, by.rules, now)) wants_keys_of = index;
}

reason authenticator::work::check_token(std::uint32_t index) {
  const reason why = check_signed(index);
  if (why != reason::none || !snap->issuers[index].ours || snap->keys == nullptr) return why;
  return token_line && snap->keys->has_line(*token_line, now) ? why : reason::key_removed;
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

// One that names nobody proves nothing that could be written down.
reason authenticator::work::check_certificate() const noexcept {
  if (certificate == nullptr) return reason::missing;
  return certificate->who.empty() ? reason::certificate_name : reason::none;
}

reason authenticator::work::check(const config::credential& one) {
  if (one.how == kind::api_keys) return keys.any() ? reason::none : reason::missing;
  if (one.how == kind::mtls) return check_certificate();
  return has_token ? check_token(one.issuer) : reason::missing;
}

// Everything presented must be good.
reason authenticator::work::take(const presented& credentials,
                                 std::span<const config::credential> any,
                                 std::span<const config::credential> all) {
  // It was good when the connection began, which may be long ago.
  if (certificate != nullptr && now >= certificate->until) return reason::expired;
  if (certificate != nullptr && revoked != nullptr &&
      revoked->has_identity(certificate->who.view(), now)) {
    token_identity = certificate->who;
    return reason::revoked;
  }
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
    out.who.assign_checked(keys.name());
    return;
  }
  if (one.how == kind::mtls) {
    out.kind = credential_kind::mtls;
    out.who = certificate->who;
    return;
  }
  // auth_all may have held the token against another table of the same issuer since.
  if (check_token(one.issuer) != reason::none) return;
  out.kind = credential_kind::jwt;
  out.issuer = one.issuer;
  out.who = token_identity;
  out.expires = token_expires;
  out.scopes = scopes;
  out.token_id = token_id;
}

authenticator::authenticator(token_cache_limits limits) : work_(std::make_unique<work>(limits)) {}
authenticator::authenticator(authenticator&&) noexcept = default;
authenticator& authenticator::operator=(authenticator&&) noexcept = default;
authenticator::~authenticator() = default;

void authenticator::revoke(std::shared_ptr<const revocation_list> list) noexcept {
  work_->revoked = std::move(list);
}

bool authenticator::is_revoked(const presented& credentials, const verdict& then,
                               const snapshot& state, wall_time now) {
  work& own = *work_;
  if (own.revoked == nullptr || then.kind == credential_kind::none) return false;
  own.begin(state, now, {}, nullptr);
  const auto is_out = [&](std::string_view who) { return own.revoked->has_identity(who, now); };
  if (is_out(then.who.view()) || (!then.key_name.empty() && is_out(then.key_name))) return true;
  if (credentials.certificate != nullptr && is_out(credentials.certificate->who.view()))
    return true;
  const authorization line = read_authorization(credentials, state);
  if (line.what != authorization::form::token) return false;
  own.parts = own.reader.read(line.value);
  if (!*own.parts) return false;
  const json_object* claims = own.reader.claims();
  if (claims == nullptr) return false;
  const auto text = [claims](std::string_view name) {
    return claims->find_string(name).value_or(std::string_view{});
  };
  const std::string_view kid = (*own.parts)->header.kid.value_or(std::string_view{});
  if (own.revoked->has_token(text("iss"), text("jti"), kid, now)) return true;
  return std::ranges::any_of(state.issuers, [&](const issuer& one) {
    return one.rules.issuer == text("iss") && is_out(text(one.rules.identity));
  });
}

std::uint64_t authenticator::cache_hits() const noexcept { return work_->hits; }
std::uint64_t authenticator::cache_misses() const noexcept { return work_->misses; }

void authenticator::share_secret(const digest_secret& secret) noexcept {
  work_->keys.secret = secret;
}
key_digest authenticator::digest(std::string_view key) const noexcept {
  return digest_of(key, work_->keys.secret);
}
void authenticator::learn(const slow_answer& what, mono_time now, nanoseconds right_for) noexcept {
  work_->keys.cache.insert(what, now, right_for);
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
  own.certificate = credentials.certificate;
  out.why = own.take(credentials, any, all);
  if (out.why == reason::unverified) {
    out.slow_key = own.keys.slow_key();
    out.slow_key_known = own.keys.slow_key_known();
  }
  if (out.why == reason::insufficient_scope || out.why == reason::revoked) {
    out.who = own.token_identity;
  }
  if (!out.allowed()) {
    out.wants_keys_of = own.wants_keys_of;
    return out;
  }

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
    const bool presented_some =
        own.keys.any() || own.has_token || own.check_certificate() == reason::none;
    out.why = why == reason::missing && presented_some ? reason::not_accepted : why;
    return out;
  }
  for (const config::credential& one : all) {
    out.why = own.check(one);
    if (!out.allowed()) return out;
  }
  own.fill(out, *winner);
  if (own.keys.any()) {
    out.key_name = own.keys.name();
    out.key_line = own.keys.tag();
  }
  if (own.has_token) {
    out.expires = own.token_expires;
    out.why = own.spend();
  }
  return out;
}

}  // namespace rw::auth
