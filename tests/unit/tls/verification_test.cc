#include "tls/verification.h"

#include <gtest/gtest.h>

#include "client.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

using testing::vector_file;

std::string der_of(std::string_view file) {
  auto found = read_certificates(vector_file(file), 10);
  EXPECT_TRUE(found.has_value());
  return found ? found->front() : std::string();
}

std::shared_ptr<const authorities> root() {
  const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  return authorities::load(vector_file("root.pem"), now).value_or(nullptr);
}

TEST(Verification, ANameIsExactOrAWildcardOfOneLabel) {
  const std::string leaf = der_of("leaf.pem");
  for (const auto* name : {"www.example.org", "WWW.example.ORG", "a.example.org", "192.0.2.1",
                           "2001:db8::1", "2001:0DB8:0::1"}) {
    EXPECT_TRUE(is_for(leaf, name)) << name;
  }
  for (const auto* name : {"example.org", "a.b.example.org", ".example.org", "www.example.com",
                           "192.0.2.10", "2001:db8::2", "*.example.com", "", "org"}) {
    EXPECT_FALSE(is_for(leaf, name)) << name;
  }
}

TEST(Verification, ACommonNameIsNoName) {
  EXPECT_FALSE(is_for(der_of("common.pem"), "common.example"));
  EXPECT_FALSE(is_for(der_of("leaf.pem"), "not.used.example"));
  EXPECT_FALSE(is_for("no certificate", "www.example.org"));
}

// openssl x509 -in FILE -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum
TEST(Verification, AKeyIsDigestedAsOpensslDoes) {
  const auto digest = key_digest(der_of("leaf.pem"));
  ASSERT_TRUE(digest);
  EXPECT_EQ(*digest, *parse_pin("sha256/OpGOJPwqEf5a/jHSsoWN96e91b0Yq+t6I2ElOwW5Aos="));
}

TEST(Verification, AKeyOfBrokenBytesIsNone) {
  const std::string der = der_of("leaf.pem");
  for (std::size_t size = 0; size < 300; ++size) {
    EXPECT_FALSE(key_digest(std::string_view(der).substr(0, size))) << size;
  }
}

TEST(Verification, APinCountsWhereTheSignaturesLead) {
  const std::string leaf = der_of("leaf.pem");
  const std::string intermediate = der_of("intermediate.pem");
  const std::string other = der_of("rsa.pem");
  const auto pinned = [&](const std::string& what, std::vector<std::string_view> sent) {
    return has_pin(sent, {.pins = {*key_digest(what)}, .trusted = root()});
  };
  EXPECT_TRUE(pinned(leaf, {leaf, intermediate}));
  EXPECT_TRUE(pinned(intermediate, {leaf, intermediate}));
  EXPECT_TRUE(pinned(der_of("root.pem"), {leaf, intermediate}));
  EXPECT_FALSE(pinned(der_of("root.pem"), {leaf})) << "no way up";
  EXPECT_FALSE(pinned(other, {leaf, intermediate}));
  EXPECT_FALSE(pinned(other, {leaf, intermediate, other})) << "sent along, and signed nothing";
}

TEST(Verification, APinIsReadStrictly) {
  EXPECT_TRUE(parse_pin("sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
  for (const auto* text : {"", "sha256/", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                           "sha1/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                           "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF=",
                           "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=="}) {
    EXPECT_FALSE(parse_pin(text)) << text;
  }
}

TEST(Authorities, LeaveOutKeysThatAreTooShort) {
  const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  const auto found = authorities::load(vector_file("root.pem") + vector_file("rsa1024.pem"), now);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->left_out(), 1U);
  EXPECT_FALSE(authorities::load(vector_file("rsa1024.pem"), now));
}

TEST(Authorities, LeaveOutWhatIsNotValidNow) {
  const std::string both = vector_file("root.pem") + vector_file("intermediate.pem");
  const wall_time now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  const auto loaded = authorities::load(both, now);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ((*loaded)->certificates().size(), 2U);
  EXPECT_EQ((*loaded)->left_out(), 0U);
  EXPECT_FALSE(authorities::load(both, wall_time{}));  // 1970
  EXPECT_FALSE(authorities::load("", now));
  EXPECT_FALSE(authorities::load(both.substr(0, 200), now));
}

}  // namespace
}  // namespace rw::tls
