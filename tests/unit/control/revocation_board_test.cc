#include "control/revocation_board.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace rw::control {
namespace {

constexpr wall_time now{std::chrono::seconds(1'800'000'000)};

class RevocationBoard : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/revocations-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(RevocationBoard, WhatIsKeptIsThereAfterARestart) {
  revocation_board before;
  ASSERT_TRUE(before.open(folder_));
  EXPECT_EQ(before.list(), nullptr);
  const auto done = before.change("revoke\tidentity\t0\t\talice", now);
  EXPECT_TRUE(done.changed);
  EXPECT_TRUE(before.keep(done).done);
  EXPECT_TRUE(before.keep(before.change("revoke\tjti\t60\thttps://a\tid 7", now)).done);

  revocation_board after;
  ASSERT_TRUE(after.open(folder_));
  ASSERT_NE(after.list(), nullptr);
  EXPECT_TRUE(after.list()->has_identity("alice", now));
  EXPECT_TRUE(after.list()->has_token("https://a", "id 7", "", now));
  EXPECT_NE(after.table(now).find("alice"), std::string::npos);
  EXPECT_EQ(after.table(now + std::chrono::seconds(61)).find("id 7"), std::string::npos);

  EXPECT_TRUE(after.keep(after.change("unrevoke\tidentity\t\talice", now)).done);
  revocation_board last;
  ASSERT_TRUE(last.open(folder_));
  EXPECT_FALSE(last.list()->has_identity("alice", now));
}

TEST_F(RevocationBoard, TheListInJson) {
  revocation_board board;
  ASSERT_TRUE(board.open(folder_));
  EXPECT_EQ(board.json(now), R"({"revoked":[]})");
  EXPECT_TRUE(board.change("revoke\tidentity\t0\t\talice", now).changed);
  EXPECT_TRUE(board.change("revoke\tjti\t60\thttps://a\tid 7", now).changed);
  const std::string alice =
      R"({"kind":"identity","id":"alice","issuer":null,"since":"2027-01-15T08:00:00Z","until":null})";
  const std::string token =
      R"({"kind":"jti","id":"id 7","issuer":"https://a","since":"2027-01-15T08:00:00Z",)"
      R"("until":"2027-01-15T08:01:00Z"})";
  EXPECT_EQ(board.json(now), R"({"revoked":[)" + alice + "," + token + "]}");
  EXPECT_EQ(board.json(now + std::chrono::seconds(61)), R"({"revoked":[)" + alice + "]}");
}

TEST_F(RevocationBoard, ABrokenFileIsAnErrorAndNotAnEmptyList) {
  std::ofstream(folder_ + "/revocations") << "identity alice\n";
  revocation_board board;
  const result<> opened = board.open(folder_);
  ASSERT_FALSE(opened);
  EXPECT_NE(board.explain(opened.error()).find(folder_ + "/revocations"), std::string::npos);
}

TEST_F(RevocationBoard, WhatNobodyCanUseIsRefused) {
  revocation_board board;
  ASSERT_TRUE(board.open(folder_));
  for (const char* command :
       {"revoke\tidentity\t0\t\t", "revoke\tname\t0\t\ta", "revoke\tjti\tx\t\ta",
        "revoke\tidentity\t0\t\ta b", "unrevoke\tidentity\t\talice", "revoke"}) {
    const auto done = board.change(command, now);
    EXPECT_FALSE(done.done) << command;
    EXPECT_FALSE(done.changed) << command;
  }
  EXPECT_EQ(board.list(), nullptr);
}

TEST_F(RevocationBoard, TheNumberIsBounded) {
  std::vector<auth::revocation> many;
  for (std::size_t i = 0; i < auth::revocations_max; ++i) {
    many.push_back({.what = auth::revoked_kind::jti, .id = std::to_string(i)});
  }
  std::ofstream(folder_ + "/revocations") << to_text(auth::revocation_list(std::move(many)));
  revocation_board board;
  ASSERT_TRUE(board.open(folder_));
  EXPECT_FALSE(board.change("revoke\tidentity\t0\t\talice", now).done);
  EXPECT_TRUE(board.change("revoke\tjti\t0\t\t17", now).done);  // it is there already
  EXPECT_TRUE(board.change("unrevoke\tjti\t\t17", now).done);
  EXPECT_TRUE(board.change("revoke\tidentity\t0\t\talice", now).done);
}

TEST_F(RevocationBoard, WithoutAPlaceItIsInForceAndSaysThatItIsNotKept) {
  revocation_board board;
  ASSERT_TRUE(board.open(folder_ + "/not/there"));
  const auto done = board.keep(board.change("revoke\tidentity\t0\t\talice", now));
  EXPECT_FALSE(done.done);
  EXPECT_NE(done.text.find("in force"), std::string::npos);
  EXPECT_TRUE(board.list()->has_identity("alice", now));
}

}  // namespace
}  // namespace rw::control
