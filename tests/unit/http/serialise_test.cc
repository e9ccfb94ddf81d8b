#include "http/serialise.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "guarded.h"
#include "head_text.h"
#include "http/head.h"
#include "vector_file.h"

namespace rw::http {
namespace {

TEST(HeadWriter, WritesARequest) {
  char room[200];
  head_writer out{room};
  out.request_line("GET", "/a", "?b");
  out.field("host", "example.com");
  out.field("content-length", std::uint64_t{1234567890123});
  out.open_field("x");
  out.text("a;n=");
  out.number(0);
  out.close_field();
  out.end();
  EXPECT_FALSE(out.overflow());
  EXPECT_EQ(out.view(),
            "GET /a?b HTTP/1.1\r\nhost: example.com\r\ncontent-length: 1234567890123\r\n"
            "x: a;n=0\r\n\r\n");
}

TEST(HeadWriter, WritesAResponse) {
  char room[200];
  head_writer known{room};
  known.status_line(431);
  EXPECT_EQ(known.view(), "HTTP/1.1 431 Request Header Fields Too Large\r\n");
  head_writer unknown{room};
  unknown.status_line(299);
  EXPECT_EQ(unknown.view(), "HTTP/1.1 299 \r\n");
  head_writer other{room};
  other.status_line(200, "Fine");
  EXPECT_EQ(other.view(), "HTTP/1.1 200 Fine\r\n");
}

// Every size of name and value, with nothing readable behind them and no room to spare.
TEST(HeadWriter, NeitherReadsNorWritesBeyondTheEnd) {
  test::guarded source;
  test::guarded target;
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string value(size, 'v');
    const std::string expected = "n: " + value + "\r\n";
    head_writer out{target.room(expected.size())};
    out.field("n", source.hold(value));
    EXPECT_FALSE(out.overflow());
    EXPECT_EQ(out.view(), expected);
    head_writer small{target.room(expected.size() - 1)};
    small.field("n", source.hold(value));
    EXPECT_TRUE(small.overflow());
    EXPECT_EQ(small.view(), "");
  }
}

TEST(HeadWriter, OverflowStays) {
  char room[20];
  head_writer out{room};
  out.field("a", "a value that does not fit");
  out.field("b", "c");
  out.end();
  EXPECT_TRUE(out.overflow());
  EXPECT_EQ(out.size(), 0U);
}

TEST(HeadWriter, RefusesWhatCouldSplitAHead) {
  char room[200];
  head_writer out{room};
  EXPECT_FALSE(out.field_if_valid("x", "a\r\nb: c"));
  EXPECT_FALSE(out.field_if_valid("x", "a\n"));
  EXPECT_FALSE(out.field_if_valid("x", {"a\0", 2}));
  EXPECT_FALSE(out.field_if_valid("x y", "a"));
  EXPECT_FALSE(out.field_if_valid("", "a"));
  EXPECT_EQ(out.size(), 0U);
  EXPECT_TRUE(out.field_if_valid("x", "a b"));
  EXPECT_EQ(out.view(), "x: a b\r\n");
}

TEST(HeadWriter, WhatItWritesParsesToTheSame) {
  for (const test::vector_case& one : test::read_vectors("requests.txt")) {
    SCOPED_TRACE(one.where);
    request_head first;
    const std::string input = one.input();
    if (parse_request(input, 0, {}, first).state != progress::complete) continue;
    std::string room(input.size() + 1000, '\0');
    head_writer out{room};
    out.request_line(first.method_text, first.path, first.query);
    if (first.count(field_id::host) == 0) out.field("host", "a");
    for (const field& one_field : first.fields) out.field(one_field.name, one_field.value);
    out.end();
    ASSERT_FALSE(out.overflow());
    request_head second;
    const outcome got = parse_request(out.view(), 0, {.head_bytes = 1U << 20U}, second);
    if (first.minor == 0) continue;  // it has been promoted to 1.1
    ASSERT_EQ(got.state, progress::complete) << got.reason;
    auto a = test::describe(first);
    auto b = test::describe(second);
    for (const char* key : {"size", "target", "scheme"}) a[key] = b[key] = "";
    EXPECT_EQ(a, b);
  }
}

TEST(Date, IsAFixdate) {
  using namespace std::chrono;
  const auto at = [](long long s) { return format_date(wall_time{seconds{s}}); };
  EXPECT_EQ(at(0).view(), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(at(784111777).view(), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(at(951782400).view(), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(at(4102444799).view(), "Thu, 31 Dec 2099 23:59:59 GMT");
  EXPECT_EQ(at(-1).view(), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(format_date(wall_time{seconds{1} - nanoseconds{1}}).view(),
            "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Status, HasItsPhrase) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(429), "Too Many Requests");
  EXPECT_EQ(reason_phrase(299), "");
  EXPECT_TRUE(is_bodiless(101));
  EXPECT_TRUE(is_bodiless(204));
  EXPECT_TRUE(is_bodiless(304));
  EXPECT_FALSE(is_bodiless(200));
}

}  // namespace
}  // namespace rw::http
