#include "net/kernel_tls.h"

#include <gtest/gtest.h>
#include <linux/tls.h>

#include <cstring>

namespace rw::net {
namespace {

tls::traffic_keys& numbered(tls::traffic_keys& keys) {
  for (std::size_t i = 0; i < keys.key.size(); ++i) keys.key[i] = static_cast<std::byte>(i);
  for (std::size_t i = 0; i < keys.iv.size(); ++i) keys.iv[i] = static_cast<std::byte>(100 + i);
  keys.sequence = 0x0102030405060708;
  return keys;
}

constexpr unsigned char sequence[] = {1, 2, 3, 4, 5, 6, 7, 8};

template <class Kernel>
Kernel filled(const tls::traffic_keys& keys) {
  const crypto_info made(keys);
  Kernel out{};
  EXPECT_EQ(made.bytes().size(), sizeof out);
  std::memcpy(&out, made.bytes().data(), sizeof out);
  EXPECT_EQ(std::memcmp(out.key, keys.key.data(), sizeof out.key), 0);
  EXPECT_EQ(std::memcmp(out.rec_seq, sequence, sizeof out.rec_seq), 0);
  return out;
}

TEST(CryptoInfo, SplitsTheNonceOfAesGcm) {
  tls::traffic_keys keys;
  numbered(keys).tls13 = true;
  const auto to = filled<tls12_crypto_info_aes_gcm_128>(keys);
  EXPECT_EQ(to.info.version, TLS_1_3_VERSION);
  EXPECT_EQ(to.info.cipher_type, TLS_CIPHER_AES_GCM_128);
  EXPECT_EQ(std::memcmp(to.salt, keys.iv.data(), 4), 0);
  EXPECT_EQ(std::memcmp(to.iv, keys.iv.data() + 4, 8), 0);
}

TEST(CryptoInfo, SaysWhichVersion) {
  tls::traffic_keys keys;
  numbered(keys).cipher = tls::aead::aes256_gcm;
  const auto to = filled<tls12_crypto_info_aes_gcm_256>(keys);
  EXPECT_EQ(to.info.version, TLS_1_2_VERSION);
  EXPECT_EQ(to.info.cipher_type, TLS_CIPHER_AES_GCM_256);
  EXPECT_EQ(std::memcmp(to.salt, keys.iv.data(), 4), 0);
  EXPECT_EQ(std::memcmp(to.iv, keys.iv.data() + 4, 8), 0);
}

TEST(CryptoInfo, KeepsTheNonceOfChachaWhole) {
  for (const bool tls13 : {false, true}) {
    tls::traffic_keys keys;
    numbered(keys).cipher = tls::aead::chacha20_poly1305;
    keys.tls13 = tls13;
    const auto to = filled<tls12_crypto_info_chacha20_poly1305>(keys);
    EXPECT_EQ(to.info.version, tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION);
    EXPECT_EQ(to.info.cipher_type, TLS_CIPHER_CHACHA20_POLY1305);
    EXPECT_EQ(std::memcmp(to.iv, keys.iv.data(), 12), 0);
  }
}

TEST(ControlRecord, SaysItsType) {
  const std::byte body[] = {std::byte{1}, std::byte{0}};
  const control_record made(control_record::type::alert, body);
  const msghdr& message = *made.message();
  ASSERT_EQ(message.msg_iovlen, 1U);
  EXPECT_EQ(message.msg_iov->iov_len, 2U);
  EXPECT_EQ(std::memcmp(message.msg_iov->iov_base, body, 2), 0);
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  ASSERT_NE(head, nullptr);
  EXPECT_EQ(head->cmsg_level, SOL_TLS);
  EXPECT_EQ(head->cmsg_type, TLS_SET_RECORD_TYPE);
  EXPECT_EQ(head->cmsg_len, CMSG_LEN(1));
  EXPECT_EQ(*CMSG_DATA(head), 21);
}

}  // namespace
}  // namespace rw::net
