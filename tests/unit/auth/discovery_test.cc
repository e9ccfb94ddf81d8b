#include "auth/discovery.h"

#include <gtest/gtest.h>

namespace rw::auth {
namespace {

constexpr std::string_view issuer = "https://idp.example/realm";

TEST(Discovery, TheDocumentIsBelowTheIssuer) {
  EXPECT_EQ(discovery_url("https://idp.example"),
            "https://idp.example/.well-known/openid-configuration");
  EXPECT_EQ(discovery_url("https://idp.example/realm/"),
            "https://idp.example/realm/.well-known/openid-configuration");
}

TEST(Discovery, SaysWhereTheKeysAre) {
  const auto got = read_discovery(
      R"({"issuer":"https://idp.example/realm","x":[1],"jwks_uri":"https://k.example/keys"})",
      issuer);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(*got, "https://k.example/keys");
}

TEST(Discovery, IsOfTheIssuerThatWasAskedOrRefused) {
  const struct {
    std::string_view json;
    std::string_view says;
  } table[] = {
      {R"({"issuer":"https://idp.example/realm/","jwks_uri":"https://k.example/"})", "another"},
      {R"({"issuer":"https://IDP.example/realm","jwks_uri":"https://k.example/"})", "another"},
      {R"({"issuer":["https://idp.example/realm"],"jwks_uri":"https://k.example/"})", "another"},
      {R"({"jwks_uri":"https://k.example/"})", "another"},
      {R"({"issuer":"https://idp.example/realm"})", "no `jwks_uri`"},
      {R"({"issuer":"https://idp.example/realm","jwks_uri":7})", "no `jwks_uri`"},
      {R"({"issuer":"https://idp.example/realm","issuer":"x","jwks_uri":"https://k/"})", "strict"},
      {R"(["https://idp.example/realm"])", "strict"},
      {"<html>", "strict"},
      {"", "strict"},
  };
  for (const auto& one : table) {
    const auto got = read_discovery(one.json, issuer);
    ASSERT_FALSE(got) << one.json;
    EXPECT_TRUE(std::string_view(got.error()).contains(one.says)) << one.json << got.error();
  }
}

}  // namespace
}  // namespace rw::auth
