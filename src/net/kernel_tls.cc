#include "net/kernel_tls.h"

#include <linux/tls.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/secret.h"

namespace rw::net {
namespace {

std::array<unsigned char, 8> big_endian(std::uint64_t number) noexcept {
  std::array<unsigned char, 8> out{};
  for (std::size_t i = out.size(); i-- > 0; number >>= 8U) {
    out[i] = static_cast<unsigned char>(number);
  }
  return out;
}

}  // namespace

template <class Kernel>
void crypto_info::fill(const tls::traffic_keys& keys, std::uint16_t type) noexcept {
  static_assert(sizeof(Kernel) <= sizeof bytes_);
  Kernel to{};
  to.info.version = keys.tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
  to.info.cipher_type = type;
  RW_ASSERT(sizeof to.key == tls::key_bytes(keys.cipher));
  std::memcpy(to.key, keys.key.data(), sizeof to.key);
  const auto sequence = big_endian(keys.sequence);
  std::memcpy(to.rec_seq, sequence.data(), sizeof to.rec_seq);
  if constexpr (sizeof to.iv == sizeof keys.iv) {
    std::memcpy(to.iv, keys.iv.data(), sizeof to.iv);
  } else {
    std::memcpy(to.salt, keys.iv.data(), sizeof to.salt);
    std::memcpy(to.iv, keys.iv.data() + sizeof to.salt, sizeof to.iv);
  }
  std::memcpy(bytes_.data(), &to, sizeof to);
  size_ = sizeof to;
  wipe(&to, sizeof to);
}

crypto_info::crypto_info(const tls::traffic_keys& keys) noexcept {
  switch (keys.cipher) {
    case tls::aead::aes128_gcm:
      fill<tls12_crypto_info_aes_gcm_128>(keys, TLS_CIPHER_AES_GCM_128);
      break;
    case tls::aead::aes256_gcm:
      fill<tls12_crypto_info_aes_gcm_256>(keys, TLS_CIPHER_AES_GCM_256);
      break;
    case tls::aead::chacha20_poly1305:
      fill<tls12_crypto_info_chacha20_poly1305>(keys, TLS_CIPHER_CHACHA20_POLY1305);
      break;
  }
}

crypto_info::~crypto_info() { wipe(bytes_.data(), bytes_.size()); }

control_record::control_record(type what, std::span<const std::byte> body) noexcept : what_(what) {
  RW_ASSERT(body.size() <= body_.size());
  std::copy(body.begin(), body.end(), body_.begin());
  vector_ = {body_.data(), body.size()};
  message_.msg_iov = &vector_;
  message_.msg_iovlen = 1;
  message_.msg_control = control_.data();
  message_.msg_controllen = control_.size();
  cmsghdr* const head = CMSG_FIRSTHDR(&message_);
  head->cmsg_level = SOL_TLS;
  head->cmsg_type = TLS_SET_RECORD_TYPE;
  head->cmsg_len = CMSG_LEN(1);
  *CMSG_DATA(head) = static_cast<unsigned char>(what);
}

}  // namespace rw::net
