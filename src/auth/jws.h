// JWS in the compact form (RFC 7515 7.1), taken apart and verified, strictly.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "auth/algorithm.h"
#include "auth/key_set.h"
#include "auth/reason.h"

namespace rw::auth {

class json_object;

inline constexpr std::size_t jws_header_chars_max = 4096;
inline constexpr std::size_t jws_kid_bytes_max = 256;

// What the protected header says, once it has passed every check of RFC 7515 4 and ours.
struct jws_header {
  algorithm alg = algorithm::rs256;
  std::optional<std::string_view> kid;
};

// One token taken apart. Views into the token or into the reader's memory.
struct jws_parts {
  jws_header header;
  std::string_view signing_input;  // header '.' payload, as they came
  std::string_view payload;        // decoded
  std::string_view signature;      // decoded
};

// Takes tokens apart in memory of its own that it reuses, so that a token costs no allocation. One
// thread; what read() and claims() return lives until the next read().
class jws_reader {
 public:
  jws_reader();
  jws_reader(jws_reader&&) noexcept;
  jws_reader& operator=(jws_reader&&) noexcept;
  ~jws_reader();

  // Exactly three parts, none empty, strict base64url; a header that is one strict JSON object with
  // a known `alg`, `typ` absent, JWT or at+jwt, and none of crit, b64, jwk, jku, x5u, x5c, zip,
  // enc. Nothing is verified yet.
  std::expected<jws_parts, reason> read(std::string_view compact);

  // The payload of the last read() as one strict JSON object; nothing when it is none. Parsed once.
  const json_object* claims();

 private:
  struct memory;
  std::unique_ptr<memory> memory_;
};

// Finds the key and checks the signature. `allowed` is the issuer's list.
std::expected<void, reason> verify_jws(const jws_parts& parts, const key_set& keys,
                                       algorithm_set allowed) noexcept;

}  // namespace rw::auth
