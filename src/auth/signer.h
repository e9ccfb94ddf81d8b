// Signatures with a private JWK. One per thread: it holds a random generator.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "auth/private_key.h"
#include "base/error.h"

namespace rw::auth {

class signer {
 public:
  // fault::system when the generator cannot be seeded.
  static result<signer> make();
  signer(signer&&) noexcept;
  signer& operator=(signer&&) noexcept;
  ~signer();

  // The signature as JWS wants it: RSA as long as the modulus, ECDSA r || s, Ed25519 64 octets.
  // fault::invalid when the key's numbers do not belong together.
  result<std::string> sign(const private_key& key, std::string_view signing_input);

  struct generator;

 private:
  explicit signer(std::unique_ptr<generator> random);
  std::unique_ptr<generator> random_;
};

}  // namespace rw::auth
