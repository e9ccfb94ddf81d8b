#include "tls/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <wolfssl/error-ssl.h>

#include <random>

#include "client.h"
#include "tls/library.h"

namespace rw::tls {
namespace {

using namespace testing;

std::shared_ptr<const ticket_keys> keys() {
  return std::make_shared<const ticket_keys>(mono_time{});
}

std::shared_ptr<const server_context> context_with(server_options options = {}) {
  auto made = server_context::create(std::move(options), {certificate_for({"a.example"})}, keys());
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().text);
  return made.value_or(nullptr);
}

client_options verified(client_options options = {}) {
  options.server_name = "a.example";
  options.trusted = certificate_for({"a.example"})->chain_pem();
  return options;
}

client_options only_tls12(client_options options = {}) {
  options.max_version = protocol_version::tls12;
  return options;
}

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

// The client's first flight with `size` more bytes in it, as an extension that nobody knows.
std::string padded(const std::string& sent, std::size_t size) {
  std::string message = sent.substr(5);
  const auto number = [&](std::size_t at, int digits) {
    std::size_t value = 0;
    for (; digits > 0; --digits, ++at)
      value = value << 8U | static_cast<unsigned char>(message[at]);
    return value;
  };
  const auto put = [&](std::size_t at, int digits, std::size_t value) {
    for (; digits > 0; --digits, value >>= 8U) {
      message[at + static_cast<std::size_t>(digits) - 1] = static_cast<char>(value);
    }
  };
  std::size_t at = 4 + 2 + 32;
  at += 1 + number(at, 1);
  at += 2 + number(at, 2);
  at += 1 + number(at, 1);
  std::string padding = std::string("\xfa\xfa\0\0", 4) + std::string(size, '\0');
  padding[2] = static_cast<char>(size >> 8U);
  padding[3] = static_cast<char>(size);
  put(at, 2, number(at, 2) + padding.size());
  message.insert(at + 2, padding);
  put(1, 3, message.size() - 4);
  std::string records;
  for (std::size_t from = 0; from < message.size(); from += 9000) {
    const std::string part = message.substr(from, 9000);
    records += sent.substr(0, 3) + static_cast<char>(part.size() >> 8U) +
               static_cast<char>(part.size()) + part;
  }
  return records;
}

// What a server answers to `sent`: its failure's text and the alert at the end of its output.
struct refusal {
  const char* text;
  int alert;
  fault code;
};

refusal refused(std::string sent, server_options options = {}) {
  server other(context_with(std::move(options)));
  std::string answer;
  const step how = other.handshake(sent, answer);
  EXPECT_EQ(how, step::failed);
  EXPECT_TRUE(other.codec.failed());
  const bool alert = answer.size() >= 7 && answer[answer.size() - 7] == 21;
  return {other.codec.failure().what.text, alert ? static_cast<unsigned char>(answer.back()) : -1,
          other.codec.failure().what.code};
}

TEST(Codec, RefusesWhatIsNoClientHello) {
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\r\n").alert, -1);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\r\n").code, fault::malformed);
  EXPECT_EQ(refused(std::string("\x80\x2e\x01\x00\x02", 5)).alert, -1);      // SSL 2
  EXPECT_EQ(refused(std::string("\x17\x03\x03\x00\x01x", 6)).alert, -1);     // application data
  EXPECT_EQ(refused(std::string("\x16\x03\x01\x00\x00", 5)).alert, 10);      // an empty record
  EXPECT_EQ(refused(std::string("\x16\x03\x01\x00\x01\x02", 6)).alert, 10);  // a ServerHello
  EXPECT_EQ(refused(std::string("\x16\x03\x01\x50\x00", 5)).alert, 22);      // a record too large
  EXPECT_EQ(refused(std::string("\x16\x03\x01\x00\x04\x01\x01\x00\x00", 9)).alert, 47);  // 64 KiB
  EXPECT_EQ(refused(std::string("\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9)).alert, 50);  // empty
}

TEST(Codec, BoundsTheClientHello) {
  client one(verified({.groups = {29}}));
  ASSERT_FALSE(one.handshake());
  // A hello made longer behind the client's back can be answered, though never finished.
  std::string large = padded(one.sent, 15'900);
  server other(context_with());
  std::string answer;
  EXPECT_EQ(other.handshake(large, answer), step::want_input) << other.codec.failure().what.text;
  EXPECT_GT(answer.size(), 500U);
  EXPECT_EQ(other.codec.server_name(), "a.example");
  const auto too_large = refused(padded(one.sent, 16'300));
  EXPECT_EQ(too_large.alert, 47);
  EXPECT_EQ(too_large.code, fault::too_large);
}

TEST(Codec, RefusesOldVersions) {
  // A ClientHello of TLS 1.1, by hand: two suites, no extensions.
  std::string body = std::string("\x03\x02", 2) + std::string(32, 'r') +
                     std::string("\x00\x00\x04\xc0\x09\xc0\x13\x01\x00", 9);
  std::string hello = std::string("\x01\x00\x00", 3) + static_cast<char>(body.size()) + body;
  const auto old =
      refused(std::string("\x16\x03\x01\x00", 4) + static_cast<char>(hello.size()) + hello);
  EXPECT_EQ(old.alert, 70);
  EXPECT_STREQ(old.text, "the client speaks no TLS version that is served here");

  client one(verified(only_tls12()));
  server other(context_with({.min_version = protocol_version::tls13}));
  EXPECT_FALSE(connect(one, other));
  EXPECT_EQ(one.server_alert(), 70);
}

TEST(Codec, RefusesWithoutASuiteInCommon) {
  client one(verified({.ciphers = "TLS13-AES256-GCM-SHA384"}));
  server other(context_with({.ciphers = {"TLS_AES_128_GCM_SHA256"}}));
  EXPECT_FALSE(connect(one, other));
  EXPECT_EQ(one.server_alert(), 40);
  EXPECT_STREQ(other.codec.failure().what.text, "the client and we have no cipher suite in common");
  EXPECT_EQ(other.codec.failure().library_code, MATCH_SUITE_ERROR);
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

TEST(Codec, FailsOnARecordThatWasChanged) {
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    client one(verified({.max_version = version}));
    server other(context_with());
    ASSERT_TRUE(connect(one, other));
    one.write("secret");
    one.sent[one.sent.size() - 3] ^= 1;
    std::string got;
    std::string answer;
    EXPECT_EQ(other.read(one.sent, answer, got), step::failed);
    EXPECT_EQ(got, "");
    EXPECT_STREQ(other.codec.failure().what.text, "a record does not authenticate");
    EXPECT_EQ(other.codec.failure().what.code, fault::tls);
    one.received += answer;
    one.read();
    EXPECT_EQ(one.server_alert(), 20);
    EXPECT_EQ(other.read(one.sent, answer, got), step::failed);
    EXPECT_EQ(other.write("no", answer), step::failed);
  }
}

TEST(Codec, FailsOnARecordThatIsTooLarge) {
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    client one(verified({.max_version = version}));
    server other(context_with());
    ASSERT_TRUE(connect(one, other));
    std::string record = std::string("\x17\x03\x03\x60\x00", 5) + std::string(0x6000, 'x');
    std::string answer;
    std::string got;
    EXPECT_EQ(other.read(record, answer, got), step::failed);
  }
}

TEST(Codec, RefusesRenegotiation) {
  client one(verified(only_tls12()));
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  // wolfSSL's client cannot: a ClientHello as plaintext in the established connection.
  client again(verified(only_tls12()));
  ASSERT_FALSE(again.handshake());
  std::string got;
  std::string answer;
  EXPECT_EQ(other.read(again.sent, answer, got), step::failed);
}

TEST(Codec, TellsWhichAlertThePeerSent) {
  client one({.server_name = "a.example", .trusted = certificate_for({"b.example"})->chain_pem()});
  server other(context_with());
  EXPECT_FALSE(connect(one, other));
  EXPECT_TRUE(other.codec.failed() || one.error() != 0);
  std::string answer;
  other.handshake(one.sent, answer);
  EXPECT_TRUE(other.codec.failed());
  EXPECT_THAT(other.codec.failure().peer_alert, ::testing::AnyOf(42, 48));  // certificate, CA
  EXPECT_STREQ(other.codec.failure().what.text, "the client ended the connection with an alert");
}

TEST(Codec, EndsAConnectionOfNothingButKeyUpdates) {
  client one(verified());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  std::string got;
  step how = step::want_input;
  int updates = 0;
  for (; updates < 5000 && how == step::want_input; ++updates) {
    one.update_key();
    how = other.read(one.sent, one.received, got);
    one.read();
  }
  EXPECT_EQ(how, step::failed);
  EXPECT_THAT(updates, ::testing::AllOf(::testing::Gt(500), ::testing::Lt(2000)));
  EXPECT_STREQ(other.codec.failure().what.text, "records without data and without end");
}

TEST(Codec, FailsOnAChangeCipherSpecAtNoTimeOfItsOwn) {
  client one(verified());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  std::string stray("\x14\x03\x03\x00\x01\x01", 6);
  std::string got;
  EXPECT_EQ(other.read(stray, one.received, got), step::failed);
  one.read();
  EXPECT_EQ(one.server_alert(), 10);
}

}  // namespace
}  // namespace rw::tls
