// What an origin may send, and how often, that carries nothing.
#include "http/h2_client.h"

#include <map>
#include <string>

#include "h2_client_world.h"

namespace rw::http {
namespace {

using namespace test;

// ---- strays: frames of streams that are over (RFC 9113 5.1)

// So many of `one` until the session has had enough; `most` when it never has.
int borne(h2_client& by, const std::string& one, int most = 1000) {
  int count = 0;
  std::string said;
  while (count < most && by.receive(one)) {
    ++count;
    by.write(said, SIZE_MAX);
  }
  return count;
}

TEST_F(H2Client, WhatWasOnItsWayToAStreamThatWeResetCostsNothing) {
  h2_client strict{{.head = {}, .streams = 4, .glitches = 2}};  // SETTINGS is one
  std::string said;
  ASSERT_TRUE(strict.receive(frame(settings, 0, 0, "")));
  answer one;
  ASSERT_EQ(strict.request("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "https", true, one), 1);
  strict.write(said, SIZE_MAX);
  strict.reset(1, h2_error::cancel);
  strict.write(said, SIZE_MAX);
  ASSERT_TRUE(strict.receive(frame(headers, end_headers, 1, ok)));
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(strict.receive(frame(data, 0, 1, std::string(16383, 'x'))));
  }
  EXPECT_EQ(one.heads + one.body + one.closed, "");  // it was told nothing more
  // One window, and a head's worth, is all that may have been on its way.
  EXPECT_LE(borne(strict, frame(data, 0, 1, std::string(16383, 'x'))), 2);
  EXPECT_TRUE(strict.out_of_patience());
}

TEST_F(H2Client, WhoGoesOnAndOnAboutAStreamThatIsOverEndsTheConnection) {
  const std::map<std::string, std::string> floods{
      {"DATA", frame(data, 0, 1, "x")},
      {"DATA that ends it", frame(data, end_stream, 1, "")},
      {"DATA with nothing in it", frame(data, 0, 1, "")},
      {"a head", frame(headers, end_headers | end_stream, 1, ok)},
      {"a head with nothing in it", frame(headers, end_headers, 1, "")},
      {"a reset", frame(reset, 0, 1, number(8))}};
  for (const auto& [name, one] : floods) {
    SCOPED_TRACE(name);
    h2_client session{{.head = {}, .streams = 4, .glitches = 100}};
    std::string said;
    ASSERT_TRUE(session.receive(frame(settings, 0, 0, "")));
    answer to;
    ASSERT_EQ(session.request("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "https", true, to), 1);
    session.write(said, SIZE_MAX);
    ASSERT_TRUE(session.receive(frame(headers, end_headers | end_stream, 1, ok)));
    EXPECT_EQ(to.closed, "in order");
    const int count = borne(session, one);
    EXPECT_GT(count, 90);
    EXPECT_LT(count, 110);
    EXPECT_TRUE(session.out_of_patience());
  }
}

// As long as the origin takes nothing, it does not know that they were reset, nor does nghttp2.
TEST_F(H2Client, NorMayWhoDoesNotReadWhatWeReset) {
  begin();
  ask();
  session_.reset(last_, h2_error::cancel);
  const std::string interim = frame(headers, end_headers, 1, literal(":status", "103"));
  int count = 0;
  while (count < 20'000 && session_.receive(interim)) ++count;
  // The allowance of one reset: a window and a head.
  EXPECT_LT(count, 100 + static_cast<int>((65535 + 32768) / interim.size()) + 1);
}

TEST_F(H2Client, StreamsThatAreRefusedAreNoGlitches) {
  begin();
  for (int i = 0; i < 1000; ++i) {
    answer& one = ask();
    ASSERT_TRUE(say(frame(reset, 0, static_cast<unsigned>(last_), number(7))));
    ASSERT_TRUE(one.refused);
  }
  EXPECT_FALSE(session_.out_of_patience());
}

TEST_F(H2Client, NorAreThoseThatWeGiveUp) {
  begin();
  for (int i = 0; i < 1000; ++i) {
    ask();
    session_.reset(last_, h2_error::cancel);
    session_.write(said_, SIZE_MAX);
    // Its answer was on its way.
    ASSERT_TRUE(say(frame(headers, end_headers | end_stream, static_cast<unsigned>(last_), ok)));
  }
  EXPECT_FALSE(session_.out_of_patience());
}

TEST_F(H2Client, OneThatIsGivenUpBeforeItWasSentIsTakenBack) {
  session_.write(said_, SIZE_MAX);
  ASSERT_TRUE(say(frame(settings, 0, 0, std::string("\0\3", 2) + number(1))));
  ask();
  ask();  // has to wait, since only one may be under way
  ASSERT_EQ(heard(headers).size(), 1U);
  session_.reset(last_, h2_error::cancel);
  answers_.pop_back();
  ASSERT_TRUE(say(frame(headers, end_headers | end_stream, 1, ok)));
  EXPECT_EQ(answers_[0]->closed, "in order");
  EXPECT_EQ(heard(headers).size(), 1U);
  EXPECT_FALSE(is_over());
}

TEST_F(H2Client, FloodsOfWhatCarriesNothing) {
  const std::map<std::string, std::string> floods{
      {"SETTINGS", frame(settings, 0, 0, "")},
      {"PING", frame(ping, 0, 0, "12345678")},
      {"answers to a PING that we did not send", frame(ping, 1, 0, "12345678")},
      {"DATA with nothing in it", frame(data, 0, 1, "")},
      {"DATA with nothing but padding", frame(data, padded, 1, std::string("\3\0\0\0", 4))},
      {"WINDOW_UPDATE", frame(update, 0, 0, number(1))},
      {"GOAWAY", frame(goaway, 0, 0, number(1) + number(0))},
      {"PRIORITY", frame(2, 0, 1, std::string("\0\0\0\0\0", 5))},
      {"ALTSVC", frame(10, 0, 1, std::string("\0\0", 2))}};
  for (const auto& [name, one] : floods) {
    SCOPED_TRACE(name);
    h2_client session{{.head = {}, .streams = 4, .glitches = 100}};
    std::string said;
    ASSERT_TRUE(session.receive(frame(settings, 0, 0, "")));
    answer to;
    ASSERT_EQ(session.request("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "https", true, to), 1);
    session.write(said, SIZE_MAX);
    ASSERT_TRUE(session.receive(frame(headers, end_headers, 1, ok)));
    EXPECT_LT(borne(session, one), 110);
    EXPECT_TRUE(session.out_of_patience());
  }
}

TEST_F(H2Client, AWindowBeyondAllBoundsResetsItsStreamAlone) {
  begin();
  answer& one = ask();
  answer& two = ask();
  ASSERT_TRUE(say(frame(update, 0, 1, number(0x7fffffff))));
  EXPECT_EQ(one.closed, "reset");
  ASSERT_EQ(heard(reset), std::vector<std::string>{number(3)});  // FLOW_CONTROL_ERROR
  ASSERT_TRUE(say(frame(headers, end_headers | end_stream, 3, ok)));
  EXPECT_EQ(two.closed, "in order");
}

TEST_F(H2Client, NoLastStreamMayBeMoreThanWasSaidBefore) {
  begin();
  ask();
  ask();
  answer& three = ask();
  ASSERT_TRUE(say(frame(goaway, 0, 0, number(0x7fffffff) + number(0))));
  EXPECT_FALSE(session_.may_begin());
  EXPECT_EQ(three.closed, "");
  ASSERT_TRUE(say(frame(goaway, 0, 0, number(3) + number(0))));
  EXPECT_TRUE(three.refused);
  ASSERT_TRUE(say(frame(goaway, 0, 0, number(1) + number(0))));
  EXPECT_TRUE(answers_[1]->refused);
  EXPECT_FALSE(is_over());
  say(frame(goaway, 0, 0, number(3) + number(0)));
  EXPECT_EQ(last_error(), 1U);
}

// nghttp2 would take 64 KiB at most, and call what is more a refusal by the other side.
TEST_F(H2Client, AHeadAsLargeAsAnyMayBeIsSentInFewPieces) {
  begin();
  std::string head = "GET / HTTP/1.1\r\nhost: a\r\n";
  while (head.size() <
         h2_client::head_max - 1000) {  // each different, and none that Huffman makes less
    head += "x-a: " + std::to_string(head.size()) + std::string(900, '~') + "\r\n";
  }
  answer& one = ask(head + "\r\n");
  EXPECT_EQ(heard(headers).size(), 1U);
  EXPECT_GE(heard(continuation).size(), 1U);
  EXPECT_LE(heard(continuation).size(), 8U);
  EXPECT_FALSE(one.refused);
}

}  // namespace
}  // namespace rw::http
