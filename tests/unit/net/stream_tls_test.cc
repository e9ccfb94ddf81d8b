#include <gtest/gtest.h>

#include "../tls/client.h"
#include "net/stream.h"
#include "stream_world.h"
#include "tls/library.h"

namespace rw::net {
namespace {

using namespace test;
using io::test::tcp_pair;

std::shared_ptr<const tls::server_context> context(tls::server_options options = {}) {
  auto made = tls::server_context::create(std::move(options),
                                          {tls::testing::certificate_for({"a.example"})},
                                          std::make_shared<const tls::ticket_keys>(mono_time{}));
  EXPECT_TRUE(made);
  return *made;
}

class StreamTls : public StreamTest {
 protected:
  StreamTls() : StreamTest(1U << 20U) {}

  // Moves bytes between the client in memory and its socket, `piece` at a time.
  void pump(tls::testing::client& client, std::size_t piece = SIZE_MAX) {
    const std::size_t done = put(sockets_->theirs, std::string_view(client.sent).substr(0, piece));
    client.sent.erase(0, done);
    client.received.append(take_all(sockets_->theirs));
  }
  void connect(tls::testing::client& client, stream& s, std::size_t piece = SIZE_MAX) {
    outcome<result<>> secured;
    start(s.handshake(context(), in(seconds{10})), secured);
    bool theirs = false;
    ASSERT_TRUE(until(
        [&] {
          if (!theirs) theirs = client.handshake();
          pump(client, piece);
          return theirs && secured.done() && client.sent.empty();
        },
        seconds{20}));
    ASSERT_TRUE(*secured.value);
    ASSERT_NE(s.tls(), nullptr);
  }
  void SetUp() override { sockets_.emplace(); }
  void TearDown() override {
    sockets_.reset();
    StreamTest::TearDown();
  }
  std::optional<tcp_pair> sockets_;
};

TEST_F(StreamTls, ShakesHandsAndEchoes) {
  for (const auto version : {tls::protocol_version::tls12, tls::protocol_version::tls13}) {
    sockets_.emplace();
    stream& s = make(sockets_->ours.release());
    tls::testing::client client({.max_version = version});
    connect(client, s);
    EXPECT_EQ(s.tls()->version(), version);

    client.write("hello");
    outcome<result<>> got;
    start(receive(s, in(seconds{5})), got);
    ASSERT_TRUE(until([&] {
      pump(client);
      return got.done();
    }));
    EXPECT_EQ(s.input(), "hello");
    const stream::held held = s.hold(5);

    const std::string body = pattern(100'000);
    outcome<result<>> sent;
    start(send(s, "head", body, "tail", seconds{5}), sent);
    std::string answer;
    ASSERT_TRUE(until([&] {
      pump(client);
      answer.append(client.read());
      return sent.done() && answer.size() >= body.size() + 8;
    }));
    EXPECT_TRUE(answer == "head" + body + "tail");

    outcome<bool> finished;
    start(finish(s, in(seconds{5})), finished);
    ASSERT_TRUE(until([&] {
      pump(client);
      client.read();
      if (client.saw_close()) ::shutdown(sockets_->theirs, SHUT_WR);
      return finished.done();
    }));
    EXPECT_TRUE(client.saw_close());
  }
}

// On most machines that build this it cannot; tests/appliance/ktls_test.sh runs all of these on one
// that can.
TEST_F(StreamTls, TheKernelSendsWhereItCan) {
  stream& s = make(sockets_->ours.release());
  tls::testing::client client;
  connect(client, s);
  EXPECT_EQ(s.sends_plain(), loop_->kernel().sends_tls() != io::kernel_tls::no);
  EXPECT_FALSE(s.worn_out());
  client.update_key();
  client.write("x");
  std::string got;
  outcome<result<>> some;
  start(receive(s, in(seconds{5})), some);
  ASSERT_TRUE(until([&] {
    pump(client);
    return some.done();
  }));
  EXPECT_EQ(s.worn_out(), loop_->kernel().sends_tls() == io::kernel_tls::fixed_keys);
}

TEST_F(StreamTls, WorksByteByByte) {
  stream& s = make(sockets_->ours.release());
  tls::testing::client client;
  connect(client, s, 1);
  client.write("dripped");
  std::string got;
  outcome<result<>> all;
  start(drain(s, got), all);
  client.close();
  ASSERT_TRUE(until([&] {
    pump(client, 1);
    return all.done();
  }));
  EXPECT_EQ(got, "dripped");
  EXPECT_EQ(all.value->error().code, fault::closed);
  EXPECT_TRUE(s.ended());
}

TEST_F(StreamTls, PassesMuchThroughBothWays) {
  stream& s = make(sockets_->ours.release());
  tls::testing::client client;
  connect(client, s);
  const std::string up = pattern(2U << 20U);
  client.write(up);
  client.update_key();
  client.write("after the key update");
  client.close();
  std::string got;
  outcome<result<>> all;
  start(drain(s, got, 5'000), all);
  ASSERT_TRUE(until(
      [&] {
        pump(client);
        return all.done();
      },
      seconds{30}));
  EXPECT_TRUE(got == up + "after the key update");
  // Our own half is open still; the answer to the key update leaves with it.
  outcome<result<>> sent;
  const std::string down = pattern(1U << 20U);
  start(send(s, down, {}, {}, seconds{5}), sent);
  std::string answer;
  ASSERT_TRUE(until(
      [&] {
        client.received.append(take_all(sockets_->theirs));
        answer.append(client.read());
        return sent.done() && answer.size() >= down.size();
      },
      seconds{30}));
  EXPECT_TRUE(answer == down);
}

// What the client does not wait for is not worth a send of its own (RFC 8446 4.6.1).
TEST_F(StreamTls, TicketsComeWithTheFirstAnswer) {
  stream& s = make(sockets_->ours.release());
  if (loop_->kernel().sends_tls() != io::kernel_tls::no) GTEST_SKIP() << "all has to be out first";
  tls::testing::client client;
  outcome<result<>> secured;
  start(s.handshake(context(), in(seconds{10})), secured);
  ASSERT_TRUE(until([&] {
    const bool ready = client.handshake();
    if (ready) client.write("question");
    pump(client);
    return ready;
  }));
  ASSERT_TRUE(until([&] { return secured.done(); }));
  EXPECT_EQ(s.input(), "question");
  const std::uint64_t before = s.bytes_sent();
  outcome<result<>> sent;
  start(send(s, "answer", {}, {}, seconds{5}), sent);
  std::string got;
  ASSERT_TRUE(until([&] {
    pump(client);
    got.append(client.read());
    return got == "answer";
  }));
  EXPECT_TRUE(client.has_ticket());
  EXPECT_GT(s.bytes_sent(), before + 100);
}

TEST_F(StreamTls, AClientThatSaysNothingGetsItsTickets) {
  stream& s = make(sockets_->ours.release());
  tls::testing::client client;
  connect(client, s);
  ASSERT_TRUE(until([&] {
    pump(client);
    client.read();
    return client.has_ticket();
  }));
  EXPECT_TRUE(s.input().empty());
}

TEST_F(StreamTls, TheEndIsWellFormedWithoutAnAnswer) {
  for (const auto version : {tls::protocol_version::tls12, tls::protocol_version::tls13}) {
    sockets_.emplace();
    stream& s = make(sockets_->ours.release());
    tls::testing::client client({.max_version = version});
    connect(client, s);
    outcome<bool> finished;
    start(finish(s, in(seconds{5})), finished);
    ASSERT_TRUE(until([&] {
      pump(client);
      client.read();
      if (client.saw_close()) ::shutdown(sockets_->theirs, SHUT_WR);
      return finished.done() || client.error() != 0;
    }));
    EXPECT_TRUE(client.saw_close());
    EXPECT_EQ(client.error(), 0);
  }
}

// Whatever does not fit beside the last bytes follows them.
TEST_F(StreamTls, TheLastSendBringsTheEnd) {
  for (const std::size_t size : {3UL, 16'300UL, 16'384UL, 16'900UL, 32'000UL, 300'000UL}) {
    sockets_.emplace();
    stream& s = make(sockets_->ours.release());
    tls::testing::client client;
    connect(client, s);
    const std::string body = pattern(size);
    s.end_with_next_send();
    outcome<result<>> sent;
    start(send(s, body, {}, {}, seconds{5}), sent);
    std::string got;
    ASSERT_TRUE(until([&] {
      pump(client);
      got.append(client.read());
      return sent.done() && got.size() == body.size();
    })) << size;
    EXPECT_TRUE(got == body);
    if (s.sends_plain()) continue;
    ASSERT_TRUE(until([&] {
      pump(client);
      client.read();
      return client.saw_close();
    })) << size;
    const std::uint64_t before = s.bytes_sent();
    outcome<bool> finished;
    start(finish(s, in(seconds{5})), finished);
    ::shutdown(sockets_->theirs, SHUT_WR);
    ASSERT_TRUE(until([&] { return finished.done(); }));
    EXPECT_EQ(s.bytes_sent(), before) << size;
  }
}

// Clients that connect and say nothing, or only begin, hold no buffer while we wait for them.
TEST_F(StreamTls, WaitingForAHandshakeHoldsNoBuffer) {
  stream& s = make(sockets_->ours.release());
  outcome<result<>> secured;
  start(s.handshake(context(), in(milliseconds{40})), secured);
  idle();
  EXPECT_EQ(loop_->buffers().in_use(), 0U);
  tls::testing::client client;
  client.handshake();
  put(sockets_->theirs, std::string_view(client.sent).substr(0, 20));
  idle();
  EXPECT_EQ(loop_->buffers().in_use(), 0U);
  ASSERT_TRUE(until([&] { return secured.done(); }));
  EXPECT_EQ(secured.value->error().code, fault::timed_out);
}

TEST_F(StreamTls, WhatIsNoTlsIsRefused) {
  stream& s = make(sockets_->ours.release());
  outcome<result<>> secured;
  start(s.handshake(context(), in(seconds{5})), secured);
  put(sockets_->theirs, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(until([&] { return secured.done(); }));
  EXPECT_EQ(secured.value->error().code, fault::malformed);
  outcome<result<>> after;
  start(receive(s, in(seconds{1})), after);
  EXPECT_FALSE(*after.value);
}

TEST_F(StreamTls, ABrokenRecordFailsTheStream) {
  stream& s = make(sockets_->ours.release());
  tls::testing::client client;
  connect(client, s);
  client.write("good");
  std::string second;
  client.sent.swap(second);
  client.write("bad");
  client.sent.back() = static_cast<char>(client.sent.back() ^ 1);
  client.sent.insert(0, second);
  std::string got;
  outcome<result<>> all;
  start(drain(s, got), all);
  ASSERT_TRUE(until([&] {
    pump(client);
    return all.done();
  }));
  EXPECT_EQ(got, "good");
  EXPECT_EQ(all.value->error().code, fault::tls);
}

// A close_notify alone says nothing follows: with the FIN behind it the exchange is over.
TEST_F(StreamTls, AHangupIsNoticedThroughTheCiphertext) {
  stream& s = make(sockets_->ours.release());
  tls::testing::client client;
  connect(client, s);
  io::test::pair server;
  stream& up = make(server.ours.release(), origin::upstream);
  outcome<result<>> waiting;
  start(receive(up, mono_time::max()), waiting);
  s.abort_on_hangup(&up);
  client.close();
  pump(client);
  ::shutdown(sockets_->theirs, SHUT_WR);
  ASSERT_TRUE(until([&] { return waiting.done(); }));
  EXPECT_EQ(waiting.value->error().code, fault::canceled);
}

}  // namespace
}  // namespace rw::net
