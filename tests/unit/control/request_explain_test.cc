#include "control/request_explain.h"

#include <gtest/gtest.h>

namespace rw::control {
namespace {

TEST(RequestExplain, ItsCommandIsReadAsItWasWritten) {
  const asked_request asked{.method = "POST",
                            .host = "a.example",
                            .path = "/x?y=z",
                            .address = "2001:db8::1",
                            .listener = "https",
                            .api_key = "rw_alice_x",
                            .authorization = "Bearer a.b.c"};
  const auto read = from_command(to_command(asked));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->method, asked.method);
  EXPECT_EQ(read->host, asked.host);
  EXPECT_EQ(read->path, asked.path);
  EXPECT_EQ(read->address, asked.address);
  EXPECT_EQ(read->listener, asked.listener);
  EXPECT_EQ(read->api_key, asked.api_key);
  EXPECT_EQ(read->authorization, asked.authorization);
}

TEST(RequestExplain, WhatIsNoSuchCommandIsNone) {
  for (const char* text : {"", "explain", "status", "explain\tGET\t\t/", "\t\t\t\t\t\t\t",
                           "explain\tGET\t\t/\t\t\t\t\tmore", "explainer\tGET\t\t/\t\t\t\t"}) {
    EXPECT_FALSE(from_command(text)) << text;
  }
  EXPECT_TRUE(from_command("explain\tGET\t\t/\t\t\t\t"));
}

}  // namespace
}  // namespace rw::control
