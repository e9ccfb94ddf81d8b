#include "control/resolv_options.h"

#include <gtest/gtest.h>

#include <string>

namespace rw::control {
namespace {

using std::chrono::seconds;

void expect(std::string_view text, int timeout, int attempts) {
  const resolv_options got = read_resolv_options(text);
  EXPECT_EQ(got.timeout, seconds(timeout)) << text;
  EXPECT_EQ(got.attempts, attempts) << text;
}

TEST(ResolvOptions, WithoutAWordTheyAreOurs) {
  expect("", 2, 2);
  expect("nameserver 192.0.2.1\nsearch example\n", 2, 2);
  expect("# options timeout:1\n; options timeout:1\n", 2, 2);
  expect("optionstimeout:1\nsearch options timeout:1\n", 2, 2);
}

TEST(ResolvOptions, TheFileIsHeard) {
  expect("options timeout:1", 1, 2);
  expect("options attempts:3\n", 2, 3);
  expect("nameserver 192.0.2.1\noptions rotate timeout:1\tattempts:4 edns0\r\n", 1, 4);
  expect("options timeout:1\noptions timeout:3\n", 3, 2);
}

TEST(ResolvOptions, WhatIsNoNumberIsNotHeard) {
  for (const char* word : {"timeout:", "timeout:0", "timeout:-1", "timeout:x", "timeout:1x",
                           "timeout: 1", "timeout:99999999999", "timeout=1", "attempts:0"}) {
    expect(std::string("options ") + word, 2, 2);
  }
}

TEST(ResolvOptions, NoLookupTakesLongerThanItsBound) {
  expect("options timeout:30", 5, 2);
  expect("options timeout:30 attempts:30", 5, 2);
  expect("options timeout:1 attempts:30", 1, 4);
  const std::string three = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
  expect(three, 2, 2);
  expect(three + "options timeout:5 attempts:5", 5, 1);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "nameserver 192.0.2.1\n";
  expect(many, 1, 1);
  for (int servers = 1; servers <= 3; ++servers) {
    for (int timeout = 1; timeout <= 40; ++timeout) {
      for (int attempts = 1; attempts <= 40; ++attempts) {
        std::string text;
        for (int i = 0; i < servers; ++i) text += "nameserver 192.0.2.1\n";
        text += "options timeout:" + std::to_string(timeout) +
                " attempts:" + std::to_string(attempts) + "\n";
        const resolv_options got = read_resolv_options(text);
        EXPECT_LE(servers * got.timeout * ((1 << got.attempts) - 1), resolv_time_max) << text;
      }
    }
  }
}

}  // namespace
}  // namespace rw::control
