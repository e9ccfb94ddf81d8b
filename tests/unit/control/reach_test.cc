#include "control/reach.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace rw::control {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace fs = std::filesystem;

class Reach : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "rw-reach-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = fs::canonical(name);
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string file(const std::string& name) {
    const fs::path whole = root_ / name;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << "text";
    return whole;
  }
  std::string place(const std::string& name) const { return root_ / name; }

  fs::path root_;
};

config::configuration with_server(const std::string& address) {
  config::configuration made;
  made.upstreams.emplace_back();
  made.upstreams.back().servers.push_back({.address = address});
  return made;
}

TEST(Ports, AreThoseOfEverythingItConnectsTo) {
  config::configuration made = with_server("127.0.0.1:5001");
  made.upstreams.back().servers.push_back({.address = "unix:/run/origin.sock"});
  made.upstreams.back().servers.push_back({.address = "origin.example:8080"});
  made.redis.address = "127.0.0.1:6380";
  EXPECT_THAT(ports_of(made), ElementsAre(53, 5001, 8080));
  made.redis.present = true;
  made.jwt.emplace_back();
  made.jwt.back().jwks_remote.url = "https://keys.example:8443/jwks";
  EXPECT_THAT(ports_of(made), ElementsAre(53, 5001, 6380, 8080, 8443));
  made.jwt.back().jwks_remote.url.clear();
  made.jwt.back().jwks_remote.discover = true;
  made.jwt.back().issuer = "https://issuer.example:9443";
  EXPECT_THAT(ports_of(made), ElementsAre(53, 443, 5001, 6380, 8080, 9443));
}

TEST(Ports, OthersAreNamed) {
  const reach within{.ports = {53, 5001}};
  EXPECT_THAT(ports_out_of_reach(within, {53, 5001}), IsEmpty());
  EXPECT_THAT(ports_out_of_reach(within, {53, 22, 5001}), ElementsAre(HasSubstr("port 22 ")));
}

TEST_F(Reach, ItIsTheDirectoriesOfWhatIsNamed) {
  const std::string keys = file("keys/api-keys");
  const reach got = reach_of(file("config/ringward.toml"), with_server("127.0.0.1:1"), {keys});
  EXPECT_THAT(got.reads, Contains(place("keys")));
  EXPECT_THAT(got.reads, Contains(place("config")));
  EXPECT_THAT(got.reads, Not(Contains(root_.string())));
  EXPECT_THAT(got.reads, Not(Contains("/")));
  file("keys/another");
  EXPECT_THAT(files_out_of_reach(got, {keys, place("keys/another"), place("keys/new/one")}),
              IsEmpty());
  EXPECT_THAT(files_out_of_reach(got, {place("keys-2/one"), place("secret")}),
              ElementsAre(HasSubstr("keys-2/one is not reachable for a locked-down gate"),
                          HasSubstr("/secret ")));
}

TEST_F(Reach, ALinkOutOfADirectoryIsNoWayAround) {
  const reach got =
      reach_of(file("config/ringward.toml"), with_server("127.0.0.1:1"), {file("keys/a")});
  file("elsewhere/b");
  fs::create_symlink("../elsewhere/b", place("keys/b"));
  EXPECT_THAT(files_out_of_reach(got, {place("keys/b")}), ElementsAre(HasSubstr("keys/b")));
}

// As deployments do it: `current` leads to one of several releases.
TEST_F(Reach, TheNextTargetOfALinkIsReachedToo) {
  file("releases/1/keys");
  file("releases/2/keys");
  fs::create_directory_symlink("releases/1", place("current"));
  const reach got =
      reach_of(file("config/ringward.toml"), with_server("127.0.0.1:1"), {place("current/keys")});
  fs::remove(place("current"));
  fs::create_directory_symlink("releases/2", place("current"));
  EXPECT_THAT(files_out_of_reach(got, {place("current/keys")}), IsEmpty());
}

TEST_F(Reach, LogsStateAndSocketsAreWrittenTo) {
  config::configuration made = with_server("127.0.0.1:1");
  file("state/bans");
  file("logs/access.log");
  made.server.state = place("state");
  made.log.access_path = place("logs/access.log");
  made.log.audit.path = "/dev/full";
  made.admin.socket = place("run/admin.sock");
  made.listeners.push_back({.name = "local", .address = "unix:" + place("sockets/gate.sock")});
  const reach got = reach_of(file("config/ringward.toml"), made, {});
  EXPECT_THAT(got.writes, ElementsAre(place("state"), place("logs"), "/dev/full"));
  EXPECT_THAT(got.sockets, ElementsAre(place("run"), place("sockets")));
  EXPECT_THAT(got.logs, ElementsAre(place("logs/access.log"), "/dev/full"));
}

}  // namespace
}  // namespace rw::control
