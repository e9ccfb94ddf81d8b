#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>

#include "../tls/client.h"
#include "stream_world.h"
#include "tls/authorities.h"
#include "tls/client_context.h"

namespace rw::net::test {
namespace {

using flaw = tls::codec::flaw;
using io::test::tcp_pair;
using tls::protocol_version;

wall_time today() {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

std::shared_ptr<const tls::server_context> serving(protocol_version version) {
  tls::server_options options{.protocols = {"http/1.1"}};
  if (version == protocol_version::tls12) {
    options.ciphers = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"};
  }
  return tls::testing::context_with(std::move(options));
}

// Trusts the certificate that serving() has, which is for a.example.
tls::client_options trusting() {
  auto made =
      tls::authorities::load(tls::testing::certificate_for({"a.example"})->chain_pem(), today());
  EXPECT_TRUE(made);
  return {.trusted = *made};
}

std::shared_ptr<tls::client_target> target(tls::client_options options = trusting(),
                                           const char* name = "a.example") {
  auto made = tls::client_context::create(std::move(options), 1);
  EXPECT_TRUE(made);
  return std::make_shared<tls::client_target>(*made, 0, name);
}

// A gate's stream to its origin, and the origin's, on one loop.
class StreamClientTls : public StreamTest {
 protected:
  StreamClientTls() : StreamTest(1U << 20U) {}

  struct ends {
    stream& client;
    stream& server;
  };
  ends pair() {
    tcp_pair both;
    stream& client = make(both.ours.release(), origin::upstream);
    return {client, make(both.theirs.release(), origin::downstream)};
  }
  // What came of it on both sides: the client's is the error of the two that says why.
  struct shaken {
    result<> client;
    result<> server;
  };
  shaken shake(const ends& of, const std::shared_ptr<tls::client_target>& with,
               std::shared_ptr<const tls::server_context> by) {
    outcome<result<>> client;
    outcome<result<>> server;
    start(of.server.handshake(std::move(by), in(seconds{10})), server);
    start(of.client.handshake(with, in(seconds{10})), client);
    EXPECT_TRUE(until([&] { return client.done(); }, seconds{20}));
    // A server is not done before it has the client's Finished, which waits for the request; nor
    // does it hear of a refusal before the client has gone.
    if (client.value && *client.value) {
      say(of.client, "request");
    } else {
      close(of.client);
    }
    EXPECT_TRUE(until([&] { return server.done(); }, seconds{20}));
    return {*client.value, *server.value};
  }
  void say(stream& from, std::string_view text) {
    outcome<result<>> sent;
    start(send(from, text, {}, {}, seconds{5}), sent);
    ASSERT_TRUE(until([&] { return sent.done(); }));
    EXPECT_TRUE(*sent.value);
  }
  // Everything up to `size` bytes; less when the stream ends before.
  std::string hear(stream& at, std::size_t size) {
    std::string got;
    while (got.size() < size) {
      if (at.input().empty()) {
        outcome<result<>> more;
        start(receive(at, in(seconds{5})), more);
        EXPECT_TRUE(until([&] { return more.done(); }, seconds{10}));
        if (!more.done() || !*more.value) break;
      }
      got.append(at.input());
      at.consume(at.input().size());
    }
    return got;
  }
  void close(stream& one) {
    outcome<bool> closed;
    start(finish(one, in(seconds{0})), closed);
    ASSERT_TRUE(until([&] { return closed.done(); }));
  }
  // What the client's stream says is wrong with the server's certificate.
  flaw found(const std::shared_ptr<tls::client_target>& with,
             protocol_version version = protocol_version::tls13) {
    const ends both = pair();
    const shaken how = shake(both, with, serving(version));
    EXPECT_FALSE(how.client);
    EXPECT_FALSE(how.server) << "the server took it for agreed";
    EXPECT_EQ(how.client.error().code, fault::tls);
    EXPECT_EQ(how.client.error().from, origin::upstream);
    return both.client.tls()->failure().found;
  }
};

TEST_F(StreamClientTls, ShakesHandsAndEchoesBothWays) {
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    const ends both = pair();
    const shaken how = shake(both, target(), serving(version));
    ASSERT_TRUE(how.client);
    ASSERT_TRUE(how.server);
    EXPECT_EQ(both.client.tls()->version(), version);
    EXPECT_EQ(both.server.tls()->version(), version);
    EXPECT_EQ(hear(both.server, 7), "request");
    say(both.server, "answer");
    EXPECT_EQ(hear(both.client, 6), "answer");

    // More than sockets hold, so that both have to wait for each other.
    const std::string much = pattern(3U << 20U);
    for (const ends& way : {both, ends{both.server, both.client}}) {
      outcome<result<>> sent;
      std::string got;
      start(send(way.client, much, {}, {}, seconds{5}), sent);
      got = hear(way.server, much.size());
      ASSERT_TRUE(until([&] { return sent.done(); }));
      EXPECT_TRUE(got == much);
    }
  }
}

TEST_F(StreamClientTls, ResumesOnTheNextConnection) {
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    const auto with = target();
    const auto by = serving(version);
    const bool may =
        version == protocol_version::tls13 || !tls::testing::client::misreads_refused_tickets();
    for (const bool resumed : {false, may, may}) {
      const ends both = pair();
      ASSERT_TRUE(shake(both, with, by).client);
      EXPECT_EQ(both.client.tls()->resumed(), resumed);
      EXPECT_EQ(hear(both.server, 7), "request");
      say(both.server, "answer");  // tickets of TLS 1.3 come with it
      EXPECT_EQ(hear(both.client, 6), "answer");
      EXPECT_EQ(with->has_session(), may);
    }
  }
}

TEST_F(StreamClientTls, APinThatNoKeyHasEndsIt) {
  tls::client_options options = trusting();
  options.pins.emplace_back();  // of no key
  EXPECT_EQ(found(target(options)), flaw::pin);
  EXPECT_EQ(found(target(options), protocol_version::tls12), flaw::pin);
  options.verify = false;  // a pin holds all the same
  EXPECT_EQ(found(target(options)), flaw::pin);
}

TEST_F(StreamClientTls, AnotherNameOrNobodysWordEndsIt) {
  EXPECT_EQ(found(target(trusting(), "b.example")), flaw::name);
  EXPECT_EQ(found(target(trusting(), "192.0.2.1")), flaw::name);
  auto others = tls::authorities::load(
      tls::testing::certificate_for({"other.example"})->chain_pem(), today());
  ASSERT_TRUE(others);
  EXPECT_EQ(found(target({.trusted = *others})), flaw::untrusted);
}

TEST_F(StreamClientTls, ACloseNotifyIsAnEndAndNothingElseIs) {
  for (const bool properly : {true, false}) {
    const ends both = pair();
    ASSERT_TRUE(shake(both, target(), serving(protocol_version::tls13)).client);
    EXPECT_EQ(hear(both.server, 7), "request");
    say(both.server, "answer");
    if (properly) {
      close(both.server);
    } else {
      ::shutdown(both.server.fd(), SHUT_WR);
    }
    std::string got;
    outcome<result<>> all;
    start(drain(both.client, got), all);
    ASSERT_TRUE(until([&] { return all.done(); }));
    EXPECT_EQ(got, "answer");
    EXPECT_EQ(all.value->error().code, fault::closed);
    EXPECT_TRUE(both.client.ended());
    EXPECT_EQ(both.client.truncated(), !properly);
  }
}

TEST_F(StreamClientTls, TheServerIsToldTheEnd) {
  const ends both = pair();
  ASSERT_TRUE(shake(both, target(), serving(protocol_version::tls13)).client);
  EXPECT_EQ(hear(both.server, 7), "request");
  close(both.client);
  EXPECT_EQ(hear(both.server, 1), "");
  EXPECT_TRUE(both.server.ended());
  EXPECT_FALSE(both.server.truncated());
}

TEST_F(StreamClientTls, ASilentServerIsGivenUpAtTheDeadline) {
  tcp_pair both;
  stream& client = make(both.ours.release(), origin::upstream);
  const mono_time by = in(milliseconds{50});
  outcome<result<>> shaken;
  start(client.handshake(target(), by), shaken);
  ASSERT_TRUE(until([&] { return shaken.done(); }));
  EXPECT_GE(loop_->now(), by);
  EXPECT_EQ(shaken.value->error().code, fault::timed_out);
  EXPECT_EQ(shaken.value->error().from, origin::upstream);
  // It has said hello, and nothing that would depend on an answer.
  EXPECT_EQ(io::test::take_all(both.theirs).substr(0, 2), "\x16\x03");
}

TEST_F(StreamClientTls, OneThatRestsTakesTicketsAndNothingElse) {
  const auto with = target();
  const ends both = pair();
  ASSERT_TRUE(shake(both, with, serving(protocol_version::tls13)).client);
  EXPECT_EQ(hear(both.server, 7), "request");
  ASSERT_TRUE(both.client.rest());
  EXPECT_FALSE(with->has_session());
  say(both.server, "");  // what the server owes
  if (!with->has_session()) {
    ASSERT_TRUE(until([&] { return with->has_session(); }));
  }
  EXPECT_TRUE(both.client.quiet());
  say(both.server, "nobody has asked for this");
  EXPECT_TRUE(until([&] { return !both.client.quiet(); }));
}

}  // namespace
}  // namespace rw::net::test
