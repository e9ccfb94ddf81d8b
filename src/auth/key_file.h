// The file of [auth.api_keys] and the lines it is made of:
//   name:rwk1$<salt>$<hash>   salt 16, hash 32 octets, base64url without padding; `ringward key
//                             new`
//   name:$2b$..., $2a$, $2y$  bcrypt, also without a name
//   name:$argon2id$...        also without a name
//   name:key                  in the clear, with a warning; so is a key alone
// After any of them ` rate=100/s`: what the limits by identity grant its name in place of their own
// rate; one line of a name is enough, and two that differ are an error.
// A line without a name is called key-LINE. `name@2027-01-01:` expires at the beginning of that
// day, UTC. `#` starts a comment line; blank lines count for nothing. One name may have several
// keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/key_store.h"
#include "base/error.h"
#include "config/diagnostic.h"

namespace rw::auth {

// Every line that is wrong gets a diagnostic naming it, never quoting it. Nothing when one of them
// is an error. `text` holds secrets: the caller wipes it. `file` is only for the diagnostics.
std::optional<key_store> load_keys(std::string_view text, std::string_view file,
                                   config::diagnostics& out);

// A new key: `key` is shown once, `line` goes into the file.
struct new_key {
  std::string key;   // rw_NAME_<43 base62 characters, 256 bits>
  std::string line;  // without a line feed
};

// fault::invalid when `name` is not a key name or has two dots, which would make the key look like
// a JWT behind `Bearer`.
result<new_key> generate_key(std::string_view name);

// The line for a key somebody has already. fault::invalid for a bad name, a key that is not visible
// ASCII, shorter than 16 octets (128 bits) or longer than api_key_bytes_max,
// or one of ours that names somebody else.
result<std::string> hash_line(std::string_view name, std::string_view key);

}  // namespace rw::auth
