// What the codec refuses, and how it says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <wolfssl/error-ssl.h>

#include "client.h"
#include "tls/server_codec.h"

namespace rw::tls {
namespace {

using namespace testing;

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
