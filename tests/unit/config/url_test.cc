#include "config/url.h"

#include <gtest/gtest.h>

#include <string>

namespace rw::config {
namespace {

TEST(HttpsUrl, IsTakenApart) {
  const struct {
    const char* text;
    https_url is;
    const char* authority;
  } table[] = {
      {"https://idp.example", {"idp.example", 443, "/"}, "idp.example"},
      {"HTTPS://IdP.Example./Keys?A=1", {"idp.example", 443, "/Keys?A=1"}, "idp.example"},
      {"https://idp.example?v=1", {"idp.example", 443, "/?v=1"}, "idp.example"},
      {"https://idp.example:8443/k", {"idp.example", 8443, "/k"}, "idp.example:8443"},
      {"https://192.0.2.1/k", {"192.0.2.1", 443, "/k"}, "192.0.2.1"},
      {"https://[2001:DB8::1]/k", {"2001:db8::1", 443, "/k"}, "[2001:db8::1]"},
      {"https://[2001:db8::1]:8443", {"2001:db8::1", 8443, "/"}, "[2001:db8::1]:8443"},
  };
  for (const auto& one : table) {
    const auto got = parse_https_url(one.text);
    ASSERT_TRUE(got) << one.text << ": " << got.error().text;
    EXPECT_EQ(*got, one.is) << one.text;
    EXPECT_EQ(got->authority(), one.authority);
  }
}

TEST(HttpsUrl, IsRefusedWithAReason) {
  const struct {
    std::string text;
    const char* says;
  } table[] = {
      {"", "visible ASCII"},
      {"http://idp.example/", "http:// with keys"},
      {"ftp://idp.example/", "must begin with https://"},
      {"idp.example/keys", "must begin with https://"},
      {"https://", "a host"},
      {"https:///keys", "a host"},
      {"https://user:pw@idp.example/", "no user"},
      {"https://idp.example/#k", "fragment"},
      {"https://idp.example:0/", "port from 1"},
      {"https://idp.example:65536/", "port from 1"},
      {"https://idp.example:/", "a host"},
      {"https://[::1/", "a host"},
      {"https://a b/", "visible ASCII"},
      {"https://a\r\nX: y/", "visible ASCII"},
      {"https://idp.example/" + std::string(url_bytes_max, 'a'), "2048"},
  };
  for (const auto& one : table) {
    const auto got = parse_https_url(one.text);
    ASSERT_FALSE(got) << one.text;
    EXPECT_EQ(got.error().code, fault::invalid);
    EXPECT_TRUE(std::string_view(got.error().text).contains(one.says))
        << one.text << ": " << got.error().text;
  }
}

}  // namespace
}  // namespace rw::config
