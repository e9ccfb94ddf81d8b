// [upstream.tls]
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view pin = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

std::string with_tls(std::string_view lines, std::string_view address = "127.0.0.1:443") {
  return std::string(with_listener) + "[[upstream]]\nname = \"u\"\nservers = [{ address = \"" +
         std::string(address) + "\" }]\n[upstream.tls]\n" + std::string(lines) +
         "\n[[route]]\nname = \"all\"\npath_prefix = \"/\"\nupstream = \"u\"\nauth = "
         "[\"api_keys\"]\n[auth.api_keys]\n";
}

upstream read_one(std::string_view lines) {
  auto read = parse(with_tls(lines), "t");
  EXPECT_TRUE(read.has_value()) << (read ? "" : to_string(read.error().front()));
  return read ? read->settings.upstreams.at(0) : upstream{};
}

TEST(UpstreamTls, DefaultsAreTheContracts) {
  const upstream one = read_one("");
  EXPECT_TRUE(one.has_tls);
  EXPECT_TRUE(one.tls.verify);
  EXPECT_EQ(one.tls.ca, "system");
  EXPECT_EQ(one.tls.server_name, "");
  EXPECT_THAT(one.tls.pin, IsEmpty());
  EXPECT_FALSE(one.tls.has_certificate);
  EXPECT_FALSE(read_one("certificate = \"off\"").tls.has_certificate);
}

TEST(UpstreamTls, EveryKeyIsRead) {
  const upstream one =
      read_one("verify = false\nca = \"/ca.pem\"\nserver_name = \"Api.Example\"\npin = [\"" +
               std::string(pin) + "\"]\ncertificate = { chain = \"/c\", key = { file = \"/k\" } }");
  EXPECT_FALSE(one.tls.verify);
  EXPECT_EQ(one.tls.ca, "/ca.pem");
  EXPECT_EQ(one.tls.server_name, "api.example");
  EXPECT_THAT(one.tls.pin, ElementsAre(pin));
  EXPECT_TRUE(one.tls.has_certificate);
  EXPECT_EQ(one.tls.certificate.chain, "/c");
  EXPECT_EQ(one.tls.certificate.key.name, "/k");
}

TEST(UpstreamTls, AServerNameIsAHostOrAnAddress) {
  for (const char* name : {"a", "a.example", "192.0.2.1", "2001:db8::1", "::1"}) {
    EXPECT_THAT(complaints(with_tls("server_name = \"" + std::string(name) + "\"")), IsEmpty());
  }
  for (const char* name : {"*.example", "a.example:443", "a b", "unix:/s", "[::1]", "a/b"}) {
    EXPECT_THAT(complaints(with_tls("server_name = \"" + std::string(name) + "\"")),
                ElementsAre("t:8:15: error: upstream.tls.server_name: must be a host name or an IP "
                            "address, without a port"))
        << name;
  }
}

TEST(UpstreamTls, APinIsTheDigestOfAKey) {
  for (const std::string& bad :
       {std::string("sha256/"), std::string("sha1/") + std::string(pin.substr(7)),
        std::string(pin.substr(7)), std::string(pin) + "=", std::string(pin.substr(0, 50)),
        "sha256/" + std::string(43, 'A') + "!", "sha256/" + std::string(42, 'A') + "B="}) {
    EXPECT_THAT(complaints(with_tls("pin = [\"" + bad + "\"]")),
                ElementsAre(HasSubstr("t:8:8: error: upstream.tls.pin: must be")))
        << bad;
  }
}

TEST(UpstreamTls, RefusesWhatIsIncomplete) {
  EXPECT_THAT(complaints(with_tls("ca = \"\"")),
              ElementsAre(HasSubstr("upstream.tls.ca: must be")));
  EXPECT_THAT(complaints(with_tls("certificate = \"on\"")),
              ElementsAre(HasSubstr("upstream.tls.certificate: must be \"off\"")));
  EXPECT_THAT(complaints(with_tls("certificate = { chain = \"/c\" }")),
              ElementsAre(HasSubstr("upstream.tls.certificate.key: required")));
  EXPECT_THAT(complaints(with_tls("certificate = { key = { file = \"/k\" } }")),
              ElementsAre(HasSubstr("upstream.tls.certificate.chain: required")));
}

TEST(UpstreamTls, ASocketNeedsAServerName) {
  EXPECT_THAT(complaints(with_tls("", "unix:/run/app.sock")),
              ElementsAre(HasSubstr("upstream.tls.server_name: is needed")));
  EXPECT_THAT(complaints(with_tls("server_name = \"app\"", "unix:/run/app.sock")), IsEmpty());
  EXPECT_THAT(complaints(with_tls("verify = false", "unix:/run/app.sock")), IsEmpty());
}

}  // namespace
}  // namespace rw::config
