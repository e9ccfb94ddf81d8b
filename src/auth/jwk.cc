#include "auth/jwk.h"

#include <fmt/format.h>
#include <sodium.h>
#include <wolfssl/wolfcrypt/settings.h>
// settings.h comes first, always.
#include <wolfssl/wolfcrypt/ecc.h>

#include <bit>

#include "auth/base64url.h"
#include "auth/digest.h"
#include "auth/json.h"
#include "auth/wolf_key.h"
#include "base/text.h"

namespace rw::auth {

namespace {

using refused = std::unexpected<jwk_refusal>;

constexpr std::size_t kid_bytes_max = 256;

refused refuse(const char* text) { return refused(jwk_refusal{text}); }

// Key management algorithms of RFC 7518 4.1 and their successors: a key that carries one is no
// signing key, and that is nobody's mistake.
bool is_encryption_algorithm(std::string_view name) {
  return name.starts_with("RSA-OAEP") || name.starts_with("RSA1_5") ||
         name.starts_with("ECDH-ES") || name.starts_with("HPKE") || name == "dir";
}

unsigned bit_length(std::string_view number) {
  if (number.empty()) return 0;
  const auto first = static_cast<unsigned char>(number.front());
  return static_cast<unsigned>((number.size() - 1) * 8) +
         static_cast<unsigned>(std::bit_width(first));
}

bool is_odd(std::string_view number) { return (number.back() & 1) != 0; }

// A member of base64url; nothing when it is absent, no string or not strict.
std::optional<std::string> find_octets(const json_object& jwk, std::string_view name) {
  const auto text = jwk.find_string(name);
  if (!text || text->empty()) return {};
  return decode_base64url(*text);
}

std::expected<void, jwk_refusal> read_rsa(const json_object& jwk, public_key& key) {
  auto n = find_octets(jwk, "n");
  auto e = find_octets(jwk, "e");
  if (!n || !e) return refuse("`n` or `e` is missing or not base64url");
  if (n->front() == 0 || e->front() == 0) return refuse("`n` or `e` starts with a zero octet");
  if (bit_length(*n) < rsa_bits_min) return refuse("the modulus has fewer than 2048 bits");
  if (bit_length(*n) > rsa_bits_max) return refuse("the modulus has more than 8192 bits");
  if (!is_odd(*n)) return refuse("the modulus is even");
  if (!is_odd(*e) || bit_length(*e) < 2) return refuse("the exponent is even or less than 3");
  if (e->size() > 8) return refuse("the exponent has more than 64 bits");
  key.type = key_type::rsa;
  key.n = std::move(*n);
  key.e = std::move(*e);
  return {};
}

std::expected<void, jwk_refusal> read_ec(const json_object& jwk, public_key& key) {
  const auto crv = jwk.find_string("crv");
  if (!crv) return refuse("`crv` is missing");
  if (*crv == "P-256") {
    key.type = key_type::p256;
  } else if (*crv == "P-384") {
    key.type = key_type::p384;
  } else if (*crv == "P-521") {
    key.type = key_type::p521;
  } else {
    return refuse("`crv` is not P-256, P-384 or P-521");
  }
  auto x = find_octets(jwk, "x");
  auto y = find_octets(jwk, "y");
  if (!x || !y) return refuse("`x` or `y` is missing or not base64url");
  if (x->size() != field_bytes(key.type) || y->size() != field_bytes(key.type)) {
    return refuse("`x` or `y` has not the length of a coordinate");
  }
  key.x = std::move(*x);
  key.y = std::move(*y);
  ec_key_guard on_curve;
  if (!on_curve.import_public(key) || wc_ecc_check_key(on_curve.get()) != 0) {
    return refuse("the point is not on its curve");
  }
  return {};
}

std::expected<void, jwk_refusal> read_okp(const json_object& jwk, public_key& key) {
  const auto crv = jwk.find_string("crv");
  if (!crv) return refuse("`crv` is missing");
  if (*crv != "Ed25519") return refuse("`crv` is not Ed25519");
  auto x = find_octets(jwk, "x");
  if (!x || x->size() != field_bytes(key_type::ed25519)) {
    return refuse("`x` is missing or not 32 octets of base64url");
  }
  if (crypto_core_ed25519_is_valid_point(reinterpret_cast<const unsigned char*>(x->data())) != 1) {
    return refuse("`x` is not a point of full order on its curve");
  }
  key.type = key_type::ed25519;
  key.x = std::move(*x);
  return {};
}

// RFC 7517 4.2 and 4.3: whether this key is for signatures, and for this operation.
std::expected<void, jwk_refusal> check_use(const json_object& jwk, std::string_view operation) {
  if (const auto use = jwk.find("use")) {
    std::string_view text;
    if (use->get_string().get(text) != simdjson::SUCCESS) return refuse("`use` is not a string");
    if (text != "sig") return refuse("");
  }
  if (const auto operations = jwk.find("key_ops")) {
    simdjson::dom::array list;
    if (operations->get_array().get(list) != simdjson::SUCCESS) {
      return refuse("`key_ops` is not an array");
    }
    bool allowed = false;
    for (const simdjson::dom::element one : list) {
      std::string_view text;
      if (one.get_string().get(text) != simdjson::SUCCESS) {
        return refuse("`key_ops` holds something that is no string");
      }
      allowed = allowed || text == operation;
    }
    if (!allowed) return refuse("");
  }
  return {};
}

std::expected<void, jwk_refusal> read_names(const json_object& jwk, public_key& key) {
  if (const auto alg = jwk.find("alg")) {
    std::string_view text;
    if (alg->get_string().get(text) != simdjson::SUCCESS) return refuse("`alg` is not a string");
    if (is_encryption_algorithm(text)) return refuse("");
    key.alg = find_algorithm(text);
    if (!key.alg) return refuse("`alg` is not one of RS, PS, ES 256/384/512 and EdDSA");
  }
  if (const auto kid = jwk.find("kid")) {
    std::string_view text;
    if (kid->get_string().get(text) != simdjson::SUCCESS) return refuse("`kid` is not a string");
    if (text.empty() || text.size() > kid_bytes_max) {
      return refuse("`kid` is empty or longer than 256 octets");
    }
    key.kid = std::string(text);
  }
  return {};
}

void append_member(std::string& out, std::string_view name, std::string_view octets) {
  out += fmt::format(",\"{}\":\"", name);
  append_base64url(out, octets);
  out += '"';
}

}  // namespace

std::expected<public_key, jwk_refusal> parse_public_jwk(const json_object& jwk,
                                                        std::string_view operation) {
  public_key key;
  if (const auto ok = check_use(jwk, operation); !ok) return std::unexpected(ok.error());
  if (const auto ok = read_names(jwk, key); !ok) return std::unexpected(ok.error());
  const auto kty = jwk.find_string("kty");
  if (!kty) return refuse("`kty` is missing");
  std::expected<void, jwk_refusal> ok;
  if (*kty == "RSA") {
    ok = read_rsa(jwk, key);
  } else if (*kty == "EC") {
    ok = read_ec(jwk, key);
  } else if (*kty == "OKP") {
    ok = read_okp(jwk, key);
  } else {
    return refuse("`kty` is not RSA, EC or OKP");
  }
  if (!ok) return std::unexpected(ok.error());
  if (key.alg && !fits(key.type, *key.alg)) return refuse("`alg` does not fit the key's type");
  return key;
}

bool has_private_member(const json_object& jwk) {
  for (const auto member : jwk.members()) {
    for (std::string_view name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}) {
      if (member.key == name) return true;
    }
  }
  return false;
}

std::string thumbprint(const public_key& key) {
  std::string text;
  switch (key.type) {
    case key_type::rsa:
      append_member(text, "e", key.e);
      text += ",\"kty\":\"RSA\"";
      append_member(text, "n", key.n);
      break;
    case key_type::ed25519:
      text = ",\"crv\":\"Ed25519\",\"kty\":\"OKP\"";
      append_member(text, "x", key.x);
      break;
    default:
      text = fmt::format(",\"crv\":\"{}\",\"kty\":\"EC\"", curve_name(key.type));
      append_member(text, "x", key.x);
      append_member(text, "y", key.y);
      break;
  }
  text.front() = '{';
  text += '}';
  const digest hash = make_digest(digest_kind::sha256, text);
  std::string out;
  append_base64url(out, {reinterpret_cast<const char*>(hash.octets.data()), hash.size});
  return out;
}

std::string to_jwk(const public_key& key) {
  std::string text;
  if (key.type == key_type::rsa) {
    text = "{\"kty\":\"RSA\"";
    append_member(text, "n", key.n);
    append_member(text, "e", key.e);
  } else {
    text = fmt::format("{{\"kty\":\"{}\",\"crv\":\"{}\"",
                       key.type == key_type::ed25519 ? "OKP" : "EC", curve_name(key.type));
    append_member(text, "x", key.x);
    if (!key.y.empty()) append_member(text, "y", key.y);
  }
  text += ",\"use\":\"sig\"";
  if (key.alg) text += fmt::format(",\"alg\":\"{}\"", name(*key.alg));
  if (key.kid) {
    text += ",\"kid\":\"";
    append_json_escaped(text, *key.kid);
    text += '"';
  }
  text += '}';
  return text;
}

}  // namespace rw::auth
