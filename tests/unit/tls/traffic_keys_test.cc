#include "tls/traffic_keys.h"

#include <gtest/gtest.h>

#include <sstream>

#include "client.h"

namespace rw::tls {
namespace {

using namespace testing;

std::string unhex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

std::string hex(std::span<const std::byte> from) {
  std::string out;
  for (const std::byte one : from) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += digits[static_cast<unsigned>(one) >> 4U];
    out += digits[static_cast<unsigned>(one) & 15U];
  }
  return out;
}

TEST(TrafficKeys, AreThoseOfRfc8448) {
  std::istringstream lines(vector_file("rfc8448.txt"));
  int seen = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::string name, secret, key, iv;
    std::istringstream(line) >> name >> secret >> key >> iv;
    const std::string raw = unhex(secret);
    traffic_keys derived;
    ASSERT_TRUE(traffic_secret(bytes(raw)).derive(aead::aes128_gcm, derived)) << name;
    EXPECT_EQ(hex(std::span(derived.key).first(16)), key) << name;
    EXPECT_EQ(hex(derived.iv), iv) << name;
    EXPECT_EQ(derived.sequence, 0U);
    EXPECT_TRUE(derived.tls13);
    ++seen;
  }
  EXPECT_EQ(seen, 4);
}

TEST(TrafficKeys, ChangeWithEachAdvance) {
  const std::string raw(48, 's');
  traffic_secret secret(bytes(raw));
  traffic_keys first, second, third;
  ASSERT_TRUE(secret.derive(aead::aes256_gcm, first) && secret.advance() &&
              secret.derive(aead::aes256_gcm, second) && secret.advance() &&
              secret.derive(aead::aes256_gcm, third));
  EXPECT_NE(first.key, second.key);
  EXPECT_NE(second.key, third.key);
  EXPECT_NE(first.iv, second.iv);
}

}  // namespace
}  // namespace rw::tls
