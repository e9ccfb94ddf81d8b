#include "auth/revocations.h"

#include <gtest/gtest.h>

#include <string>

namespace rw::auth {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr wall_time now{seconds(1'800'000'000)};

revocation entry(revoked_kind what, std::string id, std::string issuer = "",
                 std::int64_t until = 0) {
  return {.what = what,
          .id = std::move(id),
          .issuer = std::move(issuer),
          .since = sys_seconds(seconds(1'700'000'000)),
          .until = sys_seconds(seconds(until))};
}

TEST(Revocations, GoByKindIdAndIssuer) {
  const revocation_list list({entry(revoked_kind::identity, "alice"),
                              entry(revoked_kind::jti, "7", "https://a.example"),
                              entry(revoked_kind::jti, "8"), entry(revoked_kind::kid, "k")});
  EXPECT_TRUE(list.has_identity("alice", now));
  EXPECT_FALSE(list.has_identity("alic", now));
  EXPECT_FALSE(list.has_identity("7", now));
  // Another issuer's token of the same jti is another token.
  EXPECT_TRUE(list.has_token("https://a.example", "7", "", now));
  EXPECT_FALSE(list.has_token("https://b.example", "7", "", now));
  EXPECT_TRUE(list.has_token("https://b.example", "8", "", now));
  EXPECT_TRUE(list.has_token("https://b.example", "", "k", now));
  EXPECT_FALSE(list.has_token("https://b.example", "k", "8", now));
  EXPECT_FALSE(list.has_token("", "", "", now));
}

TEST(Revocations, EndWhenTheyWereToldTo) {
  const revocation_list list({entry(revoked_kind::identity, "alice", "", 1'800'000'001)});
  EXPECT_TRUE(list.has_identity("alice", now));
  EXPECT_FALSE(list.has_identity("alice", now + seconds(1)));
}

TEST(Revocations, OfTwoForTheSameTheLaterCounts) {
  const revocation_list list(
      {entry(revoked_kind::identity, "alice", "", 5), entry(revoked_kind::identity, "alice")});
  EXPECT_EQ(list.entries().size(), 1U);
  EXPECT_TRUE(list.has_identity("alice", now));
}

TEST(Revocations, ComeBackFromTheirText) {
  const revocation_list list({entry(revoked_kind::identity, "alice"),
                              entry(revoked_kind::jti, "a b\xc3\xa9", "https://a.example", 42)});
  const auto read = parse_revocations(to_text(list));
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_EQ(read->entries().size(), 2U);
  EXPECT_EQ(to_text(*read), to_text(list));
  EXPECT_TRUE(parse_revocations(to_text({}))->empty());
}

// A list that was cut or changed must not be taken for a shorter one.
TEST(Revocations, EveryPrefixAndEveryChangedOctetIsRefused) {
  const std::string text = to_text(revocation_list(
      {entry(revoked_kind::identity, "alice"), entry(revoked_kind::kid, "k", "i", 9)}));
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(parse_revocations(text.substr(0, i))) << i;
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(parse_revocations(changed)) << i;
  }
  EXPECT_FALSE(parse_revocations(text + text));
  EXPECT_FALSE(parse_revocations(text + "\n"));
}

TEST(Revocations, WhatCannotBeKeptIsRefused) {
  EXPECT_EQ(refuse_revocation(entry(revoked_kind::jti, std::string(256, 'x'))), nullptr);
  EXPECT_NE(refuse_revocation(entry(revoked_kind::jti, std::string(257, 'x'))), nullptr);
  EXPECT_NE(refuse_revocation(entry(revoked_kind::jti, "")), nullptr);
  EXPECT_NE(refuse_revocation(entry(revoked_kind::jti, "a\tb")), nullptr);
  EXPECT_NE(refuse_revocation(entry(revoked_kind::jti, "a", "b\n")), nullptr);
  EXPECT_NE(refuse_revocation(entry(revoked_kind::jti, "a", std::string(513, 'x'))), nullptr);
  EXPECT_NE(refuse_revocation(entry(revoked_kind::identity, "a b")), nullptr);
  EXPECT_NE(refuse_revocation(entry(revoked_kind::identity, "a", "issuer")), nullptr);
}

}  // namespace
}  // namespace rw::auth
