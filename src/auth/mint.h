// Short-lived JWTs of our own (RFC 7519), for routes with action = "mint".
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "auth/key_store.h"
#include "auth/private_key.h"
#include "auth/signer.h"
#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"

namespace rw::auth {

// One per worker: signing needs a random generator. The key is shared.
class minter {
 public:
  static result<minter> make(std::shared_ptr<const private_key> key, const config::mint& rules);

  // A compact JWT: iss, sub, aud, iat, nbf, exp (whole seconds) and a new jti. `subject` is the
  // name of the caller's key, `key` its line. `thumbprint`: of the certificate without which the
  // token is to be worth nothing (cnf, RFC 8705 3.1); "" for a token that anybody may use.
  // fault::invalid when the key does not sign; ES256 takes about 30 us, RS256 about 600.
  result<std::string> token(std::string_view subject, const line_tag& key, wall_time now,
                            std::string_view thumbprint = {});

  // {"token":...,"token_type":"Bearer","expires_in":...,"kid":...,"alg":...,"access_token":...}:
  // the body of the answer, to be sent with Cache-Control: no-store (RFC 6749 5.1, whose name for
  // the token is the last one).
  result<std::string> answer(std::string_view subject, const line_tag& key, wall_time now,
                             std::string_view thumbprint = {});

 private:
  minter(std::shared_ptr<const private_key> key, const config::mint& rules, signer hand);

  std::shared_ptr<const private_key> key_;
  signer signer_;
  std::string header_;         // base64url, with the '.'
  std::string claims_start_;   // {"iss":...,"aud":...
  std::string answer_middle_;  // from token_type on, up to the token's second copy
  std::chrono::seconds ttl_;
};

}  // namespace rw::auth
