#include "control/command_line.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "auth/key_file.h"

namespace rw::control {
namespace {

namespace fs = std::filesystem;

struct said {
  int status = -1;
  std::string out;
  std::string err;
};

// What `ringward WORD...` does, with `input` to read.
said ringward(std::vector<std::string> words, const std::string& input = "") {
  words.insert(words.begin(), "ringward");
  std::vector<char*> arguments;
  for (std::string& one : words) arguments.push_back(one.data());
  arguments.push_back(nullptr);
  std::istringstream from(input);
  std::streambuf* const before = std::cin.rdbuf(from.rdbuf());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  said got;
  got.status = run_command_line(static_cast<int>(words.size()), arguments.data());
  std::cout.flush();
  got.out = testing::internal::GetCapturedStdout();
  got.err = testing::internal::GetCapturedStderr();
  std::cin.rdbuf(before);
  return got;
}

std::string after(const std::string& text, const std::string& word) {
  const std::size_t at = text.find(word);
  if (at == std::string::npos) return "";
  return text.substr(at + word.size(), text.find('\n', at) - at - word.size());
}

// Whom a key file of this line takes the key for.
std::string owner(const std::string& line, const std::string& key) {
  config::diagnostics ignored;
  const auto keys = auth::load_keys(line + "\n", "test", ignored);
  if (!keys) return "nobody: the line is wrong";
  return std::string(keys->verify(key).value_or("nobody"));
}

class CommandLine : public testing::Test {
 protected:
  CommandLine() {
    std::string made = (fs::temp_directory_path() / "rw-command-XXXXXX").string();
    folder_ = ::mkdtemp(made.data());
  }
  ~CommandLine() override { fs::remove_all(folder_); }
  std::string write(const char* name, std::string_view text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  fs::path folder_;
};

TEST_F(CommandLine, WordsNobodyUnderstandsAre2) {
  const std::vector<std::vector<std::string>> all = {{},
                                                     {"nonsense"},
                                                     {"run", "--nonsense"},
                                                     {"check", "file"},
                                                     {"key"},
                                                     {"key", "new"},
                                                     {"key", "new", "a", "b"},
                                                     {"key", "old"},
                                                     {"status", "now"},
                                                     {"tune", "--check"},
                                                     {"tune", "--apply"},
                                                     {"tune", "--revert", "latency"},
                                                     {"tune", "x", "--check", "--apply"},
                                                     {"tune", "x", "--check", "--revert"},
                                                     {"--nonsense"}};
  for (const auto& words : all) {
    const said got = ringward(words);
    EXPECT_EQ(got.status, 2) << testing::PrintToString(words);
    EXPECT_NE(got.err, "") << testing::PrintToString(words);
  }
}

TEST_F(CommandLine, HelpHasAnExampleAtEveryLevel) {
  const std::vector<std::vector<std::string>> all = {
      {},         {"run"}, {"check"},   {"demo"},       {"status"},      {"reload"},
      {"reopen"}, {"key"}, {"version"}, {"key", "new"}, {"key", "hash"}, {"tune"}};
  for (std::vector<std::string> words : all) {
    std::string example = "Example: ringward";
    for (const std::string& one : words) example += " " + one;
    words.emplace_back("--help");
    const said got = ringward(words);
    EXPECT_EQ(got.status, 0) << example;
    EXPECT_NE(got.out.find(example), std::string::npos) << got.out;
  }
}

TEST_F(CommandLine, ANewKeyIsTheOneItsLineIsFor) {
  const said got = ringward({"key", "new", "alice"});
  ASSERT_EQ(got.status, 0);
  const std::string key = after(got.out, "key:  ");
  const std::string line = after(got.out, "line: ");
  EXPECT_TRUE(key.starts_with("rw_alice_")) << key;
  EXPECT_EQ(owner(line, key), "alice");
  EXPECT_EQ(owner(line, key + "x"), "nobody");
  EXPECT_EQ(line.find(key), std::string::npos);
  EXPECT_EQ(got.err.find(key), std::string::npos);
  EXPECT_NE(after(ringward({"key", "new", "alice"}).out, "key:  "), key);
}

TEST_F(CommandLine, AKeyIsHashedUnderItsName) {
  const std::string key = "0123456789abcdef-own";
  const said named = ringward({"key", "hash", "bob"}, key + "\n");
  ASSERT_EQ(named.status, 0);
  EXPECT_EQ(owner(named.out.substr(0, named.out.find('\n')), key), "bob");
  EXPECT_EQ((named.out + named.err).find(key), std::string::npos);
  const said unnamed = ringward({"key", "hash"}, key);  // without a line feed at the end
  ASSERT_EQ(unnamed.status, 0);
  EXPECT_EQ(owner(unnamed.out.substr(0, unnamed.out.find('\n')), key), "key");
}

TEST_F(CommandLine, AKeyThatIsTooShortIsRefusedAndNotRepeated) {
  for (const std::string& key : {std::string(), std::string("0123456789abcde")}) {
    const said got = ringward({"key", "hash", "bob"}, key + "\n");
    EXPECT_EQ(got.status, 1);
    EXPECT_EQ(got.out, "");
    EXPECT_TRUE(got.err.find("error") != std::string::npos) << got.err;
    if (!key.empty()) EXPECT_EQ(got.err.find(key), std::string::npos);
  }
}

TEST_F(CommandLine, ANameThatNoKeyMayHaveIsRefused) {
  for (const char* name : {"a:b", "a@b", "", "#a", "a.b.c"}) {
    const said got = ringward({"key", "new", name});
    EXPECT_EQ(got.status, 1) << name;
    EXPECT_EQ(got.out, "") << name;
  }
}

TEST_F(CommandLine, CheckSaysThatAllIsInOrderAndWhatIsOpen) {
  const std::string path = write("good.toml", R"(
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[route]]
name = "welcome"
path = "/"
action = "respond"
status = 200
auth = []
)");
  const said got = ringward({"check", "--config", path});
  EXPECT_EQ(got.status, 0) << got.err;
  EXPECT_NE(got.out.find("note: route welcome is open to everyone"), std::string::npos) << got.out;
  EXPECT_NE(got.out.find(path + ": in order"), std::string::npos) << got.out;
}

TEST_F(CommandLine, CheckSaysWhereItIsWrong) {
  const std::string path = write("bad.toml", "[[listener]]\nname = \"main\"\nadress = \"x\"\n");
  const said got = ringward({"check", "--config", path});
  EXPECT_EQ(got.status, 1);
  EXPECT_NE(got.err.find(path + ":3:1: "), std::string::npos) << got.err;
  EXPECT_EQ(got.out, "");
}

// The files that a configuration names are a part of it.
TEST_F(CommandLine, CheckReadsWhatIsNamed) {
  const std::string path = write("keys.toml",
                                 "[[listener]]\nname = \"main\"\n"
                                 "address = \"127.0.0.1:0\"\n[auth.api_keys]\n"
                                 "file = \"/no/such/keys\"\n");
  const said got = ringward({"check", "--config", path});
  EXPECT_EQ(got.status, 1);
  EXPECT_NE(got.err.find("/no/such/keys"), std::string::npos) << got.err;
}

TEST_F(CommandLine, CheckOfNothingIs1) {
  const said got = ringward({"check", "--config", (folder_ / "none").string()});
  EXPECT_EQ(got.status, 1);
  EXPECT_NE(got.err.find((folder_ / "none").string()), std::string::npos) << got.err;
}

TEST_F(CommandLine, WithoutAGateThereIsNobodyToTell) {
  const std::string socket = (folder_ / "admin.sock").string();
  for (const char* command : {"status", "reload", "reopen"}) {
    const said got = ringward({command, "--socket", socket});
    EXPECT_EQ(got.status, 1) << command;
    EXPECT_NE(got.err.find("no gate answers at " + socket), std::string::npos) << got.err;
    EXPECT_EQ(got.out, "");
  }
  const said got = ringward({"status", "--socket", "/" + std::string(200, 'a')});
  EXPECT_EQ(got.status, 1);
  EXPECT_NE(got.err.find("too long"), std::string::npos) << got.err;
}

TEST_F(CommandLine, VersionSaysWhatThisIsAndWhatTheKernelHas) {
  const said got = ringward({"version"});
  EXPECT_EQ(got.status, 0);
  for (const char* line :
       {"ringward ", "\ncompiler ", "\nwolfSSL ", "\nkernel ", "\nio_uring ", "\nkernel TLS "}) {
    EXPECT_NE(got.out.find(line), std::string::npos) << line;
  }
}

// What the kernel runs with is in order; nobody is asked to change it here.
TEST_F(CommandLine, TuneChecksAProfile) {
  std::ifstream file("/proc/sys/kernel/ostype");
  std::string is;
  std::getline(file, is);
  const std::string good = write("good.conf", "kernel.ostype = " + is + "\n");
  EXPECT_EQ(ringward({"tune", good, "--check"}).status, 0);
  const said differs =
      ringward({"tune", "--check", write("other.conf", "kernel.ostype = Minix\n")});
  EXPECT_EQ(differs.status, 1);
  EXPECT_NE(differs.out.find("kernel.ostype  " + is + "  Minix\n"), std::string::npos)
      << differs.out;
  const said none = ringward({"tune", "--check", (folder_ / "none.conf").string()});
  EXPECT_EQ(none.status, 2);
  EXPECT_NE(none.err.find("No such file"), std::string::npos) << none.err;
}

TEST_F(CommandLine, TuneListsAndAdvises) {
  const said got = ringward({"tune", write("other.conf", "kernel.ostype = Minix\n")});
  EXPECT_EQ(got.status, 0);
  EXPECT_NE(got.out.find("other: 1 of 1 settings differ\n"), std::string::npos) << got.out;
  EXPECT_NE(got.out.find("advice"), std::string::npos) << got.out;
  const said listed = ringward({"tune", "--state", folder_.string()});
  EXPECT_EQ(listed.status, 0);
  EXPECT_NE(listed.out.find("no profile is applied\n"), std::string::npos) << listed.out;
  EXPECT_EQ(ringward({"tune", "no-such-profile"}).status, 1);
}

}  // namespace
}  // namespace rw::control
