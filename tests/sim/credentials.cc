#include "credentials.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "auth/base64url.h"
#include "auth/key_file.h"
#include "auth/private_key.h"
#include "auth/signer.h"

namespace rw::sim {
namespace {

constexpr seconds minted_for{5};  // [auth.mint].ttl

// The wall clock when every run begins.
constexpr wall_time began = wall_start + std::chrono::hours{1};

std::int64_t in_seconds(wall_time at) {
  return std::chrono::floor<seconds>(at.time_since_epoch()).count();
}

// A JWT of the issuer "sim", by the gateway's own signer.
std::string sign(const auth::private_key& with, auth::signer& hand, std::string_view kid,
                 std::string_view audience, const token& of) {
  std::string text;
  auth::append_base64url(text,
                         fmt::format(R"({{"alg":"{}","kid":"{}"}})", auth::name(with.alg()), kid));
  text += '.';
  auth::append_base64url(
      text,
      fmt::format(R"({{"iss":"https://sim","aud":"{}","sub":"{}","iat":{},"nbf":{},"exp":{}}})",
                  audience, of.subject, in_seconds(began) - 10, in_seconds(of.valid_from),
                  in_seconds(of.expires)));
  const auto signature = hand.sign(with, text);
  if (!signature) std::abort();
  text += '.';
  auth::append_base64url(text, *signature);
  return text;
}

void add_tokens(key_ring& to, const auth::private_key& with) {
  auto hand = auth::signer::make();
  if (!hand) std::abort();
  const wall_time late = began + std::chrono::hours{20};
  const wall_time early = began - seconds{10};
  const auto add = [&](token one, std::string_view kid, std::string_view audience) {
    one.text = sign(with, *hand, kid, audience, one);
    if (one.flaw == "bad_signature") {
      char& c = one.text[one.text.rfind('.') + 1];
      c = c == 'A' ? 'B' : 'A';
    }
    to.tokens.push_back(std::move(one));
  };
  add({"", false, "ann", early, late, ""}, with.kid(), "sim");  // as a key is called, too
  add({"", false, "zoe", early, late, ""}, with.kid(), "sim");
  add({"", false, "zoe", early, began + seconds{3}, ""}, with.kid(), "sim");
  add({"", false, "kim", began + seconds{2}, late, ""}, with.kid(), "sim");
  add({"", false, "zoe", early, began - seconds{1}, ""}, with.kid(), "sim");
  add({"", false, "zoe", early, late, "wrong_audience"}, with.kid(), "others");
  add({"", false, "zoe", early, late, "bad_signature"}, with.kid(), "sim");
  add({"", false, "zoe", early, late, "unknown_kid"}, "nobody", "sim");
}

key_ring make_ring() {
  key_ring made;
  for (const char* name : {"ann", "bob", "gil"}) {
    const auto key = auth::generate_key(name);
    if (!key) std::abort();
    made.fewer_keys = made.keys;
    made.keys += key->line + '\n';
    made.known.emplace_back(name, key->key);
  }
  const auto issuer = auth::generate_private_jwk(auth::algorithm::eddsa);
  const auto mint = auth::generate_private_jwk(auth::algorithm::es256);
  if (!issuer || !mint) std::abort();
  made.mint_key = *mint;
  config::diagnostics wrong;
  const auto key = auth::load_private_key(*issuer, "issuer", wrong);
  if (!key) std::abort();
  made.issuer_keys = key->public_set();
  add_tokens(made, *key);
  return made;
}

// Why a token is refused by its own issuer's rules; "" when it is good.
std::string_view flaw_of(const token& t, wall_time when) {
  if (t.flaw == "bad_signature" || t.flaw == "unknown_kid") return t.flaw;
  if (when >= t.expires) return "expired";
  if (when < t.valid_from) return "not_yet_valid";
  return t.flaw;
}

void show_key(claim& to, std::string_view key, bool as_bearer) {
  to.key = true;
  to.secrets.emplace_back(key);
  to.fields += as_bearer ? "Authorization: Bearer " : "x-api-key: ";
  to.fields.append(key).append("\r\n");
}

void show_known_key(world& in, claim& to, bool as_bearer) {
  const auto& known = ring_of_keys().known;
  const auto& [name, key] = known[in.chance(0.1) ? known.size() - 1 : in.random(2)];
  to.holder = name;
  to.withdrawn = &key == &known.back().second;
  show_key(to, key, as_bearer);
}

void show_token(world& in, claim& to, const token& one) {
  to.bearer = one;
  to.secrets.push_back(one.text);
  to.fields += in.chance(0.2) ? "authorization: bearer " : "Authorization: Bearer ";
  to.fields += one.text + "\r\n";
}

void show_good_token(world& in, claim& to, bool may_be_own, const std::vector<token>& minted) {
  if (may_be_own && !minted.empty() && in.chance(0.6)) {
    // The last ones mostly: others have had their time.
    const std::size_t back = in.skewed(1, minted.size());
    return show_token(in, to, minted[minted.size() - back]);
  }
  show_token(in, to, ring_of_keys().tokens[in.random(4)]);
}

// A key or a token that is no good, or two that do not go together.
void show_bad(world& in, claim& to, const std::vector<token>& minted) {
  const auto& tokens = ring_of_keys().tokens;
  std::string unknown = ring_of_keys().known[0].second;
  unknown.back() = unknown.back() == 'x' ? 'y' : 'x';
  switch (in.random(7)) {
    case 0:
      return show_key(to, unknown, in.chance(0.5));
    case 1:
      show_known_key(in, to, false);
      to.fields += to.fields;
      to.doubled = true;
      return;
    case 2:
      show_token(in, to, tokens[0]);
      to.fields += "Authorization: Basic Og==\r\n";
      to.doubled = true;
      return;
    case 3:
      to.scheme = true;
      to.fields += "Authorization: Basic Og==\r\n";
      return;
    case 4:  // a good one beside it does not help
      show_known_key(in, to, false);
      return show_token(in, to, tokens[4 + in.random(4)]);
    case 5:  // of somebody else's issuer, perhaps
      return show_good_token(in, to, true, minted);
    default:
      return show_token(in, to, tokens[4 + in.random(4)]);
  }
}

}  // namespace

const key_ring& ring_of_keys() {
  static const key_ring made = make_ring();
  return made;
}

ruling due(const claim& shown, door at, wall_time when) {
  if (shown.doubled) return {400, "ambiguous", {}, {}};
  if (at == door::open) return {};
  if (shown.key && shown.holder.empty()) return {401, "unknown_key", {}, {}};
  if (shown.scheme) return {401, "unsupported_scheme", {}, {}};
  const bool key_opens = at != door::tokens;
  ruling made;
  if (shown.key && key_opens) {
    made.who = shown.holder;
  } else if (shown.bearer && (at == door::tokens || at == door::either)) {
    made.who = shown.bearer->subject;
    made.realm = shown.bearer->own ? "" : "sim";
  }
  const auto refuse = [&](std::string_view why) {
    made.status = 401;
    made.reason = why;
    return made;
  };
  if (shown.bearer) {
    if (at == door::tokens && shown.bearer->own) return refuse("wrong_issuer");
    const std::string_view flaw = flaw_of(*shown.bearer, when);
    if (!flaw.empty()) return refuse(flaw);
  }
  if (!made.who.empty()) return made;
  return refuse(shown.key || shown.bearer ? "not_accepted" : "missing");
}

claim make_claim(world& in, door at, const std::vector<token>& minted) {
  claim made;
  // Where nobody asks, some show theirs all the same, and some do it badly.
  if (at == door::open && in.chance(0.8)) return made;
  const auto how = in.random(20);
  if (how < 2) return made;
  if (how < 6) {
    show_bad(in, made, minted);
  } else if (at == door::tokens || (at == door::either && how < 14)) {
    show_good_token(in, made, at == door::either, minted);
    if (at == door::either && how < 8) show_known_key(in, made, false);
  } else {
    show_known_key(in, made, how < 9);
    if (how == 19) show_good_token(in, made, true, minted);
  }
  return made;
}

std::optional<token> read_minted(std::string_view body) {
  constexpr std::string_view start = R"({"token":")";
  if (!body.starts_with(start)) return std::nullopt;
  body.remove_prefix(start.size());
  token made;
  made.own = true;
  made.text = body.substr(0, body.find('"'));
  body.remove_prefix(made.text.size());
  if (!body.starts_with(R"(","token_type":"Bearer","expires_in":5,)")) return std::nullopt;
  const std::string_view text = made.text;
  const std::size_t first = text.find('.');
  const std::size_t second = text.rfind('.');
  if (first == second) return std::nullopt;
  const auto claims = auth::decode_base64url(text.substr(first + 1, second - first - 1));
  if (!claims || !claims->starts_with(R"({"iss":"https://own","aud":"own",)")) return std::nullopt;
  const auto member = [&](std::string_view name) {
    const std::size_t at = claims->find(fmt::format("\"{}\":", name));
    if (at == std::string::npos) return std::string_view{};
    std::string_view rest = std::string_view(*claims).substr(at + name.size() + 3);
    if (rest.starts_with('"')) rest.remove_prefix(1);
    return rest.substr(0, rest.find_first_of("\",}"));
  };
  std::int64_t issued = 0;
  const std::string_view iat = member("iat");
  std::from_chars(iat.data(), iat.data() + iat.size(), issued);
  made.subject = member("sub");
  made.valid_from = wall_time{seconds{issued}};
  made.expires = made.valid_from + minted_for;
  const bool right = member("nbf") == iat && !member("jti").empty() &&
                     member("exp") == std::to_string(issued + minted_for.count());
  return right ? std::optional(made) : std::nullopt;
}

}  // namespace rw::sim
