#include "auth/claims.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "auth/identity.h"
#include "auth/json.h"
#include "base/text.h"
#include "config/values.h"

namespace rw::auth {

namespace {

using simdjson::dom::element;
using std::chrono::microseconds;
using refused = std::unexpected<reason>;

constexpr std::int64_t year_10000_s = 253'402'300'800;

// RFC 7519 2. Integers and decimals, nothing else; the range keeps every sum below in range.
std::optional<numeric_date> to_date(element value) {
  std::int64_t whole = 0;
  if (value.get_int64().get(whole) == simdjson::SUCCESS) {
    if (whole < 0 || whole >= year_10000_s) return {};
    return numeric_date(std::chrono::seconds(whole));
  }
  double number = 0;
  if (!value.is_double() || value.get_double().get(number) != simdjson::SUCCESS) return {};
  if (!(number >= 0 && number < static_cast<double>(year_10000_s))) return {};
  return numeric_date(microseconds(std::llround(number * 1e6)));
}

struct dates {
  std::optional<numeric_date> exp;
  std::optional<numeric_date> nbf;
  std::optional<numeric_date> iat;
};

std::expected<dates, reason> read_dates(const json_object& claims) {
  dates out;
  const auto read = [&](std::string_view name, std::optional<numeric_date>& to) {
    const auto value = claims.find(name);
    if (!value) return true;
    to = to_date(*value);
    return to.has_value();
  };
  if (!read("exp", out.exp) || !read("nbf", out.nbf) || !read("iat", out.iat)) {
    return refused(reason::bad_claim);
  }
  return out;
}

reason check_audience(const json_object& claims, const token_rules& rules) {
  const auto ours = [&](std::string_view text) {
    for (const std::string& one : rules.audiences) {
      if (one == text) return true;
    }
    return false;
  };
  const auto aud = claims.find("aud");
  if (!aud) return reason::wrong_audience;
  std::string_view text;
  if (aud->get_string().get(text) == simdjson::SUCCESS) {
    return ours(text) ? reason::none : reason::wrong_audience;
  }
  simdjson::dom::array list;
  if (aud->get_array().get(list) != simdjson::SUCCESS) return reason::bad_claim;
  bool found = false;
  for (const element one : list) {
    if (one.get_string().get(text) != simdjson::SUCCESS) return reason::bad_claim;
    found = found || ours(text);
  }
  return found ? reason::none : reason::wrong_audience;
}

// The window in which the token passes; `now` only matters for max_age without iat.
reason check_dates(const dates& when, const token_rules& rules, numeric_date now,
                   checked_claims& out) {
  const microseconds leeway = rules.leeway;
  if (when.exp) {
    out.expires = *when.exp;
    out.valid_until = *when.exp + leeway;
  }
  if (when.nbf) out.valid_from = *when.nbf - leeway;
  if (when.iat) out.valid_from = std::max(out.valid_from, *when.iat - leeway);
  if (now >= out.valid_until) return reason::expired;
  if (now < out.valid_from) return reason::not_yet_valid;
  if (rules.max_age <= microseconds::zero()) return reason::none;
  if (when.exp && when.iat) {
    return *when.exp - *when.iat > rules.max_age ? reason::too_old : reason::none;
  }
  if (when.exp) return *when.exp - now > rules.max_age + leeway ? reason::too_old : reason::none;
  if (!when.iat) return reason::too_old;
  out.valid_until = *when.iat + rules.max_age + leeway;
  return now >= out.valid_until ? reason::too_old : reason::none;
}

// `scope` of RFC 8693 4.2 and `scp` as several issuers write it, both if both are there.
reason read_scopes(const json_object& claims, std::string& out) {
  const auto add = [&](std::string_view text) {
    if (text.empty()) return;
    if (!out.empty()) out += ' ';
    out += text;
  };
  std::string_view text;
  if (const auto scope = claims.find("scope")) {
    if (scope->get_string().get(text) != simdjson::SUCCESS) return reason::bad_claim;
    add(text);
  }
  const auto scp = claims.find("scp");
  if (!scp) return reason::none;
  if (scp->get_string().get(text) == simdjson::SUCCESS) {
    add(text);
    return reason::none;
  }
  simdjson::dom::array list;
  if (scp->get_array().get(list) != simdjson::SUCCESS) return reason::bad_claim;
  for (const element one : list) {
    // A space inside would be two scopes once they are joined.
    if (one.get_string().get(text) != simdjson::SUCCESS || text.contains(' ')) {
      return reason::bad_claim;
    }
    add(text);
  }
  return reason::none;
}

// RFC 7519 4.1.7. One that may be used once has to have one.
reason read_id(const json_object& claims, const token_rules& rules, std::string_view& out) {
  const auto jti = claims.find("jti");
  if (!jti) return rules.once ? reason::missing_claim : reason::none;
  if (jti->get_string().get(out) != simdjson::SUCCESS || out.size() > jti_bytes_max) {
    return reason::bad_claim;
  }
  return rules.once && out.empty() ? reason::bad_claim : reason::none;
}

// RFC 8705 3.1, RFC 7800 3.1. Whatever else a token may be bound to (a DPoP key, say) cannot be
// checked here: it is refused, not taken for one that anybody may use.
reason read_binding(const json_object& claims, std::string_view& out) {
  const auto cnf = claims.find("cnf");
  if (!cnf) return reason::none;
  simdjson::dom::object members;
  if (cnf->get_object().get(members) != simdjson::SUCCESS) return reason::bad_claim;
  for (const auto member : members) {
    if (member.key != "x5t#S256") return reason::certificate;
    if (member.value.get_string().get(out) != simdjson::SUCCESS || out.size() != thumbprint_chars) {
      return reason::bad_claim;
    }
  }
  return out.empty() ? reason::bad_claim : reason::none;
}

// A caller's own rate is the issuer's to say, so one that cannot be read is not passed over.
reason read_rate(const json_object& claims, const token_rules& rules, std::string_view& out) {
  if (rules.rate_claim.empty()) return reason::none;
  const auto rate = claims.find(rules.rate_claim);
  if (!rate) return reason::none;
  const bool good = rate->get_string().get(out) == simdjson::SUCCESS &&
                    out.size() <= rate_text_bytes_max && config::parse_rate(out);
  return good ? reason::none : reason::bad_claim;
}

bool has_scope(std::string_view scopes, std::string_view wanted) {
  while (!scopes.empty()) {
    const std::size_t end = scopes.find(' ');
    if (scopes.substr(0, end) == wanted) return true;
    if (end == std::string_view::npos) return false;
    scopes.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

token_rules::token_rules(const config::jwt_issuer& from)
    : name(from.name),
      issuer(from.issuer),
      audiences(from.audiences),
      algorithms{from.algorithms},
      leeway(std::chrono::duration_cast<microseconds>(from.leeway)),
      max_age(std::chrono::duration_cast<microseconds>(from.max_age)),
      require(from.require),
      identity(from.identity),
      rate_claim(from.rate_claim),
      scopes(from.scopes),
      once(from.replay_by_jti),
      max_token_bytes(from.max_token_bytes) {}

std::expected<std::string_view, reason> issuer_of(const json_object& claims) {
  const auto iss = claims.find("iss");
  if (!iss) return refused(reason::wrong_issuer);
  std::string_view text;
  if (iss->get_string().get(text) != simdjson::SUCCESS) return refused(reason::bad_claim);
  return text;
}

std::expected<checked_claims, reason> check_claims(const json_object& claims,
                                                   const token_rules& rules, wall_time now) {
  const auto issuer = issuer_of(claims);
  if (!issuer) return refused(issuer.error());
  if (*issuer != rules.issuer) return refused(reason::wrong_issuer);
  for (const std::string& name : rules.require) {
    if (!claims.contains(name)) return refused(reason::missing_claim);
  }
  checked_claims out;
  const auto when = read_dates(claims);
  if (!when) return refused(when.error());
  const numeric_date at = std::chrono::floor<microseconds>(now);
  if (const reason why = check_dates(*when, rules, at, out); why != reason::none) {
    return refused(why);
  }
  if (const reason why = check_audience(claims, rules); why != reason::none) return refused(why);

  const auto who = claims.find(rules.identity);
  if (!who) return refused(reason::missing_claim);
  if (who->get_string().get(out.identity) != simdjson::SUCCESS ||
      out.identity.size() > identity_bytes_max || !is_visible_ascii(out.identity)) {
    return refused(reason::bad_claim);
  }

  if (const reason why = read_id(claims, rules, out.jti); why != reason::none) return refused(why);
  if (const reason why = read_binding(claims, out.bound); why != reason::none) return refused(why);
  if (const reason why = read_rate(claims, rules, out.rate); why != reason::none) {
    return refused(why);
  }
  if (const reason why = read_scopes(claims, out.scopes); why != reason::none) return refused(why);
  for (const std::string& wanted : rules.scopes) {
    if (!has_scope(out.scopes, wanted)) out.why = reason::insufficient_scope;
  }
  return out;
}

}  // namespace rw::auth
