#include "tls/client_hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client.h"

namespace rw::tls {
namespace {

using namespace testing;
using state = hello_reader::state;

std::string number(std::size_t value, int digits) {
  std::string out;
  for (int i = digits - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string sized(const std::string& body, int digits) {
  return number(body.size(), digits) + body;
}

std::string extension(std::size_t type, const std::string& body) {
  return number(type, 2) + sized(body, 2);
}

std::string server_name(const std::string& name) {
  return extension(0, sized('\0' + sized(name, 2), 2));
}

std::string hello_of(const std::string& extensions, std::size_t version = 0x0303) {
  const std::string body = number(version, 2) + std::string(32, 'r') + sized("session", 1) +
                           sized("\x13\x01\x13\x02", 2) + sized(std::string(1, '\0'), 1) +
                           (extensions.empty() ? "" : sized(extensions, 2));
  return '\x01' + sized(body, 3);
}

std::string record_of(const std::string& payload) { return "\x16\x03\x01" + sized(payload, 2); }

bool parses(const std::string& message) {
  client_hello out;
  return parse_client_hello(bytes(message), out);
}

TEST(ClientHello, TellsWhatTheChoiceNeeds) {
  const std::string message =
      hello_of(extension(0x0a0a, "grease") + server_name("Www.Example.org") +
               extension(16, sized(sized("h2", 1) + sized("http/1.1", 1), 2)) +
               extension(43, sized("\x0a\x0a\x03\x04\x03\x03", 1)) +
               extension(13, sized("\x04\x03\x08\x04", 2)) + extension(10, sized("\x11\xec", 2)));
  client_hello out;
  ASSERT_TRUE(parse_client_hello(bytes(message), out));
  EXPECT_TRUE(out.has_server_name);
  EXPECT_EQ(out.server_name, "Www.Example.org");
  EXPECT_TRUE(out.offers_tls12);
  EXPECT_TRUE(out.offers_tls13);
  EXPECT_EQ(text(out.signatures), "\x04\x03\x08\x04");
  EXPECT_EQ(text(out.groups), "\x11\xec");
  EXPECT_TRUE(out.has_group(4588));
  EXPECT_FALSE(out.has_group(29));
  std::vector<std::string> protocols;
  EXPECT_FALSE(any_protocol(out, [&](std::string_view name) {
    protocols.emplace_back(name);
    return false;
  }));
  EXPECT_THAT(protocols, ::testing::ElementsAre("h2", "http/1.1"));
  EXPECT_TRUE(any_protocol(out, [](std::string_view name) { return name == "h2"; }));
}

TEST(ClientHello, KnowsTheVersions) {
  client_hello out;
  ASSERT_TRUE(parse_client_hello(bytes(hello_of("")), out));
  EXPECT_TRUE(out.offers_tls12);
  EXPECT_FALSE(out.offers_tls13);
  ASSERT_TRUE(parse_client_hello(bytes(hello_of("", 0x0302)), out));
  EXPECT_FALSE(out.offers_tls12);
  ASSERT_TRUE(parse_client_hello(bytes(hello_of(extension(43, sized("\x03\x04", 1)))), out));
  EXPECT_FALSE(out.offers_tls12);  // the extension replaces legacy_version
  EXPECT_TRUE(out.offers_tls13);
}

TEST(ClientHello, RefusesBrokenStructure) {
  EXPECT_TRUE(parses(hello_of("")));
  EXPECT_TRUE(parses(hello_of(server_name("a"))));
  EXPECT_FALSE(parses(hello_of(server_name(""))));
  EXPECT_FALSE(parses(hello_of(server_name("a") + server_name("a"))));
  EXPECT_FALSE(parses(hello_of(extension(0, sized("", 2)))));
  EXPECT_FALSE(parses(hello_of(extension(0, sized("\x01" + sized("a", 2), 2)))));
  const std::string two_names = std::string(1, '\0') + sized("a", 2) + '\0' + sized("b", 2);
  EXPECT_FALSE(parses(hello_of(extension(0, sized(two_names, 2)))));
  EXPECT_FALSE(parses(hello_of(extension(16, sized("", 2)))));
  EXPECT_FALSE(parses(hello_of(extension(16, sized(sized("", 1), 2)))));
  EXPECT_FALSE(parses(hello_of(extension(16, sized("\x05h2", 2)))));
  EXPECT_FALSE(parses(hello_of(extension(43, sized("", 1)))));
  EXPECT_FALSE(parses(hello_of(extension(43, sized("\x03", 1)))));
  EXPECT_FALSE(parses(hello_of(extension(13, sized("\x03", 2)))));
  EXPECT_FALSE(parses(hello_of(extension(13, "\x03"))));
  EXPECT_FALSE(parses(hello_of(extension(10, sized("", 2)))));
  EXPECT_FALSE(parses(hello_of(server_name("a") + "x")));
  EXPECT_FALSE(parses(hello_of("") + "x"));
  EXPECT_FALSE(parses("\x02" + hello_of("").substr(1)));
}

// X25519, P-256, P-384 and the hybrids of all three with ML-KEM, which no client sends all of, an
// encrypted inner hello and a ticket of 1 KiB: less than half of the bound.
TEST(ClientHello, EveryKeyShareThatThereIsFits) {
  std::string shares;
  for (const unsigned size : {32U, 65U, 97U, 1216U, 1249U, 1665U}) {
    shares += number(0x11ec, 2) + sized(std::string(size, 'k'), 2);
  }
  const std::string message =
      hello_of(server_name("a.example") + extension(51, sized(shares, 2)) +
               extension(0xfe0d, std::string(512, 'e')) +
               extension(41, sized(sized(std::string(1024, 't'), 2) + number(0, 4), 2) +
                                 sized(sized(std::string(48, 'b'), 1), 2)));
  EXPECT_TRUE(parses(message));
  EXPECT_LT(message.size(), client_hello_bytes_max / 2);
}

TEST(ClientHello, NeverReadsPastAnyPrefix) {
  const std::string whole =
      hello_of(server_name("a.example") + extension(16, sized(sized("h2", 1), 2)) +
               extension(43, sized("\x03\x04", 1)));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> prefix(whole.begin(),
                                   whole.begin() + static_cast<long>(size));  // exact
    client_hello out;
    EXPECT_FALSE(parse_client_hello(bytes({prefix.data(), prefix.size()}), out)) << size;
  }
  ASSERT_TRUE(parses(whole));
  for (std::size_t at = 0; at < whole.size(); ++at) {  // and whatever one byte is turned into
    for (int value = 0; value < 256; ++value) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      parses(changed);
    }
  }
}

TEST(HelloReader, PutsPiecesTogetherAndTakesNoMore) {
  const std::string message = hello_of(server_name("a.example"));
  for (const std::size_t fragment :
       {std::size_t{1}, std::size_t{4}, std::size_t{50}, message.size()}) {
    std::string stream;
    for (std::size_t at = 0; at < message.size(); at += fragment) {
      stream += record_of(message.substr(at, fragment));
    }
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, stream.size() + 10}) {
      const std::string with_more = stream + "the next record";
      hello_reader reader;
      std::size_t at = 0;
      state how = state::incomplete;
      while (how == state::incomplete) {
        ASSERT_LT(at, stream.size());
        auto in = bytes(std::string_view(with_more).substr(at, piece));
        const std::size_t given = in.size();
        how = reader.take(in);
        at += given - in.size();
        if (how == state::incomplete) {
          EXPECT_TRUE(in.empty());
        }
      }
      EXPECT_EQ(how, state::complete);
      EXPECT_EQ(at, stream.size());
      EXPECT_EQ(text(reader.message()), message);
      EXPECT_EQ(text(reader.record()), record_of(message));
    }
  }
}

TEST(HelloReader, RefusesEarly) {
  const auto take = [](const std::string& stream) {
    hello_reader reader;
    auto in = bytes(stream);
    return reader.take(in);
  };
  EXPECT_EQ(take("G"), state::not_tls);
  EXPECT_EQ(take("\x16\x02"), state::not_tls);
  EXPECT_EQ(take(std::string("\x16\x03\x01\x00\x00", 5)), state::unexpected);
  EXPECT_EQ(take("\x16\x03\x01\x40\x01"), state::record_too_large);
  EXPECT_EQ(take(record_of("\x02")), state::unexpected);
  EXPECT_EQ(take(record_of(std::string("\x01\x00\x3f\xfd", 4))), state::message_too_large);
  EXPECT_EQ(take(record_of(std::string("\x01\x00\x3f\xfc", 4))), state::incomplete);
  EXPECT_EQ(take(record_of(hello_of("") + "x")), state::unexpected);
  EXPECT_EQ(take(record_of("\x01") + "\x15"), state::unexpected);
  EXPECT_EQ(take(record_of("\x01") + "\x16\x02"), state::unexpected);
}

TEST(HelloReader, SeesTheUsualCaseInPlace) {
  const std::string record = record_of(hello_of(server_name("a.example")));
  EXPECT_EQ(hello_reader::whole_record(bytes(record)), record.size());
  EXPECT_EQ(hello_reader::whole_record(bytes(record + "more")), record.size());
  for (std::size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(hello_reader::whole_record(bytes(std::string_view(record).substr(0, size))), 0U);
  }
  EXPECT_EQ(hello_reader::whole_record(bytes(record_of(hello_of("") + "x"))), 0U);
  EXPECT_EQ(hello_reader::whole_record(bytes(record_of(hello_of("").substr(0, 20)))), 0U);
}

}  // namespace
}  // namespace rw::tls
