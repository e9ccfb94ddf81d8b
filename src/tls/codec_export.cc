// Handing the writing side of a connection over to somebody else: the kernel.
#include <wolfssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "tls/codec.h"
#include "tls/suites.h"

namespace rw::tls {

bool codec::write_keys(traffic_keys& out) const {
  RW_ASSERT(stage_ == stage::established && kept_.empty() && export_.seen);
  const suite* const agreed =
      find_suite(static_cast<std::uint16_t>(wolfSSL_get_current_cipher_suite(ssl_)));
  if (agreed == nullptr) return false;
  if (version() == protocol_version::tls13) {
    if (!export_.seen->secret || !export_.seen->secret->derive(agreed->cipher, out)) return false;
  } else {
    out.cipher = agreed->cipher;
    out.tls13 = false;
    std::memcpy(out.key.data(), wolfSSL_GetServerWriteKey(ssl_), key_bytes(agreed->cipher));
    if (agreed->cipher == aead::chacha20_poly1305) {
      std::memcpy(out.iv.data(), wolfSSL_GetServerWriteIV(ssl_), out.iv.size());
    } else {
      std::memcpy(out.iv.data(), wolfSSL_GetServerWriteIV(ssl_), 4);
      std::copy(export_.seen->nonce.begin(), export_.seen->nonce.end(), out.iv.begin() + 4);
      // wolfSSL begins anywhere and counts, so that this is one it has not used.
      for (std::size_t i = out.iv.size(); i-- > 4;) {
        out.iv[i] = static_cast<std::byte>(static_cast<unsigned>(out.iv[i]) + 1);
        if (out.iv[i] != std::byte{0}) break;
      }
    }
  }
  word64 sequence = 0;
  wolfSSL_GetSequenceNumber(ssl_, &sequence);
  out.sequence = sequence;
  return true;
}

void codec::hand_over_writing(bool renewable) noexcept {
  RW_ASSERT(stage_ == stage::established && kept_.empty());
  export_.done = true;
  if (!renewable) export_.seen.reset();
}

bool codec::next_keys(traffic_keys& out) {
  RW_ASSERT(export_.done && export_.seen && export_.seen->secret);
  const suite* const agreed =
      find_suite(static_cast<std::uint16_t>(wolfSSL_get_current_cipher_suite(ssl_)));
  return agreed != nullptr && export_.seen->secret->advance() &&
         export_.seen->secret->derive(agreed->cipher, out);
}

// wolfSSL answers two things by itself: a request for new keys, and in TLS 1.2 one for a new
// handshake (no_renegotiation).
void codec::note_discarded() noexcept {
  if (version() == protocol_version::tls13) {
    export_.dropped.key_update = true;
    return;
  }
  WOLFSSL_ALERT_HISTORY alerts{};
  if (wolfSSL_get_alert_history(ssl_, &alerts) == WOLFSSL_SUCCESS) {
    export_.dropped.warning = alerts.last_tx.code;
  }
}

}  // namespace rw::tls
