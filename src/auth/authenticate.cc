#include "auth/authenticate.h"

#include <algorithm>
#include <optional>

#include "auth/authenticator_work.h"
#include "auth/authorization.h"

namespace rw::auth {

namespace {

using kind = config::credential::kind;

}  // namespace

reason authenticator::work::take_key(std::string_view key) {
  const reason why = keys.take(key);
  if (why != reason::none || revoked == nullptr) return why;
  if (!revoked->has_identity(keys.name(), now)) return why;
  token_identity.assign_checked(keys.name());
  return reason::revoked;
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
    out.rate = snap->keys->rate_of(keys.name());
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
  out.rate = token_rate;
  // One of our own stands for the key it was made for.
  if (snap->issuers[one.issuer].ours && snap->keys != nullptr && out.rate.count == 0) {
    out.rate = snap->keys->rate_of(token_identity.view());
  }
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
    out.why = own.spend(credentials, out);
  }
  return out;
}

}  // namespace rw::auth
