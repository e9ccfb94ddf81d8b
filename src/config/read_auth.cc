// [auth.api_keys], [auth.jwt.NAME], [auth.mint]: who clients are.
#include <algorithm>
#include <array>

#include "config/names.h"
#include "config/nearest.h"
#include "config/sections.h"
#include "config/url.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;

// In the order of jws_algorithm.
constexpr std::array<std::string_view, 10> algorithm_names{
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"};

void read_key_headers(table_reader& in, std::vector<std::string>& out) {
  constexpr std::array<std::string_view, 2> known{"x-api-key", "authorization"};
  std::vector<std::string> written;
  const node* at = in.texts("headers", written, need::optional);
  if (at == nullptr) return;
  if (written.empty()) in.error(*at, "headers", "must not be empty");
  for (std::size_t i = 0; i < written.size(); ++i) {
    written[i] = lower_case(written[i]);
    if (std::ranges::find(known, written[i]) == known.end()) {
      in.refuse_word(std::get<list>(at->value)[i], "headers", written[i], known);
    }
  }
  out = std::move(written);
}

void read_api_keys(table_reader& in, api_keys& out) {
  const node* at = in.text("file", out.file);
  out.file_at = at == nullptr ? in.at() : at->at;
  if (out.file.empty()) in.error("file", "must not be empty");
  if (at == nullptr && in.wrote("file")) out.file.clear();  // nobody means the default by that
  read_key_headers(in, out.headers);
  in.duration("cache", out.cache, {1s, 24h});
}

void read_algorithms(table_reader& in, std::uint16_t& out) {
  std::vector<std::string> written;
  const node* at = in.texts("algorithms", written);
  if (at == nullptr) return;
  if (written.empty()) in.error(*at, "algorithms", "must not be empty");
  unsigned bits = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const auto same = std::ranges::find(algorithm_names, written[i]);
    if (same == algorithm_names.end()) {
      in.refuse_word(std::get<list>(at->value)[i], "algorithms", written[i], algorithm_names);
    } else {
      bits |= 1U << static_cast<unsigned>(same - algorithm_names.begin());
    }
  }
  out = static_cast<std::uint16_t>(bits);
}

void read_pins(table_reader& in, std::vector<std::string>& out) {
  const node* at = in.texts("pin", out);
  for (std::size_t i = 0; at != nullptr && i < out.size(); ++i) {
    if (is_key_pin(out[i])) continue;
    in.error(std::get<list>(at->value)[i], "pin",
             "must be \"sha256/\" and the SHA-256 of a public key in Base64");
  }
}

// What may be said of keys that are fetched, and of no others.
void read_remote_keys(table_reader& in, remote_keys& out) {
  out.at = out.ca_at = in.at();
  if (const node* at = in.text("url", out.url)) {
    out.at = at->at;
    const auto parsed = parse_https_url(out.url);
    if (!parsed) in.error(*at, "url", parsed.error().text);
  }
  if (const node* at = in.flag("discover", out.discover)) {
    if (out.url.empty()) out.at = at->at;
  }
  in.duration("refresh", out.refresh, {30s, 24h});
  in.duration("max_stale", out.max_stale, {30s, 24h * 30});
  if (out.max_stale < out.refresh) in.error("max_stale", "must not be less than refresh");
  read_pins(in, out.pin);
  if (const node* at = in.text("ca", out.ca)) {
    out.ca_at = at->at;
    if (out.ca.empty()) in.error(*at, "ca", "must be \"system\" or the path of a PEM file");
  }
}

void read_jwks(table_reader& in, jwt_issuer& out) {
  const node* at = in.text("file", out.jwks_file);
  out.jwks_at = at == nullptr ? in.at() : at->at;
  in.flag("mint", out.jwks_mint);
  read_remote_keys(in, out.jwks_remote);
  const int ways = (out.jwks_file.empty() ? 0 : 1) + (out.jwks_mint ? 1 : 0) +
                   (in.wrote("url") ? 1 : 0) + (out.jwks_remote.discover ? 1 : 0);
  if (ways != 1) {
    in.error(in.at(), {},
             "must be one of { file = \"/path\" }, { url = \"https://...\" }, { discover = true } "
             "and { mint = true }");
  } else if (!in.wrote("url") && !out.jwks_remote.discover) {
    for (const std::string_view key : {"refresh", "max_stale", "pin", "ca"}) {
      if (in.wrote(key)) in.error(key, "is for keys that are fetched, by url or discover");
    }
  }
}

// OpenID Connect Discovery 1.0, 4: the document is below the issuer.
void check_discovery(table_reader& in, const jwt_issuer& issuer) {
  if (!issuer.jwks_remote.discover || issuer.issuer.empty()) return;
  const auto parsed = parse_https_url(issuer.issuer);
  const char* why = parsed ? "must have no query, for jwks.discover" : parsed.error().text;
  if (!parsed || parsed->target.contains('?')) in.error("issuer", why);
}

void read_issuer(table_reader& in, jwt_issuer& out) {
  in.text("issuer", out.issuer, need::required);
  in.texts("audiences", out.audiences, need::required);
  if (!in.table("jwks", [&](table_reader& jwks) { read_jwks(jwks, out); })) {
    if (!in.wrote("jwks")) {
      in.missing("jwks",
                 "{ file = \"/path\" }, { url = \"https://...\" }, { discover = true } or { mint = "
                 "true }");
    }
  }
  check_discovery(in, out);
  read_algorithms(in, out.algorithms);
  in.duration("leeway", out.leeway, {0s, 1h});
  in.texts("require", out.require);
  in.duration("max_age", out.max_age, {1s, 24h * 3650});
  in.text("identity", out.identity);
  if (out.identity.empty()) in.error("identity", "must not be empty");
  in.texts("scopes", out.scopes);
  in.size<std::uint32_t>("max_token_bytes", out.max_token_bytes, {256, 64U << 10U});
  in.text("rate_claim", out.rate_claim);
  in.choice("replay", out.replay_by_jti, {{"off", false}, {"jti", true}});
}

void read_mint(table_reader& in, mint& out) {
  out.present = true;
  in.secret("key", out.key, need::required);
  in.text("issuer", out.issuer, need::required);
  in.text("audience", out.audience, need::required);
  in.duration("ttl", out.ttl, {1s, 24h * 366});
}

// Tokens of our own that our own issuer would refuse.
void check_own_issuer(table_reader& in, place at, const jwt_issuer& issuer, const mint& own) {
  if (!issuer.jwks_mint) return;
  if (!own.present) {
    in.error(at, issuer.name, "jwks is { mint = true }, but there is no [auth.mint]");
    return;
  }
  if (issuer.issuer != own.issuer) {
    in.warning(at, issuer.name, "issuer is not that of [auth.mint]: its tokens do not pass");
  }
  if (std::ranges::find(issuer.audiences, own.audience) == issuer.audiences.end()) {
    in.warning(at, issuer.name,
               "audiences lacks the audience of [auth.mint]: its tokens do not pass");
  }
  if (own.ttl > issuer.max_age) {
    in.warning(at, issuer.name,
               "max_age is less than the ttl of [auth.mint]: its tokens do not pass");
  }
}

}  // namespace

void read_auth(table_reader& in, configuration& out, catalog& names) {
  out.has_api_keys =
      in.table("api_keys", [&](table_reader& keys) { read_api_keys(keys, out.api_keys); });
  in.table("mint", [&](table_reader& table) { read_mint(table, out.mint); });
  in.table("jwt", [&](table_reader& jwt) {
    jwt.each([&](const member& one) {
      if (const std::string_view why = refuse_name(one.name); !why.empty()) {
        jwt.error(one.at, one.name, "the name " + std::string(why));
      }
      jwt_issuer& issuer = out.jwt.emplace_back();
      issuer.name = one.name;
      names.issuers.add(issuer.name, one.at);
      jwt.table_of(one, [&](table_reader& table) { read_issuer(table, issuer); });
      check_own_issuer(jwt, one.at, issuer, out.mint);
    });
  });
}

}  // namespace rw::config
