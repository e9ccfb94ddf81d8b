#include "http/h2_client.h"

#include <map>
#include <string>

#include "h2_client_world.h"

namespace rw::http {
namespace {

using namespace test;

TEST_F(H2Client, BeginsWithThePrefaceAndAdmitsNoPush) {
  session_.write(said_, SIZE_MAX);
  EXPECT_TRUE(said_.starts_with(preface));
  ASSERT_EQ(heard(settings).size(), 1U);
  EXPECT_EQ(heard(settings)[0].substr(0, 6), std::string("\0\2\0\0\0\0", 6));
  EXPECT_FALSE(session_.is_agreed());
}

TEST_F(H2Client, ARequestAndItsAnswer) {
  begin();
  EXPECT_TRUE(session_.is_agreed());
  answer& one = ask("GET /a?b HTTP/1.1\r\nhost: a.example\r\nX-One: 1\r\n\r\n");
  EXPECT_EQ(last_, 1);
  ASSERT_EQ(heard(headers).size(), 1U);
  ASSERT_TRUE(say(frame(headers, end_headers, 1, std::string(ok) + literal("x-two", "2"))));
  EXPECT_EQ(one.heads, "HTTP/1.1 200 OK\r\nx-two: 2\r\n\r\n");
  ASSERT_TRUE(say(frame(data, 0, 1, "hello")));
  ASSERT_TRUE(say(frame(headers, end_headers | end_stream, 1, literal("x-sum", "5"))));
  EXPECT_EQ(one.body, "hello");
  EXPECT_EQ(one.answer_trailers, "x-sum: 5\r\n");
  EXPECT_EQ(one.closed, "in order");
}

TEST_F(H2Client, InterimHeadsComeBeforeTheFinalOne) {
  begin();
  answer& one = ask();
  ASSERT_TRUE(
      say(frame(headers, end_headers, 1, literal(":status", "103") + literal("link", "</a>"))));
  EXPECT_FALSE(one.head);
  ASSERT_TRUE(say(frame(headers, end_headers | end_stream, 1, ok)));
  EXPECT_EQ(one.heads, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
}

TEST_F(H2Client, HeadsThatBreakTheProtocolResetTheStreamAlone) {
  const std::map<std::string, std::string> bad{
      {literal("x-a", "1"), "missing_status"},
      {literal(":status", "20"), "bad_status"},
      {literal(":status", "2000"), "bad_status"},
      {literal(":status", "101"), "bad_status"},
      {literal(":status", "099"), "bad_status"},
      {std::string(ok) + std::string(ok), "duplicate_pseudo_header"},
      {literal("x-a", "1") + std::string(ok), "pseudo_header_after_field"},
      {std::string(ok) + literal(":path", "/"), "unknown_pseudo_header"},
      {std::string(ok) + literal("X-A", "1"), "uppercase_field_name"},
      {std::string(ok) + literal("x a", "1"), "bad_field_name"},
      {std::string(ok) + literal("x-a", "1\r\nx-b: 2"), "bad_field_value"},
      {std::string(ok) + literal("x-a", " 1"), "space_around_field_value"},
      {std::string(ok) + literal("connection", "close"), "connection_specific_field"},
      {std::string(ok) + literal("transfer-encoding", "chunked"), "connection_specific_field"},
      {std::string(ok) + literal("content-length", "1") + literal("content-length", "1"),
       "duplicate_content_length"},
      {std::string(ok) + literal("content-length", "-1"), "bad_content_length"},
  };
  begin();
  for (const auto& [section, reason] : bad) {
    answer& one = ask();
    ASSERT_TRUE(
        say(frame(headers, end_headers | end_stream, static_cast<unsigned>(last_), section)));
    EXPECT_EQ(one.flaw, reason);
    ASSERT_FALSE(heard(reset).empty());
    EXPECT_EQ(heard(reset).back(), number(1)) << reason;
    EXPECT_FALSE(is_over()) << reason;
  }
}

TEST_F(H2Client, ARefusedStreamSaysSo) {
  begin();
  answer& one = ask();
  ASSERT_TRUE(say(frame(reset, 0, 1, number(7))));
  EXPECT_TRUE(one.refused);
  EXPECT_EQ(one.closed, "reset");
  answer& two = ask();
  ASSERT_TRUE(say(frame(reset, 0, 3, number(2))));
  EXPECT_FALSE(two.refused);
  EXPECT_EQ(two.closed, "reset");
}

TEST_F(H2Client, GoawayRefusesWhatItLeavesOut) {
  begin();
  answer& one = ask();
  answer& two = ask();
  ASSERT_TRUE(say(frame(goaway, 0, 0, number(1) + number(0))));
  EXPECT_TRUE(session_.told_to_end());
  EXPECT_FALSE(session_.may_begin());
  EXPECT_TRUE(two.refused);
  EXPECT_FALSE(one.refused);
  EXPECT_TRUE(session_.goes_on());
  ASSERT_TRUE(say(frame(headers, end_headers | end_stream, 1, ok)));
  EXPECT_TRUE(one.ended);
  EXPECT_FALSE(session_.goes_on());
}

TEST_F(H2Client, AsManyStreamsAsTheOtherSideAndWeTake) {
  session_.write(said_, SIZE_MAX);
  EXPECT_EQ(session_.streams_max(), 4U);
  ASSERT_TRUE(say(frame(settings, 0, 0, std::string("\0\3", 2) + number(2))));
  EXPECT_EQ(session_.streams_max(), 2U);
  ASSERT_TRUE(say(frame(settings, 0, 0, std::string("\0\3", 2) + number(1000))));
  EXPECT_EQ(session_.streams_max(), 4U);
}

TEST_F(H2Client, WhatEndsTheConnection) {
  const std::map<std::string, std::string> bad{
      {"a stream that nobody began", frame(headers, end_headers | end_stream, 3, ok)},
      {"a stream of its own", frame(headers, end_headers | end_stream, 2, ok)},
      {"a push", frame(push, end_headers, 1,
                       number(2) + "\x82\x87\x84\x01\x01"
                                   "a")},
      {"a frame too long", frame(data, 0, 1, std::string(16385, 'x'))},
      {"DATA on stream 0", frame(data, 0, 0, "x")},
      {"a broken header block", frame(headers, end_headers, 1, "\xff\xff\xff\xff\xff\xff")},
      {"SETTINGS of odd size", frame(settings, 0, 0, "12345")},
      {"a window update of 0 for all", frame(8, 0, 0, number(0))},
      {"another frame within a header section",
       frame(headers, 0, 1, ok) + frame(ping, 0, 0, "12345678")},
      {"a section in endless pieces",
       [] {
         std::string all = frame(headers, 0, 1, ok);
         for (int i = 0; i < 200; ++i) all += frame(continuation, 0, 1, literal("x-a", "1"));
         return all;
       }()},
  };
  for (const auto& [name, bytes] : bad) {
    h2_client fresh{{.head = {}, .streams = 4, .glitches = 100}};
    std::string said;
    ASSERT_TRUE(fresh.receive(frame(settings, 0, 0, "")));
    answer one;
    ASSERT_EQ(fresh.request("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "http", true, one), 1);
    fresh.write(said, SIZE_MAX);
    const bool sound = fresh.receive(bytes);
    fresh.write(said, SIZE_MAX);
    EXPECT_TRUE(!sound || !fresh.goes_on()) << name;
    EXPECT_EQ(one.heads, "") << name;
  }
}

TEST_F(H2Client, WhatIsNoHttp2IsSeenAtOnce) {
  session_.write(said_, SIZE_MAX);
  say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(session_.goes_on());
  EXPECT_FALSE(session_.is_agreed());
}

TEST_F(H2Client, FramesThatCarryNothingUseUpItsPatience) {
  begin();
  ask();
  bool sound = true;
  for (int i = 0; i < 200 && sound; ++i) sound = say(frame(ping, 0, 0, "12345678"));
  EXPECT_FALSE(sound);
  EXPECT_TRUE(session_.out_of_patience());
  EXPECT_EQ(last_error(), 11U);
}

TEST_F(H2Client, ThoseBetweenBodiesAreForgotten) {
  begin();
  ask();
  ASSERT_TRUE(say(frame(headers, end_headers, 1, ok)));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(say(frame(ping, 0, 0, "12345678") + frame(data, 0, 1, "x")));
  }
}

TEST_F(H2Client, AHeadOfManyFieldsByOneOctetEachIsTooMuch) {
  begin();
  ask();
  // One large field put into the table, then named again and again.
  std::string section = std::string(ok) +
                        "\x40\x01"
                        "a"
                        "\x7f\x81\x1e" +
                        std::string(4000, 'v');
  section.append(12000, '\xbe');
  const bool sound = say(frame(headers, end_headers | end_stream, 1, section));
  EXPECT_TRUE(!sound || is_over());
}

}  // namespace
}  // namespace rw::http
