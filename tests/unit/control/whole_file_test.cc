#include "control/whole_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fake_tree.h"

namespace rw::control {
namespace {

class WholeFile : public testing::Test {
 protected:
  std::string path(const char* name) const { return tree_.root() + name; }
  fake_tree tree_;
};

TEST_F(WholeFile, IsReplacedWithItsMode) {
  tree_.put("/file", "old");
  ASSERT_TRUE(replace_whole(path("/file"), "new\n", 0600));
  EXPECT_EQ(read_own(path("/file"), 4).value_or("-"), "new\n");
  EXPECT_EQ(tree_.mode("/file"), 0600U);
  EXPECT_FALSE(tree_.has("/file.new"));
}

TEST_F(WholeFile, OneThatWasCutShortIsNoObstacle) {
  tree_.put("/file.new", "half a f");
  ASSERT_TRUE(replace_whole(path("/file"), "whole", 0644));
  EXPECT_EQ(tree_.text("/file"), "whole");
}

// Somebody who may write to the directory must not choose what we write over.
TEST_F(WholeFile, IsNotWrittenThroughALink) {
  tree_.put("/victim", "untouched");
  tree_.link("/file.new", path("/victim"));
  tree_.link("/file", path("/victim"));
  ASSERT_TRUE(replace_whole(path("/file"), "ours", 0600));
  EXPECT_EQ(tree_.text("/victim"), "untouched");
  EXPECT_EQ(tree_.text("/file"), "ours");
}

TEST_F(WholeFile, ADirectoryThatIsNotThereIsSaid) {
  const result<> done = replace_whole(path("/none/file"), "x", 0600);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().os, ENOENT);
  EXPECT_EQ(explain_file(done.error()), "No such file or directory");
}

TEST_F(WholeFile, HasABound) {
  tree_.put("/file", "12345");
  EXPECT_EQ(read_whole(path("/file"), 5).value_or("-"), "12345");
  const result<std::string> got = read_whole(path("/file"), 4);
  ASSERT_FALSE(got);
  EXPECT_EQ(explain_file(got.error()), "the file is too long");
}

TEST_F(WholeFile, IsARegularOne) {
  ASSERT_EQ(::mkfifo(path("/fifo").c_str(), 0600), 0);
  for (const char* name : {"/fifo", "/"}) {
    const result<std::string> got = read_whole(path(name), 10);
    ASSERT_FALSE(got) << name;
    EXPECT_EQ(explain_file(got.error()), "this is no regular file") << name;
  }
}

TEST_F(WholeFile, OnesOwnIsNoLinkAndNobodyElseMayWriteIt) {
  tree_.put("/file", "text");
  tree_.link("/link", path("/file"));
  EXPECT_TRUE(read_whole(path("/link"), 10));
  const result<std::string> linked = read_own(path("/link"), 10);
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().os, ELOOP);
  for (const mode_t mode : {0620U, 0602U}) {
    ASSERT_EQ(::chmod(path("/file").c_str(), mode), 0);
    const result<std::string> got = read_own(path("/file"), 10);
    ASSERT_FALSE(got);
    EXPECT_EQ(explain_file(got.error()), "others may write to the file");
  }
}

TEST_F(WholeFile, OnesOwnBelongsToNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving a file away takes root";
  ASSERT_TRUE(replace_whole(path("/file"), "text", 0600));
  ASSERT_EQ(::chown(path("/file").c_str(), 65534, 65534), 0);
  const result<std::string> got = read_own(path("/file"), 10);
  ASSERT_FALSE(got);
  EXPECT_EQ(explain_file(got.error()),
            "the file belongs to somebody else, who could have changed it");
}

}  // namespace
}  // namespace rw::control
