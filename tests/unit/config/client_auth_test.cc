// client_auth and client_ca of [listener.tls], and "mtls" of a route
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string with_tls(std::string_view lines) {
  return std::string(with_listener) +
         "[listener.tls]\ncertificates = [{ chain = \"/c\", key = { file = \"/k\" } }]\n" +
         std::string(lines) + "\n[[upstream]]\nname = \"u\"\nservers = [{ address = " +
         "\"127.0.0.1:80\" }]\n[[route]]\nname = \"all\"\npath_prefix = \"/\"\nupstream = \"u\"\n";
}

listener read_one(std::string_view lines) {
  return must_parse(with_tls(lines) + "auth = []\n").listeners.at(0);
}

TEST(ClientAuth, IsOffUnlessSomebodyWantsIt) {
  for (const char* lines :
       {"", "client_auth = \"off\"", "client_auth = \"off\"\nclient_ca = \"\""}) {
    EXPECT_EQ(read_one(lines).tls.clients, client_auth::off) << lines;
  }
  const listener one = read_one("client_auth = \"optional\"\nclient_ca = \"/ca.pem\"");
  EXPECT_EQ(one.tls.clients, client_auth::optional);
  EXPECT_EQ(one.tls.client_ca, "/ca.pem");
  EXPECT_EQ(read_one("client_auth = \"required\"\nclient_ca = \"/ca.pem\"").tls.clients,
            client_auth::required);
}

TEST(ClientAuth, RefusesWhatWouldVerifyNobodyOrEverybody) {
  const auto said = [](std::string_view lines) {
    return complaints(with_tls(lines) + "auth = []\n");
  };
  EXPECT_THAT(said("client_auth = \"on\""),
              ElementsAre(HasSubstr("t:6:15: error: listener.tls.client_auth: must be one of")));
  EXPECT_THAT(said("client_auth = \"required\""),
              ElementsAre("t:4:1: error: listener.tls.client_ca: required: the PEM file of the "
                          "authorities that clients are verified by"));
  EXPECT_THAT(said("client_auth = \"optional\"\nclient_ca = \"\""),
              ElementsAre(HasSubstr("listener.tls.client_ca: required")));
  EXPECT_THAT(said("client_auth = \"required\"\nclient_ca = \"system\""),
              ElementsAre(HasSubstr("t:7:13: error: listener.tls.client_ca: must be the path")));
  EXPECT_THAT(said("client_ca = \"/ca.pem\""),
              ElementsAre(HasSubstr("t:6:13: error: listener.tls.client_ca: does nothing")));
}

TEST(ClientAuth, ARouteThatTakesCertificatesNeedsOneWhoAsks) {
  const std::string asks = "client_auth = \"optional\"\nclient_ca = \"/ca.pem\"";
  const configuration read = must_parse(with_tls(asks) + "auth = [\"mtls\"]\n");
  ASSERT_EQ(read.routes.at(0).auth.size(), 1U);
  EXPECT_EQ(read.routes[0].auth[0].how, credential::kind::mtls);
  EXPECT_THAT(complaints(with_tls(asks) + "auth = []\nauth_all = [\"mtls\"]\n"), IsEmpty());
  EXPECT_THAT(complaints(with_tls("") + "auth = []\nauth_all = [\"mtls\"]\n"),
              ElementsAre(HasSubstr("route.auth_all: \"mtls\" needs a [[listener]]")));
}

}  // namespace
}  // namespace rw::config
