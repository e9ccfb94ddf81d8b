// A million random schedules of everything a limiter is asked, held against buckets that a child
// could count: several limits at once, of requests and of octets, with requests under way, shadows
// and rates of callers' own.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "limit/limiter.h"

namespace rw::limit {
namespace {

using namespace std::chrono_literals;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RW_SLOW_BUILD
#endif
#endif
#ifdef RW_SLOW_BUILD
constexpr int schedules_by_default = 50'000;
#else
constexpr int schedules_by_default = 1'000'000;
#endif

constexpr std::size_t limits_max = 3;
constexpr std::size_t callers = 3;

// What is left to one caller in one limit. Time only goes forward here.
struct bucket {
  pace of;
  std::uint64_t level_ns = 0;
  std::uint64_t seen = 0;
  std::uint32_t under_way = 0;

  void fill(std::uint64_t now) {
    level_ns = std::min(of.window_ns, level_ns + (now - seen));
    seen = now;
  }
  std::uint64_t cost_ns(const demand& what) const { return what.cost * of.interval_ns; }
  bool never(const demand& what) const { return what.cost > of.burst; }
};

// One configuration, whose clock goes on from schedule to schedule.
class world {
 public:
  explicit world(std::mt19937_64& random) : random_(random) {
    count_ = 1 + random_() % limits_max;
    for (std::size_t i = 0; i < count_; ++i) {
      config::limit one{.name = std::to_string(i),
                        .by = {config::limit_key::identity},
                        .burst = 1 + random_() % 30,
                        .capacity = 4096};
      const std::uint64_t kind = random_() % 4;
      if (kind != 0) {
        one.rate = {.count = 1 + random_() % 1000,
                    .per = std::array<nanoseconds, 3>{1ms, 1s, 60s}[random_() % 3]};
      }
      if (kind == 0 || random_() % 3 == 0) {
        one.concurrent = 1 + static_cast<unsigned>(random_() % 4);
      }
      if (random_() % 4 == 0) one.cost = config::limit_cost::request_bytes;
      one.shadow = random_() % 5 == 0;
      limits_.push_back(one);
    }
    of_ = std::make_unique<limiter>(limits_, 1 + static_cast<unsigned>(random_() % 4));
    now_ = 1 + random_() % 1'000'000'000'000;
  }

  // False: something was said that the buckets do not say; `failed` is what.
  void run() {
    begin();
    const std::uint64_t steps = 4 + random_() % 9;
    for (std::uint64_t i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      const std::size_t who = random_() % callers;
      switch (random_() % 8) {
        case 0:
          end_one();
          break;
        case 1:
          charge(who);
          break;
        default:
          ask(who);
      }
      if (random_() % 4 != 0) now_ += random_() % (1 + longest_interval_ * 2);
    }
    while (!under_way_.empty()) end_one();
    now_ += longest_window_;  // nobody owes anything any more
  }

  std::uint64_t forgiven() const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < count_; ++i) sum += of_->forgiven(i);
    return sum;
  }
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;

 private:
  struct request {
    std::size_t who;
    std::array<demand, limits_max> demands;
    std::array<bool, limits_max> entered{};
  };

  bool has_rate(std::size_t i) const { return limits_[i].rate.count != 0; }
  mono_time at() const { return mono_time{nanoseconds{static_cast<std::int64_t>(now_)}}; }

  void begin() {
    longest_interval_ = 1;
    longest_window_ = 1;
    for (std::size_t who = 0; who < callers; ++who) {
      const key hash{random_() | 1U};
      const bool own = random_() % 4 == 0;
      const config::rate rate{.count = 1 + random_() % 5000, .per = 1s};
      for (std::size_t i = 0; i < count_; ++i) {
        demand& one = demands_[who][i];
        one = {.index = static_cast<std::uint32_t>(i), .who = hash};
        if (own && has_rate(i)) {
          one.own = make_own_pace(of_->pace_of(static_cast<std::uint32_t>(i)), rate);
        }
        bucket& b = buckets_[who][i];
        b = {.of = of_->pace_of(one), .seen = now_};
        b.level_ns = b.of.window_ns;
        if (!has_rate(i)) continue;
        longest_interval_ = std::max(longest_interval_, b.of.interval_ns);
        longest_window_ = std::max(longest_window_, b.of.window_ns);
      }
    }
  }

  // What the buckets say of a request of its own in one limit.
  bound says(std::size_t who, std::size_t i, const demand& what) {
    bucket& b = buckets_[who][i];
    b.fill(now_);
    if (limits_[i].concurrent != 0 && b.under_way >= limits_[i].concurrent) {
      return bound::under_way;
    }
    if (!has_rate(i)) return bound::none;
    if (b.never(what)) return bound::size;
    return b.level_ns >= b.cost_ns(what) ? bound::none : bound::rate;
  }

  void take(std::size_t who, std::size_t i, const demand& what) {
    bucket& b = buckets_[who][i];
    if (has_rate(i)) b.level_ns -= b.cost_ns(what);
    if (limits_[i].concurrent != 0) ++b.under_way;
  }

  void expect(std::size_t who, std::size_t i, const demand& what, const decision& made, bound met) {
    bucket& b = buckets_[who][i];
    ASSERT_EQ(made.met, met);
    ASSERT_EQ(made.admitted, met == bound::none);
    if (!has_rate(i) || met == bound::under_way || met == bound::size) return;
    ASSERT_EQ(made.limit, b.of.burst);
    ASSERT_EQ(made.remaining, b.level_ns / b.of.interval_ns);
    const std::uint64_t wait = met == bound::rate ? b.cost_ns(what) - b.level_ns : 0;
    ASSERT_EQ(static_cast<std::uint64_t>(made.retry_after.count()), wait);
  }

  void ask(std::size_t who) {
    request asked{.who = who, .demands = demands_[who]};
    for (std::size_t i = 0; i < count_; ++i) {
      if (limits_[i].cost == config::limit_cost::request_bytes) {
        asked.demands[i].cost = random_() % (buckets_[who][i].of.burst + 3);
      }
    }
    std::optional<std::size_t> refusing;
    bound met = bound::none;
    for (std::size_t i = 0; i < count_ && !refusing; ++i) {
      if (limits_[i].shadow) continue;
      met = says(who, i, asked.demands[i]);
      if (met != bound::none) refusing = i;
    }
    std::array<decision, limits_max> made;
    const std::span demands(asked.demands.data(), count_);
    ASSERT_EQ(of_->admit_all(demands, at(), made), refusing);
    if (refusing) {
      ++refused;
      expect(who, *refusing, asked.demands[*refusing], made[*refusing], met);
      return;
    }
    ++admitted;
    for (std::size_t i = 0; i < count_; ++i) {
      const bound shadows = limits_[i].shadow ? says(who, i, asked.demands[i]) : bound::none;
      if (shadows == bound::none) {
        take(who, i, asked.demands[i]);
        asked.entered[i] = true;
      }
      expect(who, i, asked.demands[i], made[i], shadows);
    }
    if (random_() % 5 == 0) {
      give_back(asked);
    } else {
      under_way_.push_back(asked);
    }
  }

  // At the moment it was taken: all of it.
  void give_back(const request& asked) {
    for (std::size_t i = 0; i < count_; ++i) {
      if (!asked.entered[i]) continue;
      of_->give_back(asked.demands[i], at(), at());
      bucket& b = buckets_[asked.who][i];
      if (has_rate(i)) b.level_ns += b.cost_ns(asked.demands[i]);
      if (limits_[i].concurrent != 0) --b.under_way;
    }
  }

  void charge(std::size_t who) {
    const std::size_t i = random_() % count_;
    if (!has_rate(i)) return;
    demand more = demands_[who][i];
    more.cost = 1 + random_() % (buckets_[who][i].of.burst + 2);
    bucket& b = buckets_[who][i];
    b.fill(now_);
    const bool right = !b.never(more) && b.level_ns >= b.cost_ns(more);
    ASSERT_EQ(of_->charge(more, at()).admitted, right);
    if (right) b.level_ns -= b.cost_ns(more);
  }

  void end_one() {
    if (under_way_.empty()) return;
    const request done = under_way_.back();
    under_way_.pop_back();
    for (std::size_t i = 0; i < count_; ++i) {
      if (!done.entered[i]) continue;
      of_->leave(done.demands[i]);
      if (limits_[i].concurrent != 0) --buckets_[done.who][i].under_way;
    }
  }

  std::mt19937_64& random_;
  std::size_t count_ = 0;
  std::vector<config::limit> limits_;
  std::unique_ptr<limiter> of_;
  std::uint64_t now_ = 0;
  std::uint64_t longest_interval_ = 1;
  std::uint64_t longest_window_ = 1;
  std::array<std::array<demand, limits_max>, callers> demands_;
  std::array<std::array<bucket, limits_max>, callers> buckets_;
  std::vector<request> under_way_;
};

// RW_SCHEDULES=N runs more or fewer, RW_SCHEDULES_SEED=N others.
TEST(Schedules, AMillionAgreeWithPlainBuckets) {
  const auto number = [](const char* name, int otherwise) {
    const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    return text != nullptr ? std::atoi(text) : otherwise;
  };
  const int schedules = number("RW_SCHEDULES", schedules_by_default);
  const int seed = number("RW_SCHEDULES_SEED", 20261130);
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  constexpr int of_each_world = 5000;
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;
  for (int done = 0; done < schedules; done += of_each_world) {
    world one(random);
    for (int i = 0; i < of_each_world; ++i) {
      one.run();
      if (testing::Test::HasFatalFailure()) {
        FAIL() << "schedule " << done + i << " of seed " << seed;
      }
    }
    ASSERT_EQ(one.forgiven(), 0U);
    admitted += one.admitted;
    refused += one.refused;
  }
  // They meet their limits and pass them: neither is rare.
  EXPECT_GT(admitted, static_cast<std::uint64_t>(schedules));
  EXPECT_GT(refused, static_cast<std::uint64_t>(schedules) / 2);
}

}  // namespace
}  // namespace rw::limit
