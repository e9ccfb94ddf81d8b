#include "http/forwarded.h"

#include <gtest/gtest.h>

namespace rw::http {
namespace {

TEST(Forwarded, IsAListOfPairs) {
  for (const char* good :
       {"", "for=192.0.2.7", "for=192.0.2.7;proto=http;by=203.0.113.43", "For=\"[2001:db8::1]:80\"",
        "for=_gazonk", "for=unknown, for=1.2.3.4", "for=a ;proto=b , for=c", "for=\"a\\\"b,;=\"",
        ",for=a,,", "host=\"\""}) {
    EXPECT_TRUE(is_forwarded_list(good)) << good;
  }
}

// RFC 7239 4: values that are no token are quoted.
TEST(Forwarded, IsNothingThatCouldTakeInWhatFollows) {
  for (const char* bad : {"for=\"", "for=\"a", "for=\"a\\\"", "for", "for=", "=a", "for=[::1]",
                          "for=a b", "for=a\"b\"", "for=a, \"", "for =a", "for= a", "1.2.3.4\"",
                          "for=a;b", "for=\"a\"b", "for=\"\\"}) {
    EXPECT_FALSE(is_forwarded_list(bad)) << bad;
  }
}

}  // namespace
}  // namespace rw::http
