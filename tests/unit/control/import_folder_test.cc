#include "control/import_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace rw::control {
namespace {

namespace fs = std::filesystem;

class ImportFolder : public testing::Test {
 protected:
  ImportFolder() {
    std::string pattern = (fs::temp_directory_path() / "rw-import-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directory(root_ / "old");
  }
  ~ImportFolder() override { fs::remove_all(root_); }

  void put(const fs::path& name, const std::string& text) { std::ofstream(root_ / name) << text; }
  std::string get(const fs::path& name) {
    std::stringstream text;
    text << std::ifstream(root_ / name).rdbuf();
    return text.str();
  }
  unsigned mode(const fs::path& name) {
    struct stat what{};
    EXPECT_EQ(::lstat((root_ / name).c_str(), &what), 0);
    return what.st_mode & 07777U;
  }
  // What reading it gives, or the note that tells why it gave nothing.
  std::string read(const std::string& name, std::size_t bytes_max = 100) {
    import_notes notes;
    const auto folder = old_folder::open(root_ / "old");
    const auto text = folder->read(name, bytes_max, notes);
    if (text) return "<" + *text + ">";
    return notes.empty() ? "absent" : notes.front().text;
  }
  std::expected<new_folder, std::string> make(const char* name = "new") {
    return new_folder::make(root_ / name);
  }

  fs::path root_;
};

TEST_F(ImportFolder, ReadsFilesOfTheOldFolderWhole) {
  put("old/a", std::string(100, 'x'));
  fs::create_directory(root_ / "old/sub");
  put("old/sub/b", "b");
  fs::create_symlink("sub/b", root_ / "old/link");
  EXPECT_EQ(read("a"), "<" + std::string(100, 'x') + ">");
  EXPECT_EQ(read("sub/b"), "<b>");
  EXPECT_EQ(read("link"), "<b>");
  EXPECT_EQ(read("none"), "absent");
  EXPECT_EQ(read(""), "absent");
}

TEST_F(ImportFolder, NothingOutsideOfItIsRead) {
  put("secret", "secret");
  fs::create_symlink("../secret", root_ / "old/up");
  fs::create_symlink(root_ / "secret", root_ / "old/away");
  fs::create_symlink(root_, root_ / "old/folder");
  for (const std::string name :
       {"up", "away", "folder/secret", "../secret", "..", "/etc/passwd", "/proc/self/environ"}) {
    EXPECT_EQ(read(name), "this leads out of the folder; it was left out") << name;
  }
}

TEST_F(ImportFolder, OnlyFilesWithinBoundsAreRead) {
  put("old/large", std::string(101, 'x'));
  ASSERT_EQ(::mkfifo((root_ / "old/fifo").c_str(), 0600), 0);
  fs::create_directory(root_ / "old/sub");
  EXPECT_EQ(read("large"), "this has more than 100 bytes; it was left out");
  EXPECT_EQ(read("fifo"), "this is no regular file; it was left out");
  EXPECT_EQ(read("sub"), "this is no regular file; it was left out");
}

TEST_F(ImportFolder, WhatIsWrittenHasItsMode) {
  auto folder = make();
  ASSERT_TRUE(folder) << folder.error();
  EXPECT_TRUE(folder->write("a", "secret", 0600));
  EXPECT_EQ(folder->path(), fs::canonical(root_ / "new"));
  folder->keep();
  EXPECT_EQ(get("new/a"), "secret");
  EXPECT_EQ(mode("new/a"), 0600U);
}

TEST_F(ImportFolder, NothingIsWrittenOver) {
  fs::create_directory(root_ / "new");
  put("elsewhere", "kept");
  auto folder = make();
  ASSERT_TRUE(folder) << folder.error();
  put("new/a", "kept");
  fs::create_symlink(root_ / "elsewhere", root_ / "new/b");
  fs::create_symlink(root_ / "dangling", root_ / "new/c");
  for (const char* name : {"a", "b", "c"}) EXPECT_FALSE(folder->write(name, "x", 0600)) << name;
  EXPECT_EQ(get("new/a") + get("elsewhere"), "keptkept");
  EXPECT_FALSE(fs::exists(root_ / "dangling"));
  {
    const new_folder gone = std::move(*folder);
  }
  EXPECT_EQ(get("new/a"), "kept");  // not its own
}

TEST_F(ImportFolder, WhatIsNotKeptGoes) {
  {
    auto folder = make();
    EXPECT_TRUE(folder->write("a", "x", 0600));
    EXPECT_TRUE(fs::exists(root_ / "new/a"));
  }
  EXPECT_FALSE(fs::exists(root_ / "new"));
  fs::create_directory(root_ / "new");
  {
    EXPECT_TRUE(make()->write("a", "x", 0600));
  }
  EXPECT_TRUE(fs::is_empty(root_ / "new"));
}

TEST_F(ImportFolder, OnlyAFolderThatIsNewOrEmptyAndClosedWillDo) {
  put("file", "");
  EXPECT_TRUE(make("file").error().contains("Not a directory"));
  EXPECT_TRUE(make("none/new").error().contains("No such file"));
  fs::create_directory(root_ / "full");
  put("full/a", "");
  EXPECT_TRUE(make("full").error().contains("is not empty"));
  EXPECT_TRUE(fs::exists(root_ / "full/a"));
  fs::create_directory(root_ / "open");
  ASSERT_EQ(::chmod((root_ / "open").c_str(), 0777), 0);
  EXPECT_TRUE(make("open").error().contains("chmod o-w"));
  EXPECT_FALSE(old_folder::open(root_ / "none"));
  EXPECT_FALSE(old_folder::open(root_ / "file"));
}

}  // namespace
}  // namespace rw::control
