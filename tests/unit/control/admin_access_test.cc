#include "control/admin_access.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace rw::control {
namespace {

// Kept: the head's views point into it.
class AdminAccess : public testing::Test {
 protected:
  AdminAccess() { random_init(); }  // guarded memory, too

  const http::request_head& ask(const std::string& lines, const std::string& host = "localhost") {
    text_ = "GET / HTTP/1.1\r\nHost: " + host + "\r\n" + lines + "\r\n";
    const http::outcome got = http::parse_request(text_, 0, {}, head_);
    EXPECT_EQ(got.state, http::progress::complete) << text_;
    return head_;
  }

  std::string text_;
  http::request_head head_;
};

TEST_F(AdminAccess, AnAddressOrLocalhostIsThisMachine) {
  for (const char* host : {"localhost", "LOCALHOST", "localhost:9180", "127.0.0.1", "127.0.0.1:1",
                           "[::1]", "[::1]:9180", "192.0.2.7", "[2001:db8::1]:80"}) {
    EXPECT_TRUE(names_this_machine(ask("", host))) << host;
  }
  for (const char* host : {"a", "localhost.example", "localhost.localdomain", "127.0.0.1.example",
                           "1", "127.1", "0x7f000001", "xn--localhost", "example:80"}) {
    EXPECT_FALSE(names_this_machine(ask("", host))) << host;
  }
}

TEST_F(AdminAccess, ABearerTokenOrAPassword) {
  const secret word("pass:word");
  for (const char* line : {"Bearer pass:word", "bearer pass:word", "BEARER   pass:word",
                           "Basic OnBhc3M6d29yZA==", "basic bWU6cGFzczp3b3Jk"}) {
    EXPECT_TRUE(presents(ask("Authorization: " + std::string(line) + "\r\n"), word)) << line;
  }
}

TEST_F(AdminAccess, NothingElseDoes) {
  const secret word("pass:word");
  EXPECT_FALSE(presents(ask(""), word));
  for (const char* line :
       {"pass:word", "Bearer", "Bearerpass:word", "Bearer pass:wor", "Bearer pass:word,",
        "Digest pass:word", "Basic", "Basic =", "Basic cGFzczp3b3Jk", "Basic bWU6cGFzczp3b3J",
        "Basic bWU6cGFzczp3b3Jk=", "Basic bWU6cGFzczp3b3Jk bWU6cGFzczp3b3Jk", "Basic bWU6",
        "Basic OnBhc3M6d29yZA", "Basic ~~~~"}) {
    EXPECT_FALSE(presents(ask("Authorization: " + std::string(line) + "\r\n"), word)) << line;
  }
  const std::string long_one(7000, 'A');
  EXPECT_FALSE(presents(ask("Authorization: Basic " + long_one + "\r\n"), word));
}

}  // namespace
}  // namespace rw::control
