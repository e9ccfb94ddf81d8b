// Many gateways that lease from one budget, in virtual time: how much they let in, what is left
// unused, and how often they ask. docs/scaling.md has what this prints.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <vector>

#include "limit/limiter.h"

namespace rw::limit {
namespace {

using namespace std::chrono_literals;

// The script's bucket for one key.
class bucket {
 public:
  explicit bucket(const pace& of) : pace_(of) {}
  struct answer {
    std::uint64_t granted;
    nanoseconds debt;
  };
  answer ask(std::uint64_t want, std::uint64_t now) {
    const std::uint64_t debt = full_at_ > now ? full_at_ - now : 0;
    const std::uint64_t granted = std::min(want, (pace_.window_ns - debt) / pace_.interval_ns);
    const std::uint64_t owed = debt + granted * pace_.interval_ns;
    full_at_ = now + owed;
    return {granted, nanoseconds{static_cast<std::int64_t>(owed)}};
  }

 private:
  pace pace_;
  std::uint64_t full_at_ = 0;
};

struct shape {
  const char* name;
  unsigned gateways;
  double offered_per_second;  // over all of them
  std::uint64_t rate;
  std::uint64_t burst;
  double busy_share;  // of the requests that one gateway in ten gets
};

struct outcome_of_run {
  std::uint64_t offered = 0;
  std::uint64_t admitted = 0;
  std::uint64_t questions = 0;
  std::uint64_t waited = 0;     // requests that an answer was awaited for
  std::uint64_t most_over = 0;  // beyond burst + rate x t, over all stretches of time
};

// Requests of one caller at random gateways, for `seconds`; Redis is 0.2 to 1 ms away.
class world {
 public:
  world(const shape& what, std::uint64_t seed)
      : shape_(what),
        limit_{.name = "one",
               .by = {config::limit_key::identity},
               .rate = {.count = what.rate, .per = 1s},
               .burst = what.burst,
               .shared = config::limit_sharing::leased,
               .capacity = 1024},
        random_(seed),
        pace_(make_pace(limit_.rate, limit_.burst)),
        shared_(pace_) {
    for (unsigned i = 0; i < what.gateways; ++i) {
      gates_.push_back(std::make_unique<limiter>(std::span(&limit_, 1), 1));
    }
    who_ = gates_[0]->make_demand(0, {.identity = "alice"});
  }

  outcome_of_run run(double seconds) {
    std::exponential_distribution<double> gap(shape_.offered_per_second);
    for (double at = gap(random_); at < seconds; at += gap(random_)) {
      const auto now = start + static_cast<std::uint64_t>(at * 1e9);
      deliver(now);
      request(pick(), now);
    }
    deliver(~std::uint64_t{0});
    return done_;
  }

 private:
  static constexpr std::uint64_t start = 5'000'000'000;
  struct letter {
    std::uint64_t at;
    std::function<void(std::uint64_t)> read;
    bool operator<(const letter& other) const { return at > other.at; }
  };

  unsigned pick() {
    const unsigned busy = std::max(1U, shape_.gateways / 10);
    const bool is_busy = std::uniform_real_distribution<>(0, 1)(random_) < shape_.busy_share;
    return std::uniform_int_distribution<unsigned>(0,
                                                   (is_busy ? busy : shape_.gateways) - 1)(random_);
  }
  std::uint64_t way() {
    return std::uniform_int_distribution<std::uint64_t>(100'000, 500'000)(random_);
  }
  void deliver(std::uint64_t until) {
    while (!letters_.empty() && letters_.top().at <= until) {
      const letter next = letters_.top();
      letters_.pop();
      next.read(next.at);
    }
  }
  // As gateway/share.cc does.
  void request(unsigned gate, std::uint64_t now) {
    ++done_.offered;
    const limiter& limits = *gates_[gate];
    const mono_time when{nanoseconds{static_cast<std::int64_t>(now)}};
    if (!limits.admit(who_, when).admitted) return;
    const spending got = limits.spend(who_, when);
    if (got.spent) admit(now);
    if (got.spent && got.ask_for == 0) return;
    const std::uint64_t want = std::max<std::uint64_t>(got.ask_for, 1);
    const bool own = got.ask_for > 0;
    ++done_.questions;
    done_.waited += got.spent ? 0 : 1;
    letters_.push({now + way(), [=, this](std::uint64_t there) {
                     const bucket::answer answer = shared_.ask(want, there);
                     letters_.push(
                         {there + way(), [=, this](std::uint64_t back) {
                            const mono_time then{nanoseconds{static_cast<std::int64_t>(back)}};
                            const limiter& home = *gates_[gate];
                            const bool served = !got.spent && answer.granted > 0;
                            const deposit_of what =
                                answer.granted < want ? deposit_of::a_part : deposit_of::all;
                            if (own)
                              home.deposit(who_, answer.granted - (served ? 1 : 0), what, then);
                            if (served) admit(back);
                            if (got.spent || served) return;
                            home.give_back(who_, when, then);
                            home.learn(who_, false, answer.debt, when);
                          }});
                   }});
  }
  // How far the requests let in are beyond burst + rate x t in the stretch that makes most of it:
  // a bucket of that burst and rate, which nobody refuses.
  void admit(std::uint64_t now) {
    ++done_.admitted;
    owed_at_ = std::max(owed_at_, now) + pace_.interval_ns;
    if (owed_at_ <= now + pace_.window_ns) return;
    const std::uint64_t over = (owed_at_ - now - pace_.window_ns) / pace_.interval_ns;
    done_.most_over = std::max(done_.most_over, over);
  }

  shape shape_;
  config::limit limit_;
  std::mt19937_64 random_;
  pace pace_;
  bucket shared_;
  std::vector<std::unique_ptr<limiter>> gates_;
  demand who_;
  std::priority_queue<letter> letters_;
  std::uint64_t owed_at_ = 0;
  outcome_of_run done_;
};

constexpr shape shapes[] = {
    {"100 gates, twice the rate, evenly", 100, 20'000, 10'000, 5'000, 0.0},
    {"100 gates, twice the rate, 90 % at ten of them", 100, 20'000, 10'000, 5'000, 0.9},
    {"100 gates, half the rate, evenly", 100, 5'000, 10'000, 5'000, 0.0},
    {"100 gates, twice a rate of 1000, evenly", 100, 2'000, 1'000, 500, 0.0},
    {"100 gates, ten times a rate of 100, evenly", 100, 1'000, 100, 50, 0.0},
    {"3 gates, twice the rate, evenly", 3, 20'000, 10'000, 5'000, 0.0},
};

TEST(Leases, ManyGatewaysStayWithinGatewaysTimesSlice) {
  constexpr double seconds = 3;
  for (const shape& one : shapes) {
    const std::uint64_t slice = limiter::slice_of(make_pace({one.rate, 1s}, one.burst));
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      const outcome_of_run got = world(one, seed).run(seconds);
      const double allowed =
          static_cast<double>(one.burst) + static_cast<double>(one.rate) * seconds;
      const double possible = std::min(allowed, static_cast<double>(got.offered));
      fmt::print(
          "{}: slice {}, offered {}, admitted {} ({:.1f} % of what may be), over by {} of {}, "
          "{:.3f} questions per request, {:.2f} % waited\n",
          one.name, slice, got.offered, got.admitted,
          100.0 * static_cast<double>(got.admitted) / possible, got.most_over, one.gateways * slice,
          static_cast<double>(got.questions) / static_cast<double>(got.offered),
          100.0 * static_cast<double>(got.waited) / static_cast<double>(got.offered));
      EXPECT_LE(got.most_over, one.gateways * slice) << one.name;
      EXPECT_LE(static_cast<double>(got.admitted),
                allowed + static_cast<double>(one.gateways * slice));
      EXPECT_GE(static_cast<double>(got.admitted), 0.8 * possible) << one.name;
    }
  }
}

// The worst that can be: all gates hold all they may, the budget fills up meanwhile, and at one
// moment everything is spent.
TEST(Leases, WhatAllHoldIsAllThatIsOver) {
  constexpr unsigned gateways = 100;
  const config::limit one{.name = "one",
                          .by = {config::limit_key::identity},
                          .rate = {.count = 1'000'000, .per = 1s},
                          .burst = 1'000,
                          .shared = config::limit_sharing::leased,
                          .capacity = 1024};
  const pace of_all = make_pace(one.rate, one.burst);
  const std::uint64_t slice = limiter::slice_of(of_all);
  bucket shared(of_all);
  std::uint64_t now = 5'000'000'000;
  const auto when = [&now] { return mono_time{nanoseconds{static_cast<std::int64_t>(now)}}; };
  std::vector<std::unique_ptr<limiter>> gates;
  for (unsigned i = 0; i < gateways; ++i) {
    gates.push_back(std::make_unique<limiter>(std::span(&one, 1), 1));
    const limiter& gate = *gates.back();
    const demand who = gate.make_demand(0, {.identity = "alice"});
    now += of_all.window_ns;
    for (std::uint64_t asked = 0; asked < slice / 2;) {
      now += 1000;
      const spending got = gate.spend(who, when());
      if (got.ask_for == 0) continue;
      const std::uint64_t granted = shared.ask(got.ask_for, now).granted;
      gate.deposit(who, granted - (got.spent || granted == 0 ? 0 : 1), deposit_of::all, when());
      asked = granted;
    }
  }
  now += of_all.window_ns;
  std::uint64_t spent = shared.ask(one.burst, now).granted;
  EXPECT_EQ(spent, one.burst);
  for (const auto& gate : gates) {
    const demand who = gate->make_demand(0, {.identity = "alice"});
    while (gate->spend(who, when()).spent) ++spent;
  }
  fmt::print("{} gates that hoard: over by {} of {}\n", gateways, spent - one.burst,
             gateways * slice);
  EXPECT_LE(spent - one.burst, gateways * slice);
  EXPECT_GE(spent - one.burst, gateways * slice / 2);
}

}  // namespace
}  // namespace rw::limit
