#include "tls/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "client.h"

namespace rw::tls {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

result<certificate> load(std::string_view chain, std::string_view key) {
  return certificate::load(vector_file(chain), secret(vector_file(key)));
}

// The text it is refused with.
std::string refused(const result<certificate>& got) {
  if (got) return "(not refused)";
  EXPECT_EQ(got.error().code, fault::invalid);
  EXPECT_EQ(got.error().from, origin::configuration);
  return got.error().text;
}

TEST(Certificate, KnowsItsNames) {
  const auto got = load("chain.pem", "leaf.key");
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_THAT(got->names(), UnorderedElementsAre("www.example.org", "*.example.org"));
  EXPECT_THAT(got->addresses(), UnorderedElementsAre("192.0.2.1", "2001:db8::1"));
  EXPECT_EQ(got->kind(), key_kind::ecdsa);
}

TEST(Certificate, FallsBackToTheCommonName) {
  const auto got = load("common.pem", "common.key");
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_THAT(got->names(), ElementsAre("common.example"));
  EXPECT_THAT(got->addresses(), IsEmpty());
}

TEST(Certificate, TakesEveryKindOfKey) {
  struct {
    const char* name;
    key_kind kind;
  } const cases[] = {{"rsa", key_kind::rsa},          // PKCS#1
                     {"ed25519", key_kind::ed25519},  // PKCS#8
                     {"p384", key_kind::ecdsa},       // SEC 1 behind EC PARAMETERS
                     {"p521", key_kind::ecdsa}};      // SEC 1
  for (const auto& each : cases) {
    const auto got = load(std::string(each.name) + ".pem", std::string(each.name) + ".key");
    ASSERT_TRUE(got) << each.name << ": " << got.error().text;
    EXPECT_EQ(got->kind(), each.kind);
  }
}

TEST(Certificate, TellsWhenItEnds) {
  const wall_time now{std::chrono::sys_days{std::chrono::year{2031} / 3 / 1} +
                      std::chrono::hours(12)};
  const std::vector<std::string> names = {"a.example"};
  const auto pair = make_self_signed(names, {}, now, std::chrono::hours(48));
  ASSERT_TRUE(pair);
  const auto got = certificate::load(pair->chain_pem, pair->key_pem);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(got->not_before(), now - std::chrono::hours(1));
  EXPECT_EQ(got->not_after(), now + std::chrono::hours(48));
  // GeneralizedTime past 2262 is past what 64 bits of nanoseconds hold.
  const auto far = make_self_signed(names, {}, now, std::chrono::hours(24 * 365 * 240));
  ASSERT_TRUE(far);
  EXPECT_EQ(certificate::load(far->chain_pem, far->key_pem)->not_after(), wall_time::max());
}

TEST(Certificate, AChainEndsWithItsFirstToEnd) {
  const auto chain = load("chain.pem", "leaf.key");
  const auto leaf = load("leaf.pem", "leaf.key");
  ASSERT_TRUE(chain && leaf);
  EXPECT_LE(chain->not_after(), leaf->not_after());
  EXPECT_EQ(chain->fingerprint(), leaf->fingerprint());
}

TEST(Certificate, RefusesAKeyOfAnother) {
  const std::string text = "the private key does not belong to the first certificate of the chain";
  EXPECT_EQ(refused(load("chain.pem", "other.key")), text);
  EXPECT_EQ(refused(load("chain.pem", "intermediate.key")), text);
  EXPECT_EQ(refused(load("rsa.pem", "leaf.key")), text);
  EXPECT_EQ(refused(load("leaf.pem", "rsa.key")), text);
  EXPECT_EQ(refused(load("leaf.pem", "ed25519.key")), text);
  EXPECT_EQ(refused(load("ed25519.pem", "leaf.key")), text);
  EXPECT_EQ(refused(load("leaf.pem", "p384.key")), text);
}

TEST(Certificate, RefusesAChainOutOfOrder) {
  const std::string text = "the chain is out of order: leaf first, then the issuer of each";
  EXPECT_EQ(refused(load("reversed.pem", "leaf.key")), text);
  EXPECT_EQ(refused(load("gap.pem", "leaf.key")), text);
}

TEST(Certificate, RefusesWhatIsNoChain) {
  const secret key(vector_file("leaf.key"));
  const std::string leaf = vector_file("leaf.pem");
  EXPECT_EQ(refused(certificate::load("", key)), "holds no PEM certificate");
  EXPECT_EQ(refused(certificate::load(vector_file("leaf.key"), key)), "holds no PEM certificate");
  EXPECT_EQ(refused(certificate::load(leaf.substr(0, leaf.size() / 2), key)),
            "its last certificate is cut off");
  EXPECT_EQ(refused(certificate::load(leaf + leaf.substr(0, 100), key)),
            "its last certificate is cut off");
  std::string broken = leaf;
  broken[100] = '!';
  EXPECT_EQ(refused(certificate::load(broken, key)), "a certificate is not Base64");
  broken[100] = leaf[100] == 'A' ? 'B' : 'A';
  EXPECT_THAT(refused(certificate::load(broken, key)), ::testing::StartsWith("a certificate of"));
  std::string many;
  for (int i = 0; i < 11; ++i) many += leaf;
  EXPECT_THAT(refused(certificate::load(many, key)), ::testing::HasSubstr("10 certificates"));
}

TEST(Certificate, RefusesWhatIsNoKey) {
  EXPECT_EQ(refused(load("leaf.pem", "leaf.pem")), "the key file holds no PEM private key");
  EXPECT_EQ(refused(certificate::load(vector_file("leaf.pem"), secret())),
            "the key file holds no PEM private key");
  const std::string encrypted =
      "the private key is encrypted; Ringward has nobody to ask for its password";
  EXPECT_EQ(refused(load("leaf.pem", "encrypted.key")), encrypted);
  EXPECT_EQ(refused(load("rsa.pem", "encrypted-rsa.key")), encrypted);
  EXPECT_THAT(refused(load("leaf.pem", "k256.key")), ::testing::StartsWith("the private key"));
}

TEST(Certificate, RefusesAWeakKey) {
  EXPECT_EQ(refused(load("rsa1024.pem", "rsa1024.key")),
            "an RSA key of the chain is shorter than 2048 bits");
}

TEST(Certificate, IgnoresTextAroundTheBlocks) {
  const std::string text = "subject=CN = x\r\n" + vector_file("leaf.pem") + "\n\nissuer=\n" +
                           vector_file("intermediate.pem") + "trailing";
  std::string windows;
  for (const char c : text) {
    if (c == '\n') windows += '\r';
    windows += c;
  }
  EXPECT_TRUE(certificate::load(text, secret(vector_file("leaf.key"))));
  EXPECT_TRUE(certificate::load(windows, secret(vector_file("leaf.key"))));
}

TEST(SelfSigned, ServesNamesAndAddresses) {
  const std::vector<std::string> names = {"localhost"};
  const std::vector<std::string> addresses = {"127.0.0.1", "::1"};
  const wall_time now{std::chrono::sys_days{std::chrono::year{2026} / 1 / 31}};
  const auto pair = make_self_signed(names, addresses, now, std::chrono::hours(24));
  ASSERT_TRUE(pair);
  const auto got = certificate::load(pair->chain_pem, pair->key_pem);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_THAT(got->names(), ElementsAre("localhost"));
  EXPECT_THAT(got->addresses(), UnorderedElementsAre("127.0.0.1", "::1"));
  const auto again = make_self_signed(names, addresses, now, std::chrono::hours(24));
  EXPECT_NE(again->chain_pem, pair->chain_pem);
  EXPECT_NE(again->key_pem.view(), pair->key_pem.view());
}

TEST(SelfSigned, RefusesToBeForNobody) {
  const std::vector<std::string> bad = {"300.0.0.1"};
  EXPECT_FALSE(make_self_signed({}, {}, {}, std::chrono::hours(1)));
  EXPECT_FALSE(make_self_signed({}, bad, {}, std::chrono::hours(1)));
}

}  // namespace
}  // namespace rw::tls
