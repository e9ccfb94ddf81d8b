#include "control/audit_files.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace rw::control
