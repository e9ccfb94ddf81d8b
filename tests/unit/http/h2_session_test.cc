#include "http/h2_session.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "h2_wire.h"

namespace rw::http {
namespace {

using test::continuation;
using test::data;
using test::end_headers;
using test::end_stream;
using test::frame;
using test::goaway;
using test::headers;
using test::number;
using test::ping;
using test::preface;
using test::reset;
using test::settings;
using test::update;

// HPACK (RFC 7541): GET / over https from the static table, and :authority a as a literal.
constexpr std::string_view get =
    "\x82\x87\x84\x01\x01"
    "a";
constexpr std::string_view post =
    "\x83\x87\x84\x01\x01"
    "a";

struct stream : h2_stream_events {
  void on_data(std::string_view bytes) override { body += bytes; }
  void on_end(std::string lines) override {
    ended = true;
    request_trailers = std::move(lines);
  }
  void on_closed(bool in_order) override { closed = in_order ? "in order" : "reset"; }
  pulled pull(std::span<char> room) override {
    const std::size_t size = std::min(room.size(), answer.size());
    answer.copy(room.data(), size);
    answer.erase(0, size);
    return {size, last && answer.empty()};
  }
  std::string_view trailers() override { return answer_trailers; }

  std::string body, request_trailers, answer, answer_trailers, closed;
  bool ended = false;
  bool last = true;
};

class H2Session : public testing::Test, public h2_session_events {
 protected:
  h2_stream_events* on_request(std::int32_t id, const h2_section& section, bool ends) override {
    home_ = std::make_unique_for_overwrite<char[]>(section.text_bytes());
    verdict_ = section.make_request(home_.get(), ends, head_);
    paths_ += std::string(head_.path) + " ";
    return &streams_[id];
  }

  bool say(std::string_view bytes) {
    const bool sound = session_.receive(bytes);
    session_.write(said_, SIZE_MAX);
    return sound;
  }
  void begin() { ASSERT_TRUE(say(std::string(preface) + frame(settings, 0, 0, ""))); }

  // What the session has said: its frames of a type, payload alone.
  std::vector<std::string> heard(unsigned type) const { return test::heard_in(said_, type); }
  std::uint32_t last_error() const { return test::goaway_in(said_); }

  std::map<std::int32_t, stream> streams_;
  h2_session session_{*this, {.head = {}, .streams = 4, .glitches = 100}};
  std::unique_ptr<char[]> home_;
  request_head head_;
  outcome verdict_;
  std::string paths_;
  std::string said_;
};

TEST_F(H2Session, TellsItsSettingsFirst) {
  session_.write(said_, SIZE_MAX);
  ASSERT_EQ(heard(settings).size(), 1U);
  EXPECT_EQ(heard(settings)[0].size(), 4 * 6U);
  EXPECT_EQ(said_[3], char{settings});
}

TEST_F(H2Session, ARequestAndItsAnswer) {
  begin();
  ASSERT_TRUE(say(frame(headers, end_headers | end_stream, 1, get)));
  EXPECT_EQ(verdict_.state, progress::complete);
  EXPECT_EQ(head_.authority, "a");
  streams_[1].answer = "hello";
  session_.answer(1, "HTTP/1.1 200 OK\r\nX-One: 1\r\n\r\n", false);
  session_.write(said_, SIZE_MAX);
  EXPECT_EQ(heard(headers).size(), 1U);
  EXPECT_EQ(heard(data), std::vector<std::string>{"hello"});
  EXPECT_EQ(streams_[1].closed, "in order");
}

TEST_F(H2Session, EverySplitOfTheInputIsTheSame) {
  const std::string all = std::string(preface) + frame(settings, 0, 0, "") +
                          frame(headers, end_headers, 1, post) + frame(data, 0, 1, "ab") +
                          frame(data, end_stream, 1, "c") +
                          frame(headers, end_headers | end_stream, 3, get);
  for (std::size_t piece : {1U, 2U, 7U, 100U}) {
    streams_.clear();
    h2_session session(*this, {});
    for (std::size_t at = 0; at < all.size(); at += piece) {
      ASSERT_TRUE(session.receive(std::string_view(all).substr(at, piece)));
    }
    EXPECT_EQ(streams_[1].body, "abc");
    EXPECT_TRUE(streams_[1].ended);
    EXPECT_EQ(streams_.size(), 2U);
  }
}

TEST_F(H2Session, AnAnswerBeforeTheWholeRequestAsksForNoMore) {
  begin();
  ASSERT_TRUE(say(frame(headers, end_headers, 1, post)));
  session_.answer(1, "HTTP/1.1 413 Content Too Large\r\n\r\n", true);
  session_.write(said_, SIZE_MAX);
  EXPECT_EQ(heard(reset), std::vector<std::string>{number(0)});  // NO_ERROR, RFC 9113 8.1
}

TEST_F(H2Session, AStreamIsGivenRoomWhenItsBytesWereTaken) {
  begin();
  ASSERT_TRUE(say(frame(headers, end_headers, 1, post)));
  const std::size_t before = heard(update).size();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(say(frame(data, 0, 1, std::string(16384, 'x'))));
  EXPECT_EQ(heard(update).size(), before);
  session_.consumed(1, 49152);
  session_.write(said_, SIZE_MAX);
  ASSERT_EQ(heard(update).size(), before + 1);
  EXPECT_EQ(heard(update).back(), number(49152));
}

TEST_F(H2Session, MoreThanTheWindowIsAnError) {
  begin();
  ASSERT_TRUE(say(frame(headers, end_headers, 1, post)));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(say(frame(data, 0, 1, std::string(16384, 'x'))));
  say(frame(data, 0, 1, std::string(16384, 'x')));
  EXPECT_TRUE(streams_[1].closed == "reset" || last_error() == 3) << streams_[1].closed;
}

TEST_F(H2Session, TrailersEndAStream) {
  begin();
  ASSERT_TRUE(say(frame(headers, end_headers, 1, post) +
                  frame(headers, end_headers | end_stream, 1, std::string("\x00\x01x\x01y", 5))));
  EXPECT_EQ(streams_[1].request_trailers, "x: y\r\n");
  ASSERT_TRUE(say(frame(headers, end_headers, 3, post) +
                  frame(headers, end_headers, 3, std::string("\x00\x01x\x01y", 5))));
  EXPECT_EQ(streams_[3].closed, "reset");
}

TEST_F(H2Session, NoRequestBetweenHeadersAndTheirContinuation) {
  begin();
  EXPECT_TRUE(say(frame(headers, end_stream, 1, get.substr(0, 2))));
  say(frame(ping, 0, 0, "12345678"));
  EXPECT_EQ(last_error(), 1U);
}

// ---- what costs patience

TEST_F(H2Session, RapidReset) {
  begin();
  std::uint32_t id = 1;
  bool sound = true;
  for (; id < 1001 && sound; id += 2) {
    sound = say(frame(headers, end_headers | end_stream, id, get) + frame(reset, 0, id, number(8)));
  }
  EXPECT_FALSE(sound);
  EXPECT_LT(id, 2 * 100 + 10U);
  EXPECT_EQ(last_error(), 11U);
}

TEST_F(H2Session, StreamsThatWeAreMadeToReset) {
  begin();
  std::uint32_t id = 1;
  bool sound = true;
  for (; id < 1001 && sound; id += 2) {  // a window beyond 2^31 - 1: RFC 9113 6.9.1
    sound = say(frame(headers, end_headers | end_stream, id, get) +
                frame(update, 0, id, number(0x7fffffff)));
  }
  EXPECT_FALSE(sound);
  EXPECT_LT(id, 2 * 100 + 10U);
  EXPECT_EQ(last_error(), 11U);
}

// RFC 9113 6.9 has it end the stream; 5.4.1 lets it end the connection, which nghttp2 does.
TEST_F(H2Session, AWindowUpdateOfNothing) {
  begin();
  say(frame(headers, end_headers | end_stream, 1, get) + frame(update, 0, 1, number(0)));
  EXPECT_EQ(last_error(), 1U);
}

TEST_F(H2Session, FloodsOfSmallFrames) {
  const std::map<std::string, std::string> floods{
      {"SETTINGS", frame(settings, 0, 0, "")},
      {"PING", frame(ping, 0, 0, "12345678")},
      {"PRIORITY", frame(2, 0, 3, std::string("\0\0\0\0\0", 5))},
      {"unknown", frame(0xab, 0, 0, "x")},
      {"answers to a PING that we did not send", frame(ping, 1, 0, "12345678")},
      {"empty DATA", frame(data, 0, 1, "")},
      {"DATA with nothing but padding", frame(data, 8, 1, std::string("\3\0\0\0", 4))},
      {"WINDOW_UPDATE", frame(update, 0, 0, number(1))}};
  for (const auto& [name, one] : floods) {
    SCOPED_TRACE(name);
    h2_session session(*this, {.glitches = 100});
    ASSERT_TRUE(session.receive(std::string(preface) + frame(settings, 0, 0, "") +
                                frame(headers, end_headers, 1, post)));
    int count = 0;
    while (count < 1000 && session.receive(one)) ++count;
    EXPECT_LT(count, 110);
    said_.clear();
    session.write(said_, SIZE_MAX);
    EXPECT_EQ(last_error(), 11U);
  }
}

// RFC 9113 5.1: what comes for a stream that is over.
TEST_F(H2Session, DataOfAStreamThatItsClientHasEnded) {
  const std::map<std::string, std::string> floods{
      {"DATA", frame(data, 0, 1, "x")},
      {"DATA that ends it again", frame(data, end_stream, 1, "")},
      {"HEADERS", frame(headers, end_headers | end_stream, 1, get)},
      {"HEADERS with nothing in it", frame(headers, end_headers, 1, "")}};
  for (const auto& [name, one] : floods) {
    SCOPED_TRACE(name);
    h2_session session(*this, {.glitches = 100});
    ASSERT_TRUE(session.receive(std::string(preface) + frame(settings, 0, 0, "") +
                                frame(headers, end_headers, 1, post) +
                                frame(reset, 0, 1, number(8))));
    int count = 0;
    while (count < 1000 && session.receive(one)) ++count;
    EXPECT_GT(count, 90);
    EXPECT_LT(count, 110);
    said_.clear();
    session.write(said_, SIZE_MAX);
    EXPECT_EQ(last_error(), 11U);
  }
}

TEST_F(H2Session, WhatWasOnItsWayToAStreamThatWeResetCostsNothing) {
  h2_session session(*this, {.glitches = 2});  // SETTINGS is one
  ASSERT_TRUE(session.receive(std::string(preface) + frame(settings, 0, 0, "") +
                              frame(headers, end_headers, 1, post)));
  session.write(said_, SIZE_MAX);
  session.answer(1, "HTTP/1.1 413 Content Too Large\r\n\r\n", true);
  session.write(said_, SIZE_MAX);
  for (int i = 0; i < 4; ++i)
    ASSERT_TRUE(session.receive(frame(data, 0, 1, std::string(16383, 'x'))));
  bool sound = true;
  int more = 0;
  for (; more < 10 && sound; ++more) {
    sound = session.receive(frame(data, 0, 1, std::string(16383, 'x')));
  }
  EXPECT_FALSE(sound);  // one window is all that may have been on its way
  EXPECT_LE(more, 2);
}

TEST_F(H2Session, AHeaderSectionInManyPieces) {
  begin();
  ASSERT_TRUE(say(frame(headers, end_stream, 1, get)));
  int count = 0;
  while (count < 1000 && say(frame(continuation, 0, 1, ""))) ++count;
  EXPECT_LT(count, 20);
}

TEST_F(H2Session, AHeaderSectionThatUnfolds) {
  begin();
  // One field of 4,000 octets into the dynamic table, then named again and again in one octet each.
  std::string block(get);
  block.append("\x40\x01x\x7f\xa1\x1e", 6).append(4000, 'y');
  ASSERT_TRUE(say(frame(headers, end_headers | end_stream, 1, block)));
  EXPECT_EQ(verdict_.state, progress::complete);
  const std::string bomb = std::string(get) + std::string(16000, '\xbe');
  EXPECT_FALSE(say(frame(headers, end_headers | end_stream, 3, bomb)));
  EXPECT_EQ(last_error(), 11U);
}

TEST_F(H2Session, WhatIsPardonedIsForgotten) {
  begin();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(say(frame(ping, 0, 0, "12345678")));
    session_.pardon(1);
  }
  EXPECT_FALSE(session_.out_of_patience());
}

}  // namespace
}  // namespace rw::http
