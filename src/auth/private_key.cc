#include "auth/private_key.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>

#include "auth/base64url.h"
#include "auth/json.h"
#include "auth/signature.h"
#include "auth/signer.h"
#include "auth/wolf_key.h"
// Needs wolfCrypt's settings, which wolf_key.h brings.
#include <wolfssl/wolfcrypt/random.h>

namespace rw::auth {

namespace {

constexpr std::size_t private_jwk_bytes_max = 64U << 10U;

// A member of base64url as a secret; empty when it is absent or not strict.
secret find_secret(const json_object& jwk, std::string_view name) {
  const auto text = jwk.find_string(name);
  if (!text) return {};
  auto octets = decode_base64url(*text);
  if (!octets) return {};
  secret out(*octets);
  wipe(octets->data(), octets->size());
  return out;
}

const char* read_private(const json_object& jwk, private_key& key) {
  secret d = find_secret(jwk, "d");
  if (d.empty()) return "`d` is missing or not base64url; this must be a private JWK";
  if (key.pub.type == key_type::rsa) {
    if (jwk.contains("oth")) return "keys of more than two primes are not supported";
    key.rsa[0] = std::move(d);
    std::size_t i = 1;
    for (const char* name : {"p", "q", "dp", "dq", "qi"}) {
      key.rsa[i] = find_secret(jwk, name);
      if (key.rsa[i].empty())
        return "one of `p`, `q`, `dp`, `dq`, `qi` is missing or not base64url";
      if (key.rsa[i].view().size() > key.pub.n.size()) return "a private number is too long";
      ++i;
    }
    if (key.rsa[0].view().size() > key.pub.n.size()) return "`d` is too long";
    return nullptr;
  }
  if (d.view().size() != field_bytes(key.pub.type)) return "`d` has the wrong length";
  if (key.pub.type == key_type::ed25519) {
    std::string both(d.view());
    both += key.pub.x;
    key.d = secret(both);
    wipe(both.data(), both.size());
    return nullptr;
  }
  ec_key_guard ec;
  if (!ec.import_private(key.pub, d.view()) || wc_ecc_check_key(ec.get()) != 0) {
    return "`d` does not belong to `x` and `y`";
  }
  key.d = std::move(d);
  return nullptr;
}

// RFC 7517 4.3: a key kept for verifying must not sign.
bool may_sign(const json_object& jwk) {
  const auto operations = jwk.find("key_ops");
  if (!operations) return true;
  simdjson::dom::array list;
  if (operations->get_array().get(list) != simdjson::SUCCESS) return false;
  for (const simdjson::dom::element one : list) {
    std::string_view text;
    if (one.get_string().get(text) == simdjson::SUCCESS && text == "sign") return true;
  }
  return false;
}

// Signs and verifies once: that the private half belongs to the public one.
const char* try_out(const private_key& key) {
  constexpr std::string_view probe = "ringward.probe";
  auto hand = signer::make();
  if (!hand) return hand.error().text;
  const auto signature = hand->sign(key, probe);
  if (!signature || !verify_signature(key.pub, key.alg(), probe, *signature)) {
    return "the private part does not belong to the public one";
  }
  return nullptr;
}

const char* read_jwk(const json_object& jwk, private_key& key) {
  if (jwk.contains("keys")) return "this is a set of keys; one private JWK is wanted";
  if (!may_sign(jwk)) return "`key_ops` does not allow it to sign";
  auto pub = parse_public_jwk(jwk, "sign");
  if (!pub) {
    return *pub.error().text != '\0' ? pub.error().text : "this key is not meant for signatures";
  }
  key.pub = std::move(*pub);
  if (const char* why = read_private(jwk, key)) return why;
  if (!key.pub.alg) key.pub.alg = default_algorithm(key.pub.type);
  if (!key.pub.kid) key.pub.kid = thumbprint(key.pub);
  return try_out(key);
}

std::string private_jwk(const public_key& pub, std::string_view d) {
  std::string text = to_jwk(pub);
  text.pop_back();
  text += ",\"d\":\"";
  append_base64url(text, d);
  text += "\"}";
  return text;
}

result<std::string> generate_ec(public_key pub) {
  constexpr error failed{.code = fault::system, .text = "the key could not be generated"};
  WC_RNG random;
  if (wc_InitRng(&random) != 0) return std::unexpected(failed);
  const std::size_t bytes = field_bytes(pub.type);
  ec_key_guard ec;
  std::string d(bytes, '\0');
  pub.x.resize(bytes);
  pub.y.resize(bytes);
  const auto out = [](std::string& text) { return reinterpret_cast<byte*>(text.data()); };
  word32 x_size = static_cast<word32>(bytes);
  word32 y_size = x_size;
  word32 d_size = x_size;
  int code = wc_ecc_make_key_ex(&random, static_cast<int>(bytes), ec.get(), wolf_curve(pub.type));
  if (code == 0) {
    code = wc_ecc_export_private_raw(ec.get(), out(pub.x), &x_size, out(pub.y), &y_size, out(d),
                                     &d_size);
  }
  wc_FreeRng(&random);
  if (code != 0 || x_size != bytes || y_size != bytes || d_size != bytes) {
    return std::unexpected(failed);
  }
  pub.kid = thumbprint(pub);
  std::string text = private_jwk(pub, d);
  wipe(d.data(), d.size());
  return text;
}

}  // namespace

secret private_key::derive(std::string_view label) const {
  const std::string_view number = pub.type == key_type::rsa ? rsa[0].view() : d.view();
  std::array<char, crypto_generichash_BYTES> made;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, made.size());
  for (const std::string_view part : {label, std::string_view("\0", 1), number}) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                              part.size());
  }
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(made.data()), made.size());
  secret out(std::string_view(made.data(), made.size()));
  wipe(made.data(), made.size());
  wipe(&state, sizeof state);
  return out;
}

std::string private_key::public_set() const { return "{\"keys\":[" + to_jwk(pub) + "]}"; }

std::optional<private_key> load_private_key(std::string_view text, std::string_view file,
                                            config::diagnostics& out) {
  const char* why = nullptr;
  private_key key;
  json_reader reader;
  if (text.size() > private_jwk_bytes_max) {
    why = "the file is larger than 64 KiB";
  } else if (const auto jwk = reader.parse(text)) {
    why = read_jwk(*jwk, key);
  } else {
    why = "this is not one strict JSON object (valid UTF-8, no name twice, nothing after the end)";
  }
  reader.wipe();
  if (why == nullptr) return key;
  out.push_back({.file = std::string(file), .text = why});
  return {};
}

result<std::string> generate_private_jwk(algorithm alg) {
  public_key pub;
  pub.alg = alg;
  switch (alg) {
    case algorithm::es256:
      pub.type = key_type::p256;
      return generate_ec(std::move(pub));
    case algorithm::es384:
      pub.type = key_type::p384;
      return generate_ec(std::move(pub));
    case algorithm::es512:
      pub.type = key_type::p521;
      return generate_ec(std::move(pub));
    case algorithm::eddsa:
      break;
    default:
      return failure({.code = fault::unsupported,
                      .from = origin::configuration,
                      .text = "keys are generated for ES256, ES384, ES512 and EdDSA only"});
  }
  pub.type = key_type::ed25519;
  pub.x.resize(crypto_sign_ed25519_PUBLICKEYBYTES);
  unsigned char both[crypto_sign_ed25519_SECRETKEYBYTES];
  crypto_sign_ed25519_keypair(reinterpret_cast<unsigned char*>(pub.x.data()), both);
  pub.kid = thumbprint(pub);
  std::string text =
      private_jwk(pub, {reinterpret_cast<const char*>(both), crypto_sign_ed25519_SEEDBYTES});
  wipe(both, sizeof both);
  return text;
}

}  // namespace rw::auth
