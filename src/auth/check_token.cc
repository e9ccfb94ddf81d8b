#include <chrono>

#include "auth/authenticator_work.h"
#include "config/values.h"

namespace rw::auth {

namespace {

using kind = config::credential::kind;

}  // namespace

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
  token_rate = config::parse_rate(says.rate).value_or(config::rate{});
  token_expires = says.expires;
  token_until = says.until;
  token_id.assign(says.jti);
  if (says.jti.empty() && !says.kid.empty()) token_id.append("kid:").append(says.kid);
  if (snap->issuers[index].ours) token_line = tag_in(says.jti);
  if (says.why == reason::none) good_issuer = index;
  return says.why;
}

// Last of all: a request that is refused for something else uses nothing up.
reason authenticator::work::spend(const presented& credentials, verdict& out) {
  if (!good_issuer) return reason::none;
  const token_rules& rules = snap->issuers[*good_issuer].rules;
  if (!rules.once) return reason::none;
  if (credentials.cannot_spend) return reason::replay_unknown;
  switch (snap->used->take(rules.issuer, token_id, token_until, now_us)) {
    case replay_table::outcome::first:
      out.token_id = token_id;
      out.spent_until = token_until;
      out.spent_issuer = *good_issuer;
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
                        .rate = checked->rate,
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

}  // namespace rw::auth
