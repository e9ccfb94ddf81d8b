// JWK sets and private JWKs. What is accepted has no private member, no kid twice, only keys that
// verify, and reads back the same from what we write.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "auth/key_set.h"
#include "auth/private_key.h"
#include "base/assert.h"
#include "base/random.h"

namespace {

using namespace rw;
using namespace rw::auth;

// Looked for by other means than the loader's: in the parsed text, with simdjson's own lookup.
void check_no_private_member(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::array keys;
  RW_ASSERT(parser.parse(simdjson::padded_string(text))["keys"].get(keys) == simdjson::SUCCESS);
  for (const simdjson::dom::element key : keys) {
    for (const char* name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}) {
      RW_ASSERT(key[name].error() == simdjson::NO_SUCH_FIELD);
    }
  }
}

void check_key(const public_key& key) {
  if (key.type == key_type::rsa) {
    RW_ASSERT(key.n.size() >= 256 && key.n.size() <= 1024 && (key.n.back() & 1) != 0);
    RW_ASSERT(key.e.size() <= 8 && (key.e.back() & 1) != 0);
    RW_ASSERT(key.x.empty() && key.y.empty());
  } else {
    RW_ASSERT(key.n.empty() && key.e.empty() && key.x.size() == field_bytes(key.type));
    RW_ASSERT(key.y.size() == (key.type == key_type::ed25519 ? 0 : key.x.size()));
  }
  RW_ASSERT(!key.alg || fits(key.type, *key.alg));
  config::diagnostics found;
  const auto again = load_key_set("{\"keys\":[" + to_jwk(key) + "]}", "fuzz", found);
  RW_ASSERT(again && again->keys().size() == 1 && found.empty());
  const public_key& copy = again->keys().front();
  RW_ASSERT(copy.type == key.type && copy.alg == key.alg && copy.kid == key.kid);
  RW_ASSERT(copy.n == key.n && copy.e == key.e && copy.x == key.x && copy.y == key.y);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool ready = (random_init(), true);
  RW_ASSERT(ready);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  config::diagnostics found;
  const auto keys = load_key_set(text, "fuzz", found);
  RW_ASSERT(keys.has_value() == !config::has_error(found));
  if (keys) {
    RW_ASSERT(!keys->keys().empty() && keys->keys().size() <= key_set_keys_max);
    check_no_private_member(text);
    std::set<std::string> kids;
    for (const public_key& key : keys->keys()) {
      if (key.kid) RW_ASSERT(kids.insert(*key.kid).second);
      check_key(key);
    }
  }
  found.clear();
  const auto secret_key = load_private_key(text, "fuzz", found);
  RW_ASSERT(secret_key.has_value() == found.empty());
  if (secret_key) check_key(secret_key->pub);
  return 0;
}
