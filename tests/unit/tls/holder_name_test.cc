#include "tls/holder_name.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "client.h"
#include "tls/der.h"
#include "tls/pem.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

struct vector {
  std::string title;
  std::string outcome;
  std::string text;
  std::string der;
};

std::vector<vector> vectors() {
  std::vector<vector> out;
  std::istringstream lines(testing::vector_file("holder_names.tsv"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    vector one;
    std::string encoded;
    std::getline(fields, one.title, '\t');
    std::getline(fields, one.outcome, '\t');
    std::getline(fields, one.text, '\t');
    std::getline(fields, encoded);
    one.der = decode_pem(encoded).value_or("");
    out.push_back(std::move(one));
  }
  return out;
}

TEST(HolderName, IsTheOneOrIsRefusedForItsOwnReason) {
  const auto all = vectors();
  EXPECT_GT(all.size(), 50U);
  for (const vector& one : all) {
    const auto found = holder_name(one.der);
    ASSERT_EQ(found.has_value(), one.outcome == "name") << one.title;
    EXPECT_EQ(found ? *found : found.error().text, one.text) << one.title;
  }
}

TEST(HolderName, OfACertificateThatIsCutOffIsNone) {
  for (const vector& one : vectors()) {
    if (one.outcome != "name") continue;
    for (std::size_t size = 0; size < one.der.size(); ++size) {
      EXPECT_FALSE(holder_name(std::string_view(one.der).substr(0, size))) << one.title;
    }
  }
}

TEST(HolderName, OfRealCertificatesIsWhatOpensslPutThere) {
  const auto name_in = [](std::string_view file) {
    const auto found = read_certificates(testing::vector_file(file), 10);
    EXPECT_TRUE(found.has_value());
    return holder_name(found->front()).value_or("");
  };
  EXPECT_EQ(name_in("leaf.pem"), "www.example.org");
  EXPECT_EQ(name_in("common.pem"), "Common.Example");
  EXPECT_EQ(name_in("p384.pem"), "p384.example");
  EXPECT_EQ(name_in("root.pem"), "") << "its common name has spaces";
}

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

TEST(Der, ALengthHasOneForm) {
  const auto taken = [](std::string_view bytes) { return next_element(bytes).has_value(); };
  EXPECT_TRUE(taken("\x04\x00"sv));
  EXPECT_TRUE(taken("\x04\x01x, and more"sv));
  EXPECT_TRUE(taken("\x04\x81\x80"s + std::string(128, 'x')));
  EXPECT_FALSE(taken("\x04\x81\x7f"s + std::string(127, 'x')));
  EXPECT_FALSE(taken("\x04\x82\x00\x80"s + std::string(128, 'x')));
  EXPECT_FALSE(taken("\x04\x80"sv));
  EXPECT_FALSE(taken("\x04\x85\x01\x00\x00\x00\x00"sv));
  EXPECT_FALSE(taken("\x04\x84\xff\xff\xff\xffx"sv));
  EXPECT_FALSE(taken("\x04\x02x"sv));
  EXPECT_FALSE(taken("\x1f\x01x"sv));
  EXPECT_FALSE(taken("\x04"sv));
  EXPECT_FALSE(taken(""sv));
}

TEST(Der, WhatIsNotTakenStays) {
  std::string_view from = "\x04\x01x";
  EXPECT_FALSE(next_body(from, der_sequence));
  EXPECT_EQ(from.size(), 3U);
  EXPECT_EQ(next_body(from, der_octets), "x");
  EXPECT_TRUE(from.empty());
}

}  // namespace
}  // namespace rw::tls
