#include "tls/tickets.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "client.h"

namespace rw::tls {
namespace {

using namespace testing;
using opened = ticket_keys::opened;
using std::chrono::hours;

constexpr std::string_view plain = "a session's secrets, 35 bytes long.";

std::vector<std::byte> copy(std::string_view from) {
  const auto view = bytes(from);
  return {view.begin(), view.end()};
}

TEST(TicketKeys, OpenWhatTheySealed) {
  const ticket_keys keys(mono_time{});
  auto ticket = copy(plain);
  const auto by = keys.seal(ticket, bytes("here"));
  EXPECT_NE(text(ticket), plain);
  EXPECT_EQ(keys.open(by, ticket, bytes("here")), opened::yes);
  EXPECT_EQ(text(ticket), plain);
}

TEST(TicketKeys, OpenNothingElse) {
  const ticket_keys keys(mono_time{});
  const ticket_keys others(mono_time{});
  auto sealed = copy(plain);
  const auto by = keys.seal(sealed, bytes("here"));
  auto ticket = sealed;
  EXPECT_EQ(keys.open(by, ticket, bytes("there")), opened::no);
  ticket = sealed;
  EXPECT_EQ(others.open(by, ticket, bytes("here")), opened::no);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    ticket = sealed;
    ticket[at] ^= std::byte{1};
    EXPECT_EQ(keys.open(by, ticket, bytes("here")), opened::no);
  }
  for (std::size_t at = 0; at < sizeof by; ++at) {
    auto changed = by;
    reinterpret_cast<unsigned char*>(&changed)[at] ^= 1;
    ticket = sealed;
    EXPECT_EQ(keys.open(changed, ticket, bytes("here")), opened::no);
  }
}

TEST(TicketKeys, NeverRepeatANonce) {
  const ticket_keys keys(mono_time{});
  auto one = copy(plain);
  auto two = copy(plain);
  const auto by_one = keys.seal(one, {});
  const auto by_two = keys.seal(two, {});
  EXPECT_NE(std::memcmp(by_one.nonce.data(), by_two.nonce.data(), by_one.nonce.size()), 0);
  EXPECT_NE(text(one), text(two));
}

TEST(TicketKeys, RotateTwiceADay) {
  const mono_time start{hours(100)};
  ticket_keys keys(start);
  const auto first = copy(plain);
  auto sealed = first;
  const auto by = keys.seal(sealed, {});
  EXPECT_FALSE(keys.rotate(start + hours(11)));
  EXPECT_TRUE(keys.rotate(start + hours(12)));
  EXPECT_FALSE(keys.rotate(start + hours(13)));
  auto ticket = sealed;
  EXPECT_EQ(keys.open(by, ticket, {}), opened::with_previous_key);
  EXPECT_EQ(ticket, first);
  auto newer = first;
  const auto by_newer = keys.seal(newer, {});
  EXPECT_NE(by_newer.name, by.name);
  EXPECT_EQ(keys.open(by_newer, newer, {}), opened::yes);
  EXPECT_TRUE(keys.rotate(start + hours(24)));
  ticket = sealed;
  EXPECT_EQ(keys.open(by, ticket, {}), opened::no);
}

TEST(TicketKeys, ForgetBothAfterALongSleep) {
  ticket_keys keys(mono_time{});
  auto sealed = copy(plain);
  const auto by = keys.seal(sealed, {});
  EXPECT_TRUE(keys.rotate(mono_time{hours(24)}));
  EXPECT_EQ(keys.open(by, sealed, {}), opened::no);
}

TEST(TicketKeys, AreWholeInEveryThread) {
  ticket_keys keys(mono_time{});
  std::atomic<bool> stop{false};
  std::atomic<int> lost{0};
  std::atomic<int> done{0};
  std::vector<std::jthread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      while (!stop.load()) {
        auto ticket = copy(plain);
        const auto by = keys.seal(ticket, bytes("here"));
        // Two rotations may have come between; but then no key has its name, and none opens it
        // wrongly.
        const auto how = keys.open(by, ticket, bytes("here"));
        if (how == opened::no) ++lost;
        if (how != opened::no && text(ticket) != plain) lost += 1'000'000;
        ++done;
      }
    });
  }
  int rotations = 0;
  while (done.load() < 3000) {
    keys.rotate(mono_time{hours(12) * ++rotations});
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  stop = true;
  workers.clear();
  EXPECT_LT(lost.load(), done.load() / 10);
}

}  // namespace
}  // namespace rw::tls
