#include "auth/digest.h"

#include <wolfssl/wolfcrypt/settings.h>
// settings.h comes first, always.
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

#include "base/assert.h"

namespace rw::auth {

digest make_digest(digest_kind kind, std::string_view text) noexcept {
  digest out;
  const auto* from = reinterpret_cast<const byte*>(text.data());
  const auto length = static_cast<word32>(text.size());
  int code = 0;
  switch (kind) {
    case digest_kind::sha256: {
      wc_Sha256 state;
      code = wc_InitSha256(&state);
      if (code == 0) code = wc_Sha256Update(&state, from, length);
      if (code == 0) code = wc_Sha256Final(&state, out.octets.data());
      wc_Sha256Free(&state);
      out.size = WC_SHA256_DIGEST_SIZE;
      break;
    }
    case digest_kind::sha384: {
      wc_Sha384 state;
      code = wc_InitSha384(&state);
      if (code == 0) code = wc_Sha384Update(&state, from, length);
      if (code == 0) code = wc_Sha384Final(&state, out.octets.data());
      wc_Sha384Free(&state);
      out.size = WC_SHA384_DIGEST_SIZE;
      break;
    }
    case digest_kind::sha512: {
      wc_Sha512 state;
      code = wc_InitSha512(&state);
      if (code == 0) code = wc_Sha512Update(&state, from, length);
      if (code == 0) code = wc_Sha512Final(&state, out.octets.data());
      wc_Sha512Free(&state);
      out.size = WC_SHA512_DIGEST_SIZE;
      break;
    }
  }
  RW_ASSERT(code == 0);  // nothing here allocates or can be refused
  return out;
}

}  // namespace rw::auth
