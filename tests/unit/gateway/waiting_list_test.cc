#include "gateway/waiting_list.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <vector>

namespace rw::gateway {
namespace {

using std::chrono::milliseconds;

mono_time at(int ms) { return mono_time{milliseconds{ms}}; }

TEST(WaitingList, WhoWaitsLongestIsFirst) {
  std::atomic<std::int64_t> told = nobody_waits;
  waiting_list list(&told);
  EXPECT_EQ(list.longest(), nullptr);
  waiting_client a;
  waiting_client b;
  waiting_client c;
  list.add(a, at(1));
  list.add(b, at(2));
  list.add(c, at(3));
  EXPECT_EQ(list.longest(), &a);
  EXPECT_EQ(told, at(1).time_since_epoch().count());
  list.remove(a);
  EXPECT_EQ(list.longest(), &b);
  EXPECT_EQ(told, at(2).time_since_epoch().count());
  list.remove(a);  // does not wait any more
  list.add(a, at(4));
  list.remove(c);  // from the middle
  EXPECT_EQ(list.longest(), &b);
  list.remove(b);
  EXPECT_EQ(list.longest(), &a);
  list.remove(a);
  EXPECT_EQ(list.longest(), nullptr);
  EXPECT_EQ(told, nobody_waits);
}

TEST(WaitingList, AgreesWithASortedOne) {
  std::mt19937 random(7);
  std::atomic<std::int64_t> told = nobody_waits;
  waiting_list list(&told);
  std::vector<waiting_client> clients(20);
  std::vector<waiting_client*> model;
  for (int step = 1; step < 20'000; ++step) {
    waiting_client& one = clients[random() % clients.size()];
    if (one.waits) {
      list.remove(one);
      std::erase(model, &one);
    } else {
      list.add(one, at(step));
      model.push_back(&one);
    }
    ASSERT_EQ(list.longest(), model.empty() ? nullptr : model.front());
    ASSERT_EQ(told, model.empty() ? nobody_waits : model.front()->since.time_since_epoch().count());
  }
}

}  // namespace
}  // namespace rw::gateway
