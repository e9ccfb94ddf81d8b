#include "tls/server_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "client.h"
#include "tls/library.h"

namespace rw::tls {
namespace {

using namespace testing;

// Both ways, and both sides' close.
void expect_talk(client& one, server& other, std::size_t piece = SIZE_MAX) {
  one.write("hello");
  std::string got;
  EXPECT_EQ(other.read(one.sent, one.received, got, piece), step::want_input);
  EXPECT_EQ(got, "hello");
  EXPECT_EQ(other.write("world", one.received), step::done);
  EXPECT_EQ(one.read(), "world");
}

std::string noise(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

struct suite_case {
  const char* library;  // what the client offers
  const char* name;     // what must come of it
  protocol_version version;
};

class Suites : public ::testing::TestWithParam<suite_case> {};

TEST_P(Suites, TalksInPiecesOfAnySize) {
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    client one(verified({.max_version = GetParam().version, .ciphers = GetParam().library}));
    server other(context_with());
    ASSERT_TRUE(connect(one, other, piece)) << other.codec.failure().what.text << one.error();
    EXPECT_EQ(other.codec.version(), GetParam().version);
    EXPECT_EQ(other.codec.cipher(), GetParam().name);
    EXPECT_EQ(other.codec.server_name(), "a.example");
    EXPECT_FALSE(other.codec.resumed());
    expect_talk(one, other, piece);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Codec, Suites,
    ::testing::Values(
        suite_case{"TLS13-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256", protocol_version::tls13},
        suite_case{"TLS13-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384", protocol_version::tls13},
        suite_case{"TLS13-CHACHA20-POLY1305-SHA256", "TLS_CHACHA20_POLY1305_SHA256",
                   protocol_version::tls13},
        suite_case{"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                   protocol_version::tls12},
        suite_case{"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                   protocol_version::tls12},
        suite_case{"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                   protocol_version::tls12}),
    [](const auto& each) {
      std::string name = each.param.name;
      std::erase(name, '_');
      return name;
    });

TEST(Codec, PrefersAes128WhereTheCpuHasAes) {
  client one(verified());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  EXPECT_EQ(other.codec.cipher(),
            features().aes_cpu ? "TLS_AES_128_GCM_SHA256" : "TLS_CHACHA20_POLY1305_SHA256");
}

TEST(Codec, AnswersAHandshakeInTwoFlights) {
  client one(verified());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  EXPECT_EQ(other.flights, 2);  // everything up to Finished; then the ticket
  client two(verified(only_tls12()));
  server another(context_with());
  ASSERT_TRUE(connect(two, another));
  EXPECT_EQ(another.flights, 2);
}

TEST(Codec, AgreesOnTheGroupThatTheServerPrefers) {
  struct {
    int id;
    const char* name;
  } const cases[] = {
      {29, "X25519"}, {23, "SECP256R1"}, {24, "SECP384R1"}, {4588, "X25519MLKEM768"}};
  for (const auto& each : cases) {
    if (each.id == 4588 && !features().mlkem) continue;
    client one(verified({.groups = {each.id}}));
    server other(context_with());
    ASSERT_TRUE(connect(one, other)) << each.name << one.error();
    EXPECT_EQ(other.codec.group(), each.name);
    expect_talk(one, other);
  }
}

TEST(Codec, AsksAgainForAGroupThatItHas) {
  // The client's key share is X25519's; the listener takes P-256 only (HelloRetryRequest).
  client one(verified({.groups = {29, 23}}));
  server other(context_with({.groups = {"P-256"}}));
  ASSERT_TRUE(connect(one, other)) << other.codec.failure().what.text << one.error();
  EXPECT_EQ(other.codec.group(), "SECP256R1");
  expect_talk(one, other);
}

TEST(Codec, KeepsToItsGroupsInTls12Too) {
  client one(verified(only_tls12({.groups = {29, 23}})));
  server other(context_with({.groups = {"P-256"}}));
  ASSERT_TRUE(connect(one, other)) << other.codec.failure().what.text << one.error();
  EXPECT_EQ(other.codec.group(), "SECP256R1");
  client two(verified(only_tls12({.groups = {29}})));
  server another(context_with({.groups = {"P-256"}}));
  EXPECT_FALSE(connect(two, another));
  EXPECT_EQ(two.server_alert(), 40);
  EXPECT_STREQ(another.codec.failure().what.text, "the client and we have no group in common");
}

TEST(Codec, TakesAClientHelloSplitOverRecords) {
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    for (const std::size_t size : {1U, 3U, 50U, 200U}) {
      client one(verified({.max_version = version, .groups = {29}}));
      ASSERT_FALSE(one.handshake());
      const std::string hello = one.sent.substr(5);
      const std::string head = one.sent.substr(0, 3);
      one.sent.clear();
      for (std::size_t at = 0; at < hello.size(); at += size) {
        const std::string part = hello.substr(at, size);
        one.sent += head + '\0' + static_cast<char>(part.size()) + part;
      }
      server other(context_with());
      ASSERT_TRUE(connect(one, other, 5)) << other.codec.failure().what.text << one.error();
      expect_talk(one, other);
    }
  }
}

TEST(Codec, OffersNoMoreThanItsCiphers) {
  // TLS 1.2 suites only: no TLS 1.3 whatever the client offers.
  client one(verified());
  server other(context_with({.ciphers = {"ECDHE-ECDSA-AES256-GCM-SHA384"}}));
  ASSERT_TRUE(connect(one, other)) << other.codec.failure().what.text;
  EXPECT_EQ(other.codec.cipher(), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
  // And their order is the server's.
  client two(verified());
  server another(
      context_with({.ciphers = {"TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}}));
  ASSERT_TRUE(connect(two, another));
  EXPECT_EQ(another.codec.cipher(), "TLS_CHACHA20_POLY1305_SHA256");
}

TEST(Codec, ChoosesTheProtocolInItsOwnOrder) {
  const server_options both{.protocols = {"h2", "http/1.1"}};
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    client one(verified({.max_version = version, .protocols = "http/1.1,h2"}));
    server other(context_with(both));
    ASSERT_TRUE(connect(one, other)) << other.codec.failure().what.text;
    EXPECT_EQ(other.codec.protocol(), "h2");
    EXPECT_EQ(one.protocol(), "h2");

    client two(verified({.max_version = version, .protocols = "spdy/3,http/1.1"}));
    server another(context_with(both));
    ASSERT_TRUE(connect(two, another));
    EXPECT_EQ(another.codec.protocol(), "http/1.1");
    EXPECT_EQ(two.protocol(), "http/1.1");

    client three(verified({.max_version = version}));
    server plain(context_with(both));
    ASSERT_TRUE(connect(three, plain));
    EXPECT_EQ(plain.codec.protocol(), "");

    client four(verified({.max_version = version, .protocols = "spdy/3,http/0.9"}));
    server strict(context_with(both));
    EXPECT_FALSE(connect(four, strict));
    EXPECT_EQ(four.server_alert(), 120);
    EXPECT_STREQ(strict.codec.failure().what.text,
                 "the client asks for protocols that are not served here");
  }
}

TEST(Codec, MovesInTheMiddleOfAnything) {
  client one(verified());
  server first(context_with());
  ASSERT_FALSE(one.handshake());
  for (std::size_t half = one.sent.size() / 2; !one.sent.empty(); half = one.sent.size()) {
    auto in = bytes(std::string_view(one.sent).substr(0, half));
    EXPECT_EQ(first.codec.handshake(in, first.out), step::want_input);
    one.sent.erase(0, half);
    server_codec moved(std::move(first.codec));
    first.codec = std::move(moved);
  }
  first.drain(one.received);
  server second(nullptr);
  second.codec = std::move(first.codec);
  EXPECT_TRUE(first.codec.failed());
  ASSERT_TRUE(connect(one, second));
  expect_talk(one, second);
}

TEST(Codec, LosesNothingWhenTheOutputIsSmall) {
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    client one(verified({.max_version = version}));
    server other(context_with(), 1100);
    other.out.capacity = 64;
    ASSERT_TRUE(connect(one, other, 100)) << other.codec.failure().what.text << one.error();
    other.out.capacity = 1100;
    const std::string body = noise(100'000, 1);
    ASSERT_EQ(other.write(body, one.received), step::done);
    EXPECT_EQ(one.read(), body);
  }
}

TEST(Codec, ClosesBothWays) {
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    client one(verified({.max_version = version}));
    server other(context_with());
    ASSERT_TRUE(connect(one, other));
    one.write("last");
    one.close();
    std::string got;
    EXPECT_EQ(other.read(one.sent, one.received, got), step::closed);
    EXPECT_EQ(got, "last");
    EXPECT_EQ(other.read(one.sent, one.received, got), step::closed);  // and stays so
    EXPECT_EQ(other.write("answer", one.received), step::done);        // a half-closed connection
    EXPECT_EQ(other.codec.close(other.out), step::done);
    const std::size_t size = other.out.size;
    EXPECT_GT(size, 0U);
    EXPECT_EQ(other.codec.close(other.out), step::done);  // once
    EXPECT_EQ(other.out.size, size);
    other.drain(one.received);
    EXPECT_EQ(one.read(), "answer");
    EXPECT_TRUE(one.saw_close());
  }
}

TEST(Codec, ReadsOnAfterItsOwnClose) {
  client one(verified());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  EXPECT_EQ(other.codec.close(other.out), step::done);
  one.write("under way");
  std::string got;
  EXPECT_EQ(other.read(one.sent, one.received, got), step::want_input);
  EXPECT_EQ(got, "under way");
}

TEST(Codec, PutsHeadAndBodyInOneRecord) {
  client one(verified());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  other.out.size = 0;
  const std::string head(300, 'h');
  const std::string body(2000, 'b');
  const std::string_view parts_text[] = {head, "", body};
  const std::span<const std::byte> parts[] = {bytes(parts_text[0]), bytes(parts_text[1]),
                                              bytes(parts_text[2])};
  const transfer how = other.codec.write(parts, other.out);
  EXPECT_EQ(how.state, step::done);
  EXPECT_EQ(how.size, 2300U);
  EXPECT_EQ(other.out.size, 2300U + 22U);
  other.drain(one.received);
  EXPECT_EQ(one.read(), head + body);

  const transfer nothing = other.codec.write(std::span<const std::byte>{}, other.out);
  EXPECT_EQ(nothing.state, step::done);
  EXPECT_EQ(other.out.size, 0U);
}

TEST(Codec, FillsTheOutputWithWholeRecordsWhereItCan) {
  client one(verified());
  server other(context_with(), record_plaintext_max + record_overhead_max);
  ASSERT_TRUE(connect(one, other));
  other.drain(one.received);
  const std::string body = noise(50'000, 2);
  const transfer first = other.codec.write(bytes(body), other.out);
  EXPECT_EQ(first.state, step::want_output);
  EXPECT_EQ(first.size, record_plaintext_max);
  EXPECT_EQ(other.out.size, record_plaintext_max + 22);
  other.drain(one.received);
  EXPECT_EQ(other.write(std::string_view(body).substr(first.size), one.received), step::done);
  EXPECT_EQ(one.read(), body);
}

class Bulk : public ::testing::TestWithParam<protocol_version> {};

TEST_P(Bulk, TenMegabytesBothWaysInRandomPieces) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return random() % n + 1; };
  client one(verified({.max_version = GetParam()}));
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  const std::string up = noise(10'000'000, 3);
  const std::string down = noise(10'000'000, 4);
  std::string up_got;
  std::string down_got;
  std::size_t up_at = 0;
  std::size_t down_at = 0;
  while (up_got.size() < up.size() || down_got.size() < down.size()) {
    const std::string_view next = std::string_view(up).substr(up_at).substr(0, below(100'000));
    one.write(next);
    up_at += next.size();
    ASSERT_NE(other.read(one.sent, one.received, up_got, below(20'000), below(40'000)),
              step::failed);
    if (up_at % 3 == 0 && GetParam() == protocol_version::tls13) one.update_key();
    const std::string_view back = std::string_view(down).substr(down_at).substr(0, below(100'000));
    const std::size_t cut = below(back.size() + 1) - 1;
    const std::span<const std::byte> parts[] = {bytes(back.substr(0, cut)),
                                                bytes(back.substr(cut))};
    const transfer wrote = other.codec.write(parts, other.out);
    ASSERT_NE(wrote.state, step::failed);
    down_at += wrote.size;
    other.drain(one.received);
    down_got += one.read();
    ASSERT_EQ(one.error(), 0);
  }
  EXPECT_TRUE(up_got == up);
  EXPECT_TRUE(down_got == down);
}

INSTANTIATE_TEST_SUITE_P(Codec, Bulk,
                         ::testing::Values(protocol_version::tls12, protocol_version::tls13),
                         [](const auto& each) {
                           return each.param == protocol_version::tls12 ? "Tls12" : "Tls13";
                         });

TEST(Codec, AnswersKeyUpdatesAndWaitsForRoomBetweenThem) {
  client one(verified());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  for (int i = 0; i < 50; ++i) one.update_key();
  one.write("after fifty updates");
  other.out.capacity = 10;  // no room for a single answer
  auto in = bytes(one.sent);
  std::vector<std::byte> room(100);
  const transfer first = other.codec.read(in, room, other.out);
  EXPECT_EQ(first.state, step::want_output);
  EXPECT_GT(in.size(), one.sent.size() / 2);  // it did not go on reading
  std::string answers;
  std::string got;
  other.out.capacity = 32768;
  std::string rest(text(in));
  other.drain(answers);
  EXPECT_EQ(other.read(rest, answers, got), step::want_input);
  EXPECT_EQ(got, "after fifty updates");
  one.received += answers;
  EXPECT_EQ(other.write("hello", one.received), step::done);
  EXPECT_EQ(one.read(), "hello");
  EXPECT_EQ(one.error(), 0);
}

}  // namespace
}  // namespace rw::tls
