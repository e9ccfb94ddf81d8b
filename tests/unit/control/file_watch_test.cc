#include "control/file_watch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "../net/stream_world.h"

namespace rw::control {
namespace {

namespace fs = std::filesystem;
using net::test::outcome;

class FileWatch : public net::test::StreamTest {
 protected:
  FileWatch() {
    std::string made = (fs::temp_directory_path() / "rw-watch-XXXXXX").string();
    folder_ = fs::canonical(::mkdtemp(made.data()));
  }
  void TearDown() override {
    watch_->end();
    EXPECT_TRUE(until([&] { return all_.inside() == 0; }));
    watch_.reset();
    fs::remove_all(folder_);
    StreamTest::TearDown();
  }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const char* text = "text") const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(at(name)) << text;
  }
  // As tools replace a file: never is there none.
  void replace(const std::string& name) const {
    write(name + ".new");
    fs::rename(at(name + ".new"), at(name));
  }
  void link(const std::string& name, const std::string& target) const {
    fs::create_symlink(target, at(name));
  }
  // Makes the link lead elsewhere, in one step.
  void swap(const std::string& name, const std::string& target) const {
    link(name + ".new", target);
    fs::rename(at(name + ".new"), at(name));
  }

  // From now on changes count.
  void begin() {
    changed_ = {};
    start(watch_->changed(), changed_);
    ASSERT_TRUE(until([&] { return waits(); }));
  }
  // Reads events, and is not in the pause that follows one of ours.
  bool waits() {
    return loop_->kernel().in_flight() == 1 && loop_->timers().armed() == 1;  // of beat_
  }
  template <class Change>
  testing::AssertionResult notices(Change change) {
    begin();
    change();
    if (!until([&] { return changed_.done(); })) return testing::AssertionFailure() << "nothing";
    if (!*changed_.value) return testing::AssertionFailure() << "an end";
    return testing::AssertionSuccess();
  }
  // `change` must be something that the kernel tells.
  template <class Change>
  testing::AssertionResult ignores(Change change) {
    begin();
    const auto told = [&] { return loop_->kernel().counters().completions; };
    const std::uint64_t before = told();
    change();
    if (!until([&] { return told() > before; })) return testing::AssertionFailure() << "no event";
    if (!waits()) return testing::AssertionFailure() << "noticed";
    watch_->end();
    if (!until([&] { return changed_.done(); })) return testing::AssertionFailure() << "no end";
    return testing::AssertionSuccess();
  }

  fs::path folder_;
  std::optional<file_watch> watch_{*loop_};
  outcome<bool> changed_;
};

TEST_F(FileWatch, AChangeInPlaceIsNoticed) {
  write("keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { write("keys", "other"); }));
  EXPECT_TRUE(notices([&] { write("keys", "more"); }));  // and not the first time alone
}

TEST_F(FileWatch, ARenameOverItIsNoticed) {
  write("keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { replace("keys"); }));
  EXPECT_TRUE(notices([&] { replace("keys"); }));  // of what is another file by now
  EXPECT_TRUE(notices([&] { write("keys", "in place"); }));
}

TEST_F(FileWatch, DeletionAndReCreationAreNoticed) {
  write("keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { fs::remove(at("keys")); }));
  EXPECT_TRUE(notices([&] { write("keys"); }));
  EXPECT_TRUE(notices([&] { write("keys", "in place"); }));
}

TEST_F(FileWatch, AChangeOfRightsIsNoticed) {
  write("keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { fs::permissions(at("keys"), fs::perms::owner_read); }));
}

TEST_F(FileWatch, AFileThatIsNotThereYetIsNoticedWhenItComes) {
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { write("keys"); }));
}

TEST_F(FileWatch, ANeighbourIsNobodysBusiness) {
  write("keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(ignores([&] { write("keys.swp"); }));
}

TEST_F(FileWatch, WhatIsNoLongerWatchedIsNobodysBusiness) {
  write("old");
  write("keys");
  watch_->watch({at("old"), at("keys")});
  watch_->watch({at("keys")});
  EXPECT_TRUE(ignores([&] { write("old", "other"); }));
}

TEST_F(FileWatch, WhatIsWatchedAgainIsNoticedOnce) {
  write("a/keys");
  write("b/keys");
  watch_->watch({at("a/keys")});
  watch_->watch({at("b/keys")});
  watch_->watch({at("a/keys"), at("b/keys")});
  EXPECT_TRUE(notices([&] { write("a/keys", "other"); }));
  EXPECT_TRUE(notices([&] { write("b/keys", "other"); }));
}

TEST_F(FileWatch, ManyChangesInOneGoAreOne) {
  write("keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] {
    for (int i = 0; i < 50; ++i) replace("keys");
  }));
}

TEST_F(FileWatch, WhereALinkLeadsIsWatched) {
  write("real/keys");
  link("keys", "real/keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { write("real/keys", "other"); }));
  EXPECT_TRUE(notices([&] { replace("real/keys"); }));
}

TEST_F(FileWatch, ALinkThatIsSwappedIsNoticedAndFollowed) {
  write("one/keys");
  write("two/keys");
  link("keys", "one/keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { swap("keys", at("two/keys")); }));
  EXPECT_TRUE(notices([&] { write("two/keys", "other"); }));
}

// Kubernetes: keys -> ..data/keys, ..data -> ..2024, and an update swaps ..data.
TEST_F(FileWatch, ALinkInBetweenThatIsSwappedIsNoticedAndFollowed) {
  write("..2024/keys");
  write("..2025/keys");
  link("..data", "..2024");
  link("keys", "..data/keys");
  watch_->watch({at("keys")});
  EXPECT_TRUE(notices([&] { swap("..data", "..2025"); }));
  EXPECT_TRUE(notices([&] { replace("..2025/keys"); }));
}

TEST_F(FileWatch, ALinkToADirectoryOnTheWayIsNoticedAndFollowed) {
  write("releases/1/etc/keys");
  write("releases/2/etc/keys");
  link("current", "releases/1");
  watch_->watch({at("current/etc/keys")});
  EXPECT_TRUE(notices([&] { swap("current", "releases/2"); }));
  EXPECT_TRUE(notices([&] { write("releases/2/etc/keys", "other"); }));
}

TEST_F(FileWatch, ADirectoryThatIsReplacedIsNoticedAndFollowed) {
  write("etc/keys");
  write("etc.new/keys");
  watch_->watch({at("etc/keys")});
  EXPECT_TRUE(notices([&] {
    fs::rename(at("etc"), at("etc.old"));
    fs::rename(at("etc.new"), at("etc"));
  }));
  EXPECT_TRUE(notices([&] { write("etc/keys", "other"); }));
}

TEST_F(FileWatch, ADirectoryThatIsDeletedIsNoticedWhenItComesBack) {
  write("etc/keys");
  watch_->watch({at("etc/keys")});
  EXPECT_TRUE(notices([&] { fs::remove_all(at("etc")); }));
  EXPECT_TRUE(notices([&] { fs::create_directory(at("etc")); }));
  EXPECT_TRUE(notices([&] { write("etc/keys"); }));
}

TEST_F(FileWatch, LinksInACircleAreNoWayToStayForever) {
  link("a", "b");
  link("b", "a");
  link("self", ".");
  write("keys");
  watch_->watch({at("a"), at("self/self/self/self/keys")});
  EXPECT_TRUE(notices([&] { write("keys", "other"); }));
  EXPECT_TRUE(notices([&] { swap("a", "keys"); }));
}

TEST_F(FileWatch, AnEndIsNoChange) {
  write("keys");
  watch_->watch({at("keys")});
  begin();
  watch_->end();
  ASSERT_TRUE(until([&] { return changed_.done(); }));
  EXPECT_FALSE(*changed_.value);
}

TEST_F(FileWatch, AnEndInThePauseAfterAChangeIsAnEnd) {
  write("keys");
  watch_->watch({at("keys")});
  begin();
  write("keys", "other");
  ASSERT_TRUE(until([&] { return !waits(); }));
  watch_->end();
  ASSERT_TRUE(until([&] { return changed_.done(); }));
  EXPECT_FALSE(*changed_.value);
}

}  // namespace
}  // namespace rw::control
