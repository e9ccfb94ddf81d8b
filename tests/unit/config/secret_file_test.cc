#include "config/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/random.h"

namespace rw::config {
namespace {

class SecretFile : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { random_init(); }

  void SetUp() override {
    std::string name = ::testing::TempDir() + "rw-secret-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    unsetenv("CREDENTIALS_DIRECTORY");
  }

  void TearDown() override {
    unsetenv("CREDENTIALS_DIRECTORY");
    std::filesystem::remove_all(folder_);
  }

  std::string write(const std::string& bytes, mode_t mode = 0600) {
    const std::string path = folder_ + "/key";
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  static auto read(const std::string& path, const std::string& prefix = {}) {
    return read_secret({.from = secret_source::kind::file, .name = path, .prefix = prefix});
  }

  std::string folder_;
};

TEST_F(SecretFile, LosesOneNewlineAndGainsThePrefix) {
  EXPECT_EQ(read(write("abc\n"))->view(), "abc");
  EXPECT_EQ(read(write("abc\n\n"))->view(), "abc\n");
  EXPECT_EQ(read(write("abc"))->view(), "abc");
  EXPECT_EQ(read(write(std::string("a\0b", 3)))->view(), std::string_view("a\0b", 3));
  EXPECT_EQ(read(write("abc\n"), "Bearer ")->view(), "Bearer abc");
}

TEST_F(SecretFile, RefusesAFileThatOthersReachAndSaysTheMend) {
  for (const mode_t mode : {0644U, 0604U, 0620U, 0660U, 0601U, 0666U}) {
    const std::string path = write("abc", mode);
    const auto got = read(path);
    ASSERT_FALSE(got) << std::oct << mode;
    EXPECT_EQ(got.error().file, path);
    EXPECT_TRUE(got.error().text.contains("chmod 0600 '" + path + "'")) << got.error().text;
    EXPECT_FALSE(got.error().text.contains("abc"));
  }
  EXPECT_TRUE(read(write("abc", 0640)));  // made with our own group
  EXPECT_TRUE(read(write("abc", 0400)));
}

TEST_F(SecretFile, RefusesWhatIsNoFileOrNoSecret) {
  EXPECT_EQ(read(folder_).error().text, "a secret is kept in a regular file");
  EXPECT_EQ(read(folder_ + "/none").error().text,
            "cannot open the secret: No such file or directory");
  const std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(read(fifo).error().text, "a secret is kept in a regular file");  // and does not wait
  EXPECT_EQ(read(write("")).error().text, "the secret is empty");
  EXPECT_EQ(read(write("\n")).error().text, "the secret is empty");
}

TEST_F(SecretFile, HasABound) {
  EXPECT_EQ(read(write(std::string(secret_bytes_max, 'a')))->view().size(), secret_bytes_max);
  EXPECT_EQ(read(write(std::string(secret_bytes_max + 1, 'a'))).error().text,
            "a secret has at most 64 KiB");
  EXPECT_FALSE(read(write(std::string(secret_bytes_max * 4, 'a'))));
}

TEST_F(SecretFile, FollowsLinks) {
  const std::string path = write("abc");
  std::filesystem::create_symlink(path, folder_ + "/link");
  EXPECT_EQ(read(folder_ + "/link")->view(), "abc");
}

TEST_F(SecretFile, SystemdHasSeenToItsCredentials) {
  const std::string path = write("abc\n", 0444);
  const secret_source source{.from = secret_source::kind::credential, .name = "key"};
  const auto without = read_secret(source);
  ASSERT_FALSE(without);
  EXPECT_EQ(to_string(without.error()),
            "credential key: error: $CREDENTIALS_DIRECTORY is not set; LoadCredential=key:/path in "
            "the systemd unit sets it");
  EXPECT_FALSE(read(path));
  setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_EQ(read_secret(source)->view(), "abc");
  EXPECT_EQ(read(path)->view(), "abc");
  // A way out of the folder is not in it.
  const std::string name = std::filesystem::path(folder_).filename();
  EXPECT_FALSE(read(folder_ + "/../" + name + "/key"));
}

TEST_F(SecretFile, ReadsTheEnvironment) {
  const secret_source source{.from = secret_source::kind::environment, .name = "RW_TEST_SECRET"};
  unsetenv("RW_TEST_SECRET");
  EXPECT_EQ(to_string(read_secret(source).error()),
            "environment variable RW_TEST_SECRET: error: is not set");
  setenv("RW_TEST_SECRET", "abc", 1);
  EXPECT_EQ(read_secret(source)->view(), "abc");
  setenv("RW_TEST_SECRET", "", 1);
  EXPECT_EQ(to_string(read_secret(source).error()),
            "environment variable RW_TEST_SECRET: error: the secret is empty");
}

TEST(SecretAccess, IsForTheServiceAndRootOnly) {
  constexpr uid_t service = 990;
  constexpr gid_t group = 991;
  const auto refuse = [](uid_t owner, gid_t of, mode_t mode) {
    return refuse_access("/k", {.owner = owner, .group = of, .mode = mode}, service, group);
  };
  EXPECT_FALSE(refuse(service, group, 0100600));
  EXPECT_FALSE(refuse(0, group, 0100640));
  EXPECT_FALSE(refuse(0, 5, 0100600));
  EXPECT_EQ(refuse(77777, group, 0100600),
            "belongs to 77777, who could change it; chown 990 '/k' mends it");
  EXPECT_EQ(refuse(service, 77778, 0100640),
            "group 77778 may read it; chgrp 991 '/k' or chmod 0600 '/k' mends it");
  EXPECT_EQ(refuse(service, group, 0100660),
            "others may reach it (mode 0660); chmod 0600 '/k' mends it");
  EXPECT_EQ(refuse_access("/it's", {.owner = 0, .group = 0, .mode = 0644}, service, group),
            "others may reach it (mode 0644); chmod 0600 '/it'\\''s' mends it");
}

}  // namespace
}  // namespace rw::config
