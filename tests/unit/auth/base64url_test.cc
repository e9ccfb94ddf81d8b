#include "auth/base64url.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace rw::auth {
namespace {

std::string encode(std::string_view octets) {
  std::string out;
  append_base64url(out, octets);
  return out;
}

TEST(Base64url, RoundTripsEveryLength) {
  for (std::size_t length = 0; length < 200; ++length) {
    std::string octets(length, '\0');
    random_bytes(std::as_writable_bytes(std::span(octets)));
    EXPECT_EQ(decode_base64url(encode(octets)), octets);
  }
}

// RFC 4648 10, without the padding.
TEST(Base64url, Vectors) {
  EXPECT_EQ(encode("f"), "Zg");
  EXPECT_EQ(encode("fo"), "Zm8");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode("\xfb\xff"), "-_8");
}

// Of all texts of two and three characters, exactly one for each value decodes.
TEST(Base64url, OneTextForEachValue) {
  int two = 0;
  int three = 0;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      if (const auto octets = decode_base64url(text)) {
        ++two;
        EXPECT_EQ(encode(*octets), text);
      }
      const std::string longer = text + "A";
      if (const auto octets = decode_base64url(longer)) {
        ++three;
        EXPECT_EQ(encode(*octets), longer);
      }
    }
  }
  EXPECT_EQ(two, 256);
  EXPECT_EQ(three, 64 * 64);
}

TEST(Base64url, RefusesWhatIsNotCanonical) {
  for (const char* bad :
       {"A", "AAAAA", "AA==", "AA=", "Zh", "Zm9=", "Zm+/", "Zm 9", "Zm\n9", "Zm9v=",
        "\xc3\xa9"
        "AA",
        "Zm9\x80"}) {
    EXPECT_FALSE(decode_base64url(bad)) << bad;
  }
}

}  // namespace
}  // namespace rw::auth
