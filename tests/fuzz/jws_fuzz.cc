// Tokens: raw ones, and edits of good ones. Whatever verifies must be one of the good ones, octet
// for octet; whatever is read must be the only text of what was read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/base64url.h"
#include "auth/claims.h"
#include "auth/identity.h"
#include "auth/jws.h"
#include "auth/key_set.h"
#include "base/assert.h"
#include "base/random.h"

namespace {

using namespace rw;
using namespace rw::auth;

// RFC 7515 A.2, A.3 and RFC 8037 A.1.
constexpr std::string_view keys_json =
    R"({"keys":[{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mP)"
    "ddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2jZ47soMZo9w"
    "Gzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb"
    "3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp"
    R"(oQ"},{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},)"
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";

constexpr std::string_view good[] = {
    "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS"
    "9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__"
    "dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-"
    "0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLI"
    "ARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv"
    "Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS"
    "9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
    "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
    "qPP3-Kg6NU1Q",
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
    "09PGcvMg3A"
    "IbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"};

constexpr wall_time now{std::chrono::seconds(1'300'819'000)};

key_set make_keys() {
  random_init();
  config::diagnostics found;
  auto keys = load_key_set(keys_json, "fuzz", found);
  RW_ASSERT(keys && keys->keys().size() == 3);
  return std::move(*keys);
}

token_rules make_rules() {
  config::jwt_issuer from;
  from.issuer = "joe";
  from.audiences = {"api"};
  return token_rules(from);
}

void check(jws_reader& reader, const key_set& keys, const token_rules& rules,
           std::string_view token) {
  const bool is_good = std::ranges::find(good, token) != std::end(good);
  const auto parts = reader.read(token);
  RW_ASSERT(parts || !is_good);
  if (!parts) return;
  RW_ASSERT(parts->signing_input.size() < token.size());
  std::string again(token.substr(0, token.find('.') + 1));
  append_base64url(again, parts->payload);
  RW_ASSERT(again == parts->signing_input);
  again += '.';
  append_base64url(again, parts->signature);
  RW_ASSERT(again == token);

  const bool verifies = verify_jws(*parts, keys, algorithm_set{0x3ff}).has_value();
  RW_ASSERT(verifies == is_good);

  const json_object* claims = reader.claims();
  if (claims == nullptr) return;
  if (const auto said = check_claims(*claims, rules, now)) {
    RW_ASSERT(identity().assign(said->identity));
    RW_ASSERT(said->valid_from <= now && now < said->valid_until);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const key_set keys = make_keys();
  static const token_rules rules = make_rules();
  static jws_reader reader;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check(reader, keys, rules, input);
  if (size < 2) return 0;
  // As edits: which token, then position (two octets) and the octet to put there.
  std::string edited(good[data[0] % std::size(good)]);
  for (std::size_t i = 1; i + 2 < size; i += 3) {
    const std::size_t at = std::size_t{data[i]} << 8U | data[i + 1];
    edited[at % edited.size()] = static_cast<char>(data[i + 2]);
  }
  check(reader, keys, rules, edited);
  return 0;
}
