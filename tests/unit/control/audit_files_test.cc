#include "control/audit_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace rw::control {
namespace {

namespace fs = std::filesystem;

TEST(IsRotated, TakesWhatLogrotateMakesOfThisNameAndNothingElse) {
  for (const char* name : {"a.jsonl.1", "a.jsonl.12", "a.jsonl.1.gz", "a.jsonl-20261129",
                           "a.jsonl-20261129.zst", "a.jsonl-20261129-1764432000.xz"}) {
    EXPECT_TRUE(is_rotated("a.jsonl", name)) << name;
  }
  for (const char* name :
       {"a.jsonl", "a.jsonl.", "a.jsonl.gz", "a.jsonl.old", "a.jsonl.1.bak", "a.jsonl.1.gz.gz",
        "a.jsonl-1", "a.jsonl-2026112x", "a.jsonl-20261129-", "a.jsonl-20261129-1-2", "b.jsonl.1",
        "xa.jsonl.1", "a.jsonl2.1", "", "a.jsonl./etc/passwd"}) {
    EXPECT_FALSE(is_rotated("a.jsonl", name)) << name;
  }
}

class AuditFiles : public testing::Test {
 protected:
  AuditFiles() {
    std::string name = (fs::temp_directory_path() / "rw-audit-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~AuditFiles() override { fs::remove_all(folder_); }
  std::string put(const char* name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(AuditFiles, AChainFollowsTheLastWholeRecord) {
  const std::string line = R"({"seq":1,"prev":"x"})";
  const std::string path = put("a", "other\n" + line + "\n{\"seq\":2,\"pr");
  const earlier_end end = find_earlier(path);
  EXPECT_EQ(end.digest, observe::digest_of(line));
  EXPECT_EQ(end.file, path);
  EXPECT_TRUE(end.partial);
}

TEST_F(AuditFiles, OrThatOfTheFileItWasRotatedInto) {
  const std::string line = R"({"seq":1,"prev":"x"})";
  const std::string rotated = put("a.1", line + "\n");
  const earlier_end end = find_earlier(folder_ / "a");
  EXPECT_EQ(end.digest, observe::digest_of(line));
  EXPECT_EQ(end.file, rotated);
  EXPECT_FALSE(end.partial);
}

TEST_F(AuditFiles, OrNothing) {
  put("a.1.bak", "{\"seq\":1}\n");
  const earlier_end end = find_earlier(folder_ / "a");
  EXPECT_EQ(end.digest, observe::no_digest);
  EXPECT_TRUE(end.file.empty());
}

wall_time day(int n) {
  return wall_time{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1} + std::chrono::days{n}};
}

class OldAuditFiles : public AuditFiles {
 protected:
  std::string put_at(const char* name, wall_time written) const {
    std::string made = put(name, "x\n");
    const auto s = std::chrono::duration_cast<std::chrono::seconds>(written.time_since_epoch());
    const timespec both[2] = {{s.count(), 0}, {s.count(), 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, made.c_str(), both, 0), 0);
    return made;
  }
};

TEST_F(OldAuditFiles, GoOneAtATimeAndTheOldestFirst) {
  const std::string path = put_at("a", day(50));
  const std::string young = put_at("a.1", day(40));
  const std::string oldest = put_at("a.3.gz", day(10));
  const std::string old = put_at("a.2", day(20));
  EXPECT_EQ(remove_oldest(path, day(10)), std::nullopt);
  EXPECT_EQ(remove_oldest(path, day(30)), oldest);
  EXPECT_TRUE(fs::exists(old));
  EXPECT_EQ(remove_oldest(path, day(30)), old);
  EXPECT_EQ(remove_oldest(path, day(30)), std::nullopt);
  EXPECT_TRUE(fs::exists(young));
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(OldAuditFiles, TheLastWriteIsThatOfAnyOfThem) {
  EXPECT_EQ(find_earlier(folder_ / "a").written, std::nullopt);
  const std::string path = put_at("a", day(5));
  put_at("a.1", day(7));
  put_at("a.2.gz", day(6));
  put_at("a.bak", day(9));
  EXPECT_EQ(find_earlier(path).written, day(7));
  put_at("a", day(8));
  EXPECT_EQ(find_earlier(path).written, day(8));
}

TEST(BelievedClock, MayStandStillAndGoBackButNotRunAhead) {
  const mono_time begin{std::chrono::hours{5}};
  const auto after = [&](int hours) { return begin + std::chrono::hours{hours}; };
  const believed_clock usual(day(9) + std::chrono::hours{20}, day(10), begin);
  EXPECT_EQ(usual.at(day(10), begin), day(10));
  EXPECT_EQ(usual.at(day(11), after(24)), day(11));
  EXPECT_EQ(usual.at(day(4000), after(24)), day(11));  // it jumped
  EXPECT_EQ(usual.at(day(3), after(24)), day(3));
  const believed_clock ahead(day(9), day(4000), begin);  // before the start
  EXPECT_EQ(ahead.at(day(4000), begin), day(10));
  EXPECT_EQ(ahead.at(day(4001), after(24)), day(11));
  const believed_clock first(std::nullopt, day(4000), begin);
  EXPECT_EQ(first.at(day(4000), begin), day(4000));
  const believed_clock behind(day(9), day(3), begin);
  EXPECT_EQ(behind.at(day(3), begin), day(3));
}

}  // namespace
}  // namespace rw::control
