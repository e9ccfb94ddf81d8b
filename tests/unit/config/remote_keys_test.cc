// jwks = { url } and { discover }: what is taken, and what is refused where.
#include <gmock/gmock.h>

#include "config_text.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with_keys(std::string_view jwks, std::string_view issuer = "https://idp.example/") {
  return std::string(with_listener) + "[auth.jwt.main]\nissuer = \"" + std::string(issuer) +
         "\"\naudiences = [\"a\"]\njwks = " + std::string(jwks) + "\n" +
         "[[upstream]]\nname = \"o\"\nservers = [{ address = \"127.0.0.1:1\" }]\n"
         "[[route]]\nname = \"r\"\npath_prefix = \"/\"\nupstream = \"o\"\n"
         "auth = [\"jwt:main\"]\n";
}

TEST(RemoteKeys, HaveTheDefaultsOfTheContract) {
  const auto read = must_parse(with_keys("{ url = \"https://idp.example/keys\" }"));
  const remote_keys& keys = read.jwt.at(0).jwks_remote;
  EXPECT_TRUE(read.jwt[0].has_remote_keys());
  EXPECT_EQ(keys.url, "https://idp.example/keys");
  EXPECT_FALSE(keys.discover);
  EXPECT_EQ(keys.refresh, 10min);
  EXPECT_EQ(keys.max_stale, 24h);
  EXPECT_THAT(keys.pin, ElementsAre());
  EXPECT_EQ(keys.ca, "system");
}

TEST(RemoteKeys, AreReadAsWritten) {
  const std::string pin = "sha256/" + std::string(42, 'A') + "A=";
  const auto read =
      must_parse(with_keys("{ discover = true, refresh = \"30s\", max_stale = "
                           "\"1h\", ca = \"/ca.pem\", pin = [\"" +
                           pin + "\"] }"));
  const remote_keys& keys = read.jwt.at(0).jwks_remote;
  EXPECT_TRUE(keys.discover);
  EXPECT_TRUE(keys.url.empty());
  EXPECT_EQ(keys.refresh, 30s);
  EXPECT_EQ(keys.max_stale, 1h);
  EXPECT_THAT(keys.pin, ElementsAre(pin));
  EXPECT_EQ(keys.ca, "/ca.pem");
}

TEST(RemoteKeys, AreRefusedWhereTheyAreWrong) {
  const struct {
    const char* jwks;
    const char* says;
  } table[] = {
      {"{ url = \"http://idp.example/\" }",
       "t:7:16: error: auth.jwt.main.jwks.url: must begin with https://: whoever is on the way "
       "could answer http:// with keys"},
      {"{ url = \"https://a/#x\" }", "jwks.url: must have no fragment"},
      {"{ url = \"\" }", "jwks.url: a URL has visible ASCII"},
      {"{ url = \"https://a/\", discover = true }", "auth.jwt.main.jwks: must be one of"},
      {"{ url = \"https://a/\", file = \"/j\" }", "auth.jwt.main.jwks: must be one of"},
      {"{ discover = true, mint = true }", "auth.jwt.main.jwks: must be one of"},
      {"{ discover = false }", "auth.jwt.main.jwks: must be one of"},
      {"{ url = \"https://a/\", refresh = \"29s\" }", "jwks.refresh: must be from 30s to 1d"},
      {"{ url = \"https://a/\", max_stale = \"31d\" }", "jwks.max_stale: must be from 30s to 30d"},
      {"{ url = \"https://a/\", max_stale = \"5m\" }",
       "jwks.max_stale: must not be less than refresh"},
      {"{ url = \"https://a/\", pin = [\"sha256/x\"] }", "jwks.pin: must be \"sha256/\" and"},
      {"{ url = \"https://a/\", ca = \"\" }", "jwks.ca: must be \"system\" or"},
      {"{ url = \"https://a/\", timeout = \"1s\" }", "jwks.timeout: "},
      {"{ file = \"/j\", refresh = \"1m\" }", "jwks.refresh: is for keys that are fetched"},
      {"{ file = \"/j\", pin = [] }", "jwks.pin: is for keys that are fetched"},
  };
  for (const auto& one : table) {
    EXPECT_THAT(complaints(with_keys(one.jwks)), Contains(HasSubstr(one.says))) << one.jwks;
  }
}

TEST(RemoteKeys, AreDiscoveredBelowAnIssuerThatIsAUrl) {
  for (const char* issuer : {"idp", "http://idp.example", "https://idp.example/?r=1"}) {
    EXPECT_THAT(complaints(with_keys("{ discover = true }", issuer)),
                Contains(HasSubstr("auth.jwt.main.issuer: must ")))
        << issuer;
  }
  EXPECT_THAT(complaints(with_keys("{ url = \"https://a/\" }", "idp")), ElementsAre());
}

}  // namespace
}  // namespace rw::config
