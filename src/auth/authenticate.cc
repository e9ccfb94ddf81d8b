#include "auth/authenticate.h"

#include <algorithm>
#include <optional>

#include "auth/json.h"
#include "auth/jws.h"
#include "base/text.h"

namespace rw::auth {

namespace {

using kind = config::credential::kind;

// What an Authorization line turned out to hold.
struct authorization {
  enum class form : std::uint8_t { absent, key, token, refused };
  form what = form::absent;
  reason why = reason::none;  // for refused
  std::string_view value;
};

authorization refused(reason why) {
  return {.what = authorization::form::refused, .why = why, .value = {}};
}

bool looks_like_token(std::string_view text) noexcept {
  const std::size_t first = text.find('.');
  return first != std::string_view::npos && text.find('.', first + 1) != std::string_view::npos;
}

// RFC 6750 2.1, and the bare key that many API clients send. Reads nothing at all where neither
// keys nor tokens are taken from this header.
authorization read_authorization(const presented& credentials, const snapshot& state) noexcept {
  using form = authorization::form;
  const bool reads_keys = state.keys != nullptr && state.keys_in_authorization;
  const bool reads_tokens = !state.issuers.empty();
  if (credentials.authorization_lines == 0 || (!reads_keys && !reads_tokens)) return {};
  std::string_view value = credentials.authorization;
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos) {
    if (!reads_keys || iequals(value, "bearer")) return refused(reason::malformed);
    return {.what = form::key, .value = value};
  }
  if (!iequals(value.substr(0, space), "bearer")) return refused(reason::unsupported_scheme);
  value.remove_prefix(space);
  while (value.starts_with(' ')) value.remove_prefix(1);
  if (reads_tokens && looks_like_token(value)) return {.what = form::token, .value = value};
  if (!reads_keys) return refused(reason::malformed);
  return {.what = form::key, .value = value};
}

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

  void begin(const snapshot& state, wall_time at) {
    snap = &state;
    now = at;
    now_us = std::chrono::floor<std::chrono::microseconds>(at);
    key_name.reset();
    token = {};
    has_key = has_token = false;
    parts.reset();
    issuer_claim.reset();
    good_issuer.reset();
    wants_keys_of = verdict::no_issuer;
  }

  reason take_key(std::string_view key);
  reason check_token(std::uint32_t index);
  reason verify_token(std::uint32_t index);
  void want_keys(std::uint32_t index, const json_object& claims);
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

  bool has_token = false;
  std::string_view token;
  std::optional<std::expected<jws_parts, reason>> parts;  // read once per request
  std::optional<std::expected<std::string_view, reason>> issuer_claim;
  // The last issuer whose rules the token passed, and what it says by them.
  std::optional<std::uint32_t> good_issuer;
  std::uint32_t wants_keys_of = verdict::no_issuer;
  identity token_identity;
  numeric_date token_expires;
  std::string scopes;
};

// Both headers may hold a key; then it must be one caller's.
reason authenticator::work::take_key(std::string_view key) {
  const auto name = snap->keys->verify(key);
  if (!name) {
    const bool could_be = is_visible_ascii(key) && key.size() <= api_key_bytes_max;
    return could_be ? reason::unknown_key : reason::malformed;
  }
  if (has_key && *key_name != *name) return reason::ambiguous;
  has_key = true;
  key_name = name;
  return reason::none;
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
  cache.insert(token, index, snap->generation, *checked);
  return accept(index, checked->identity, checked->scopes, checked->expires, checked->why);
}

// Not for a token that no key would make good: those that clients go on sending after its end cost
// the issuer nothing.
void authenticator::work::want_keys(std::uint32_t index, const json_object& claims) {
  const issuer& by = snap->issuers[index];
  if (by.remote && check_claims(claims, by.rules, now)) wants_keys_of = index;
}

reason authenticator::work::check_token(std::uint32_t index) {
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
      if (find_cached(one.issuer) == reason::none) return reason::none;
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
  for (const config::jwt_issuer& one : configuration.jwt) {
    out.issuers.push_back({.rules = token_rules(one), .keys = nullptr});
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

verdict authenticator::authenticate(const presented& credentials,
                                    std::span<const config::credential> any,
                                    std::span<const config::credential> all, const snapshot& state,
                                    wall_time now) {
  verdict out;
  if (credentials.api_key_lines > 1 || credentials.authorization_lines > 1) {
    out.why = reason::ambiguous;
    return out;
  }
  if (any.empty() && all.empty()) return out;

  work& own = *work_;
  own.begin(state, now);
  out.why = own.take(credentials, any, all);
  if (out.why == reason::insufficient_scope) out.who = own.token_identity;
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
