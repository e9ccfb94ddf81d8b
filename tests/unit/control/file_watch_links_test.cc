// Links on the way to a watched file: whichever of them is led elsewhere, it is noticed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "control/file_watch.h"
#include "io/ring.h"

namespace rw::control {
namespace {

namespace fs = std::filesystem;

class FileWatchLinks : public testing::Test {
 protected:
  FileWatchLinks() : loop_(std::move(*io::ring::create(32)), 1) {
    std::string name = (fs::temp_directory_path() / "rw-watch-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    for (const char* one : {"r1", "r2"}) write(std::string(one) + "/tls/cert", one);
  }
  ~FileWatchLinks() override { fs::remove_all(folder_); }

  fs::path in(const std::string& name) const { return folder_ / name; }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(in(name).parent_path());
    std::ofstream(in(name)) << text;
  }

  // As `ln -s TO new && mv -T new NAME`.
  void lead(const std::string& name, const fs::path& to) const {
    fs::create_symlink(to, in("new"));
    fs::rename(in("new"), in(name));
  }

  static io::task<> wait_for_change(file_watch& on, bool& seen, io::sleep*& patience) {
    seen = co_await on.changed();
    if (patience != nullptr) patience->cut();
  }

  static io::task<> give_up(io::loop& on, file_watch& watch, io::sleep*& patience) {
    io::sleep pause(on, on.now() + std::chrono::seconds{20});
    patience = &pause;
    co_await pause;
    patience = nullptr;
    watch.end();
  }

  // Whether `change` is noticed by who watches `file`.
  template <class Change>
  bool sees(const std::string& file, Change change) {
    file_watch watch(loop_);
    watch.watch({in(file).string()});
    bool seen = false;
    io::sleep* patience = nullptr;
    io::gate all;
    io::spawn(give_up(loop_, watch, patience), all);
    io::spawn(wait_for_change(watch, seen, patience), all);
    change();
    while (all.inside() > 0) loop_.turn();
    return seen;
  }

  fs::path folder_;
  io::loop loop_;
};

TEST_F(FileWatchLinks, ADirectoryLinkMayBeSwapped) {
  lead("current", "r1");
  EXPECT_TRUE(sees("current/tls/cert", [&] { lead("current", "r2"); }));
}

TEST_F(FileWatchLinks, AnAbsoluteLinkMayBeSwapped) {
  lead("current", in("r1"));
  EXPECT_TRUE(sees("current/tls/cert", [&] { lead("current", in("r2")); }));
}

TEST_F(FileWatchLinks, ALinkBehindALinkMayBeSwapped) {
  lead("data", "r1");
  lead("tls", "data/tls");
  write("live/x", "");
  lead("live/cert", "../tls/cert");
  EXPECT_TRUE(sees("live/cert", [&] { lead("data", "r2"); }));
  EXPECT_TRUE(sees("live/cert", [&] { lead("tls", "r1/tls"); }));
  EXPECT_TRUE(sees("live/cert", [&] { lead("live/cert", "../r2/tls/cert"); }));
}

TEST_F(FileWatchLinks, DotsAreFollowedAsTheKernelDoes) {
  write("far/r1/tls/cert", "");
  lead("current", "far/r1");  // so that current/.. is far, not the folder of the test
  lead("far/next", "r1");
  EXPECT_TRUE(sees("current/../next/tls/cert", [&] { lead("far/next", "../r2"); }));
}

TEST_F(FileWatchLinks, TheFileBehindThemMayBeWrittenTo) {
  lead("current", "r1");
  EXPECT_TRUE(sees("current/tls/cert", [&] { write("r1/tls/cert", "new"); }));
}

TEST_F(FileWatchLinks, WhatIsMissingMayAppear) {
  lead("current", "r3");
  EXPECT_TRUE(sees("current/tls/cert", [&] { fs::rename(in("r2"), in("r3")); }));
}

TEST_F(FileWatchLinks, ItsOwnDirectoryMayBeReplaced) {
  EXPECT_TRUE(sees("r1/tls/cert", [&] { fs::rename(in("r1/tls"), in("r1/old")); }));
}

TEST_F(FileWatchLinks, ALoopEnds) {
  lead("a", "b");
  lead("b", "a");
  EXPECT_TRUE(sees("a/cert", [&] { lead("b", "r1"); }));
}

}  // namespace
}  // namespace rw::control
