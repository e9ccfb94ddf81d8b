#include "gateway/ban.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/client_bounds.h"
#include "gateway/decide.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

using std::chrono::seconds;

constexpr std::string_view rules = R"(
[[listener]]
name = "main"
address = "127.0.0.1:0"
client_address_from = ["198.51.100.0/24"]
[[route]]
name = "all"
path_prefix = "/"
action = "respond"
auth = []
[ban]
failures = 3
weights = { forbidden = 2, handshake = 3 }
exempt = ["10.0.0.0/8"]
)";

class Ban : public test::GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    configure_all(std::string(rules));
  }

  // A request of `peer`, for whom `speaking_for` speaks.
  exchange& request(std::string_view peer, std::string_view speaking_for = {}) {
    peer_ = from(peer);
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
    if (!speaking_for.empty()) head += fmt::format("X-Forwarded-For: {}\r\n", speaking_for);
    exchange& x = ask(head + "\r\n");
    decide(x);
    return x;
  }
  void refuse(exchange& x, unsigned status) {
    x.decision = {status, "for_this_test"};
    note_refusal(x);
  }
  bool let_in(std::string_view peer, std::string_view speaking_for = {}) {
    const exchange& x = request(peer, speaking_for);
    if (!x.decision.admitted()) {
      EXPECT_EQ(x.decision.status, 403U);
      EXPECT_STREQ(x.decision.reason, "banned");
    }
    return x.decision.admitted();
  }
  const char* at_accept(std::string_view peer) {
    request("192.0.2.200");
    client_->peer = from(peer);
    return bound_client(*client_, worker_->state().listeners[0]);
  }
};

TEST_F(Ban, ThreeRefusalsShutADirectPeerOut) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(let_in("192.0.2.1")) << i;
    EXPECT_EQ(at_accept("192.0.2.1"), nullptr);
    refuse(request("192.0.2.1"), 401);
  }
  EXPECT_STREQ(at_accept("192.0.2.1"), "banned");
  EXPECT_FALSE(let_in("192.0.2.1"));  // on a connection from before
  EXPECT_FALSE(client_->current->keep_alive);
  EXPECT_TRUE(let_in("192.0.2.2"));
  EXPECT_EQ(at_accept("192.0.2.2"), nullptr);
  EXPECT_EQ(counters_.get(observe::counter::bans_made), 1U);
  EXPECT_EQ(counters_.get(observe::counter::banned_connections), 1U);
  EXPECT_EQ(counters_.get(observe::counter::banned_requests), 1U);
}

TEST_F(Ban, AProxySpeaksForOthersAndIsNeverBanned) {
  for (int i = 0; i < 3; ++i) refuse(request("198.51.100.7", "192.0.2.1"), 401);
  EXPECT_FALSE(let_in("198.51.100.7", "192.0.2.1"));
  EXPECT_TRUE(client_->current->keep_alive);  // others come through it
  EXPECT_TRUE(let_in("198.51.100.7", "192.0.2.2"));
  EXPECT_STREQ(at_accept("192.0.2.1"), "banned");
  for (int i = 0; i < 9; ++i) {
    refuse(request("198.51.100.7"), 401);                  // its own requests
    refuse(request("198.51.100.7", "198.51.100.8"), 401);  // one behind another
    exchange& broken = request("198.51.100.7", "192.0.2.3");
    broken.client_ip = broken.client->peer.ip;  // as of a head that is none
    refuse(broken, 400);
  }
  EXPECT_TRUE(let_in("198.51.100.7"));
  EXPECT_EQ(at_accept("198.51.100.7"), nullptr);
  EXPECT_TRUE(let_in("198.51.100.7", "192.0.2.3"));
  // Not even by a ban that was there before it became one.
  const mono_time now = loop_->now();
  ASSERT_TRUE(bans_->set({.client = from("198.51.100.7").ip, .until = now + seconds{60}}, now));
  EXPECT_EQ(at_accept("198.51.100.7"), nullptr);
  EXPECT_TRUE(let_in("198.51.100.7", "192.0.2.3"));
}

TEST_F(Ban, ExemptNetworksAndUnixSocketsNeverAre) {
  for (int i = 0; i < 9; ++i) refuse(request("10.9.8.7"), 401);
  EXPECT_TRUE(let_in("10.9.8.7"));
  const mono_time now = loop_->now();
  ASSERT_TRUE(bans_->set({.client = from("10.9.8.7").ip, .until = now + seconds{60}}, now));
  EXPECT_TRUE(let_in("10.9.8.7"));
  EXPECT_EQ(at_accept("10.9.8.7"), nullptr);
  peer_ = from_unix();
  for (int i = 0; i < 9; ++i) {
    exchange& x = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    decide(x);
    EXPECT_TRUE(x.decision.admitted());
    refuse(x, 401);
  }
}

// A page that somebody visits would have them banned by asking for what it may not.
TEST_F(Ban, PreflightsCountForNothing) {
  for (int i = 0; i < 5; ++i) {
    exchange& x = request("192.0.2.9");
    x.preflight = true;
    refuse(x, 403);
  }
  EXPECT_TRUE(let_in("192.0.2.9"));
}

TEST_F(Ban, EachKindHasItsWeight) {
  const auto times = [this](std::string_view peer, auto&& fail) {
    int n = 0;
    while (n < 9 && at_accept(peer) == nullptr) {
      fail(request(peer));
      ++n;
    }
    return n;
  };
  const auto with_status = [this](unsigned status) {
    return [this, status](exchange& x) { refuse(x, status); };
  };
  EXPECT_EQ(times("192.0.2.1", with_status(401)), 3);
  EXPECT_EQ(times("192.0.2.2", with_status(403)), 2);
  EXPECT_EQ(times("192.0.2.3", with_status(400)), 2);
  for (const unsigned status : {404U, 405U, 408U, 413U, 429U, 431U, 499U, 502U, 503U}) {
    EXPECT_EQ(times("192.0.2.4", with_status(status)), 9) << status;
  }
  EXPECT_EQ(times("192.0.2.5",
                  [this](exchange& x) {
                    x.caller.why = auth::reason::expired;
                    refuse(x, 401);
                  }),
            9);
  EXPECT_EQ(times("192.0.2.6",
                  [this](exchange& x) {
                    x.ended_by = "revoked";
                    refuse(x, 401);
                  }),
            9);
  EXPECT_EQ(times("192.0.2.7",
                  [](exchange& x) {
                    x.client->peer = from("192.0.2.7");
                    note_handshake(*x.client, "tls_malformed");
                  }),
            1);
}

TEST_F(Ban, ARefusalOfTheBannedDoesNotMakeItLonger) {
  for (int i = 0; i < 3; ++i) refuse(request("192.0.2.1"), 401);
  const auto before = bans_->all(loop_->now());
  ASSERT_EQ(before.size(), 1U);
  for (int i = 0; i < 9; ++i) note_refusal(request("192.0.2.1"));
  EXPECT_EQ(bans_->all(loop_->now())[0].until, before[0].until);
  EXPECT_EQ(counters_.get(observe::counter::bans_made), 1U);
}

TEST_F(Ban, WithoutTheTableNothingActs) {
  configure("[[route]]\nname = \"all\"\npath_prefix = \"/\"\naction = \"respond\"\nauth = []\n");
  for (int i = 0; i < 99; ++i) refuse(request("192.0.2.1"), 401);
  const mono_time now = loop_->now();
  ASSERT_TRUE(bans_->set({.client = from("192.0.2.1").ip, .until = now + seconds{60}}, now));
  EXPECT_TRUE(let_in("192.0.2.1"));
  EXPECT_EQ(at_accept("192.0.2.1"), nullptr);
}

}  // namespace
}  // namespace rw::gateway
