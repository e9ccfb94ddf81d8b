// A configuration of several files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config/load.h"
#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;

class Directory : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "rw-config-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }

  std::vector<std::string> complaints_of() const {
    const auto read = load(folder_);
    return lines_of(read ? read->warnings : read.error());
  }

  std::string folder_;
};

TEST_F(Directory, FilesAreOneInOrderOfName) {
  write("20-b.toml",
        "[[listener]]\nname='b'\naddress='127.0.0.1:0'\n[auth.mint]\n"
        "key={env='K'}\nissuer='i'\naudience='a'\n");
  write("10-a.toml", "[[listener]]\nname='a'\naddress='127.0.0.1:0'\n[auth.api_keys]\n");
  write("30-jwt.toml", "[auth.jwt.one]\nissuer='i'\naudiences=['a']\njwks={mint=true}\n");
  write("31-jwt.toml", "[auth.jwt.two]\nissuer='i'\naudiences=['a']\njwks={mint=true}\n");
  write("README", "not TOML");
  write(".hidden.toml", "not TOML");
  const auto read = load(folder_);
  ASSERT_TRUE(read) << to_string(read.error().front());
  EXPECT_THAT(read->settings.files,
              ElementsAre(folder_ + "/10-a.toml", folder_ + "/20-b.toml", folder_ + "/30-jwt.toml",
                          folder_ + "/31-jwt.toml"));
  ASSERT_EQ(read->settings.listeners.size(), 2U);
  EXPECT_EQ(read->settings.listeners[0].name, "a");
  EXPECT_EQ(read->settings.listeners[1].name, "b");
  EXPECT_TRUE(read->settings.has_api_keys);
  EXPECT_EQ(read->settings.jwt.size(), 2U);
}

TEST_F(Directory, WhatIsGivenTwiceNamesBothPlaces) {
  write("1.toml", "[server]\nworkers = 1\n[[listener]]\nname='a'\naddress='127.0.0.1:0'\n");
  write("2.toml", "# again\n[server]\nworkers = 2\n[listener.limits]\nhead_bytes='1KiB'\n");
  EXPECT_THAT(complaints_of(),
              ElementsAre(folder_ + "/2.toml:2:2: error: server: given twice; it is already at " +
                              folder_ + "/1.toml:1:2",
                          folder_ + "/2.toml:4:2: error: listener: given twice; it is already at " +
                              folder_ + "/1.toml:3:3"));
}

TEST_F(Directory, SameNamesInTwoFilesNameBothPlaces) {
  write("1.toml", "[[listener]]\nname='a'\naddress='127.0.0.1:8080'\n");
  write("2.toml", "[[listener]]\nname='a'\naddress='127.0.0.1:8081'\n");
  EXPECT_THAT(complaints_of(),
              ElementsAre(folder_ + "/2.toml:2:6: error: listener.name: \"a\" is already at " +
                          folder_ + "/1.toml:2:6"));
}

TEST_F(Directory, EveryBrokenFileIsNamed) {
  write("1.toml", "a = \n");
  write("2.toml", "[[listener]]\nname=\"\xff\"\n");
  const auto lines = complaints_of();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].starts_with(folder_ + "/1.toml:1:")) << lines[0];
  EXPECT_TRUE(lines[1].starts_with(folder_ + "/2.toml:2:")) << lines[1];
}

TEST_F(Directory, NothingToReadIsAnError) {
  EXPECT_THAT(complaints_of(),
              ElementsAre(folder_ + ": error: the directory has no file whose name ends in .toml"));
  const auto read = load(folder_ + "/none.toml");
  ASSERT_FALSE(read);
  EXPECT_THAT(lines_of(read.error()),
              ElementsAre(folder_ + "/none.toml: error: cannot open: No such file or directory"));
}

}  // namespace
}  // namespace rw::config
