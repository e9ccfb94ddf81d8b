// The codec gives its writing side away, and whoever has it makes records that a client takes. Here
// that is the test, by the RFCs' constructions: the kernel's part where there is no such kernel.
#include <gtest/gtest.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

#include <cstring>

#include "client.h"
#include "tls/server_codec.h"

namespace rw::tls {
namespace {

using namespace testing;

class record_maker {
 public:
  explicit record_maker(const traffic_keys& keys) : keys_(keys) {}

  std::string make(std::string_view body, unsigned char type = 23) {
    std::string out = keys_.tls13 ? make_tls13(body, type) : make_tls12(body, type);
    ++sequence_;
    return out;
  }

 private:
  using bytes12 = std::array<unsigned char, 12>;

  static void put(std::string& out, std::uint64_t number, int size) {
    while (size-- > 0) out += static_cast<char>(number >> (8 * size));
  }
  std::string sealed(std::string_view plain, const std::string& aad, const bytes12& nonce) const {
    std::string out(plain.size() + 16, '\0');
    const auto* in = reinterpret_cast<const unsigned char*>(plain.data());
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    const auto* with = reinterpret_cast<const unsigned char*>(aad.data());
    const auto* key = reinterpret_cast<const unsigned char*>(keys_.key.data());
    const auto size = static_cast<word32>(plain.size());
    const auto aad_size = static_cast<word32>(aad.size());
    if (keys_.cipher == aead::chacha20_poly1305) {
      EXPECT_EQ(
          wc_ChaCha20Poly1305_Encrypt(key, nonce.data(), with, aad_size, in, size, to, to + size),
          0);
      return out;
    }
    Aes aes;
    EXPECT_EQ(wc_AesInit(&aes, nullptr, INVALID_DEVID), 0);
    EXPECT_EQ(wc_AesGcmSetKey(&aes, key, static_cast<word32>(key_bytes(keys_.cipher))), 0);
    EXPECT_EQ(wc_AesGcmEncrypt(&aes, to, in, size, nonce.data(), 12, to + size, 16, with, aad_size),
              0);
    wc_AesFree(&aes);
    return out;
  }
  bytes12 masked_iv() const {  // RFC 8446 5.3, RFC 7905 2
    bytes12 nonce;
    std::memcpy(nonce.data(), keys_.iv.data(), 12);
    for (std::size_t i = 0; i < 8; ++i) {
      nonce[11 - i] ^= static_cast<unsigned char>(sequence_ >> (8 * i));
    }
    return nonce;
  }
  std::string make_tls13(std::string_view body, unsigned char type) const {  // RFC 8446 5.2
    std::string head("\x17\x03\x03");
    put(head, body.size() + 1 + 16, 2);
    const std::string inner = std::string(body) + static_cast<char>(type);
    return head + sealed(inner, head, masked_iv());
  }
  std::string make_tls12(std::string_view body, unsigned char type) const {  // RFC 5246 6.2.3.3
    const std::string kind{static_cast<char>(type), 3, 3};
    std::string aad;
    put(aad, sequence_, 8);
    aad += kind;
    put(aad, body.size(), 2);
    bytes12 nonce = masked_iv();
    std::string with_each;
    if (keys_.cipher != aead::chacha20_poly1305) {  // RFC 5288 3
      std::uint64_t explicit_nonce = 0;
      for (std::size_t i = 4; i < 12; ++i) {
        explicit_nonce = explicit_nonce << 8U | static_cast<std::uint64_t>(keys_.iv[i]);
      }
      put(with_each, explicit_nonce + sequence_ - keys_.sequence, 8);
      std::memcpy(nonce.data(), keys_.iv.data(), 4);
      std::memcpy(nonce.data() + 4, with_each.data(), 8);
    }
    std::string out = kind;
    put(out, with_each.size() + body.size() + 16, 2);
    return out + with_each + sealed(body, aad, nonce);
  }

  const traffic_keys& keys_;
  std::uint64_t sequence_ = keys_.sequence;
};

struct suite_case {
  const char* library;
  aead cipher;
  bool tls13;
};

class Export : public ::testing::TestWithParam<suite_case> {
 protected:
  client_options options() const {
    return verified(
        {.max_version = GetParam().tls13 ? protocol_version::tls13 : protocol_version::tls12,
         .ciphers = GetParam().library});
  }
  static server exporting(std::shared_ptr<const server_context> context) {
    server made(context);
    made.codec = server_codec(std::move(context), true);
    return made;
  }
};

class ExportTls13 : public Export {};
class ExportTls12Gcm : public Export {};

TEST_P(Export, AClientTakesRecordsMadeWithTheKeys) {
  client one(options());
  server other = exporting(context_with());
  ASSERT_TRUE(connect(one, other));
  traffic_keys keys;
  ASSERT_TRUE(other.codec.write_keys(keys));
  EXPECT_EQ(keys.cipher, GetParam().cipher);
  EXPECT_EQ(keys.tls13, GetParam().tls13);
  // A ticket in TLS 1.3; Finished in TLS 1.2.
  EXPECT_EQ(keys.sequence, 1U);
  other.codec.hand_over_writing(false);
  record_maker kernel(keys);
  one.received += kernel.make("made by ") + kernel.make("somebody else");
  EXPECT_EQ(one.read(), "made by somebody else");
  EXPECT_TRUE(one.has_ticket());

  // Receiving goes on, and nothing of it makes wolfSSL write.
  one.write("hello");
  std::string got;
  std::string answers;
  EXPECT_EQ(other.read(one.sent, answers, got), step::want_input);
  EXPECT_EQ(got, "hello");
  EXPECT_EQ(answers, "");
  const server_codec::unsent nothing = other.codec.take_unsent();
  EXPECT_FALSE(nothing.key_update);
  EXPECT_EQ(nothing.warning, -1);

  one.received += kernel.make(std::string_view("\x01\x00", 2), 21);
  EXPECT_EQ(one.read(), "");
  EXPECT_TRUE(one.saw_close());
  one.close();
  EXPECT_EQ(other.read(one.sent, answers, got), step::closed);
  EXPECT_EQ(answers, "");
}

TEST_P(Export, WithoutATicketTheSequenceIsLower) {
  client one(options());
  server other = exporting(context_with({.session_tickets = false}));
  ASSERT_TRUE(connect(one, other));
  traffic_keys keys;
  ASSERT_TRUE(other.codec.write_keys(keys));
  EXPECT_EQ(keys.sequence, GetParam().tls13 ? 0U : 1U);
  other.codec.hand_over_writing(false);
  one.received += record_maker(keys).make("first");
  EXPECT_EQ(one.read(), "first");
}

TEST_P(Export, WhoeverDoesNotTakeThemLosesNothing) {
  client one(options());
  server other = exporting(context_with());
  ASSERT_TRUE(connect(one, other));
  traffic_keys keys;
  ASSERT_TRUE(other.codec.write_keys(keys));
  other.codec.keep_writing();
  ASSERT_EQ(other.write("by wolfSSL", one.received), step::done);
  EXPECT_EQ(one.read(), "by wolfSSL");
}

// No nonce is used twice, whatever wolfSSL began with: ours is the one that it would have used.
TEST_P(ExportTls12Gcm, CountsOnFromWolfsslsNonce) {
  client one(options());
  server other = exporting(context_with());
  ASSERT_TRUE(connect(one, other));
  traffic_keys keys;
  ASSERT_TRUE(other.codec.write_keys(keys));
  other.codec.keep_writing();
  std::string record;
  ASSERT_EQ(other.write("by wolfSSL", record), step::done);
  EXPECT_EQ(record.substr(5, 8), text(std::span(keys.iv).subspan(4)));
}

TEST_P(ExportTls13, ARequestForNewKeysIsReportedAndAnswered) {
  client one(options());
  server other = exporting(context_with());
  ASSERT_TRUE(connect(one, other));
  traffic_keys keys;
  ASSERT_TRUE(other.codec.write_keys(keys));
  other.codec.hand_over_writing(true);
  record_maker before(keys);
  std::string got;
  std::string answers;
  for (int round = 0; round < 2; ++round) {  // the second coalesces with the first
    one.update_key();
    one.write("new keys, please");
    EXPECT_EQ(other.read(one.sent, answers, got), step::want_input);
  }
  EXPECT_EQ(got, "new keys, pleasenew keys, please");
  EXPECT_EQ(answers, "");
  EXPECT_TRUE(other.codec.take_unsent().key_update);
  EXPECT_FALSE(other.codec.take_unsent().key_update);

  one.received += before.make("old keys;");
  one.received += before.make(std::string_view("\x18\x00\x00\x01\x00", 5), 22);
  traffic_keys next;
  ASSERT_TRUE(other.codec.next_keys(next));
  EXPECT_EQ(next.sequence, 0U);
  EXPECT_NE(next.key, keys.key);
  record_maker after(next);
  one.received += after.make("new keys;") + after.make("and so on");
  EXPECT_EQ(one.read(), "old keys;new keys;and so on");
}

std::string name_of(const ::testing::TestParamInfo<suite_case>& each) {
  std::string name = each.param.library;
  std::erase(name, '-');
  return name;
}

constexpr suite_case all[] = {{"TLS13-AES128-GCM-SHA256", aead::aes128_gcm, true},
                              {"TLS13-AES256-GCM-SHA384", aead::aes256_gcm, true},
                              {"TLS13-CHACHA20-POLY1305-SHA256", aead::chacha20_poly1305, true},
                              {"ECDHE-ECDSA-AES128-GCM-SHA256", aead::aes128_gcm, false},
                              {"ECDHE-ECDSA-AES256-GCM-SHA384", aead::aes256_gcm, false},
                              {"ECDHE-ECDSA-CHACHA20-POLY1305", aead::chacha20_poly1305, false}};

INSTANTIATE_TEST_SUITE_P(Codec, Export, ::testing::ValuesIn(all), name_of);
INSTANTIATE_TEST_SUITE_P(Codec, ExportTls13, ::testing::ValuesIn(all, all + 3), name_of);
INSTANTIATE_TEST_SUITE_P(Codec, ExportTls12Gcm, ::testing::ValuesIn(all + 3, all + 5), name_of);

}  // namespace
}  // namespace rw::tls
