// The key set of an old system that signed tokens itself: public and private keys in one file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "control/import_note.h"

namespace rw::control {

struct split_keys {
  std::string public_set;       // {"keys":[...]}, without a private member; empty without a key
  std::size_t public_keys = 0;  // how many are in it
  std::string mint_key;         // the first private key that signs, as a JWK; empty without one
};

// Reads `{"keys":[...]}` or a single key. Of each key only what is known of it is written anew, so
// nothing private gets into the public set. A private key that lacks a kid gets its thumbprint, in
// both. What is left out is noted, without quoting it. `json` holds a secret: the caller wipes it,
// and `mint_key`.
split_keys split_key_set(std::string_view json, std::string_view file, import_notes& out);

}  // namespace rw::control
