#include "io/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace rw::io {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr mono_time epoch{hours{7}};

struct recorder : timer {
  recorder() : timer([](timer& t) { ++static_cast<recorder&>(t).fired; }) {}
  int fired = 0;
};

TEST(TimerWheel, FiresLateByLessThanATickAndNeverEarly) {
  timer_wheel wheel(epoch);
  recorder one;
  wheel.arm(one, epoch + nanoseconds{1'500'001});
  wheel.advance(epoch + nanoseconds{1'999'999});
  EXPECT_EQ(one.fired, 0);
  EXPECT_EQ(wheel.next(), epoch + milliseconds{2});
  wheel.advance(epoch + milliseconds{2});
  EXPECT_EQ(one.fired, 1);
  EXPECT_FALSE(one.armed());
  EXPECT_EQ(wheel.armed(), 0U);
  EXPECT_EQ(wheel.next(), mono_time::max());
}

TEST(TimerWheel, APassedDeadlineExpiresAtTheNextTick) {
  timer_wheel wheel(epoch);
  wheel.advance(epoch + seconds{5});
  recorder one;
  wheel.arm(one, mono_time{});
  wheel.advance(epoch + seconds{5} + milliseconds{1});
  EXPECT_EQ(one.fired, 1);
}

// One deadline on, before and after each boundary at which timers go down a level.
TEST(TimerWheel, CascadesAtEveryBoundary) {
  for (unsigned level = 1; level <= 5; ++level) {
    const auto boundary = milliseconds{std::int64_t{1} << (6 * level)};
    for (const auto off : {milliseconds{-1}, milliseconds{0}, milliseconds{1}}) {
      for (const auto lead :
           {milliseconds{1}, milliseconds{63}, milliseconds{64}, milliseconds{70}}) {
        timer_wheel wheel(epoch);
        wheel.advance(epoch + boundary + off - lead);
        recorder one;
        wheel.arm(one, epoch + boundary + off);
        wheel.advance(epoch + boundary + off - milliseconds{1});
        EXPECT_EQ(one.fired, 0) << level << ' ' << off.count() << ' ' << lead.count();
        wheel.advance(epoch + boundary + off);
        EXPECT_EQ(one.fired, 1) << level << ' ' << off.count() << ' ' << lead.count();
      }
    }
  }
}

// The wheel comes round every 2^30 ms; short timers armed just before must not wait for a whole
// turn.
TEST(TimerWheel, KeepsShortDeadlinesAcrossItsOwnEnd) {
  constexpr auto turn = milliseconds{std::int64_t{1} << 30};
  for (int turns = 1; turns <= 3; ++turns) {
    timer_wheel wheel(epoch);
    wheel.advance(epoch + turns * turn - seconds{10});
    recorder soon;
    recorder later;
    recorder far;
    wheel.arm(soon, epoch + turns * turn + seconds{65});
    wheel.arm(later, epoch + turns * turn + hours{100});
    wheel.arm(far, epoch + turns * turn + hours{24 * 40});
    EXPECT_LE(wheel.next(), epoch + turns * turn + seconds{65});
    wheel.advance(epoch + turns * turn + seconds{65} - milliseconds{1});
    EXPECT_EQ(soon.fired, 0);
    wheel.advance(epoch + turns * turn + seconds{65});
    EXPECT_EQ(soon.fired, 1);
    wheel.advance(epoch + turns * turn + hours{100});
    EXPECT_EQ(later.fired, 1);
    wheel.advance(epoch + turns * turn + hours{24 * 40} - milliseconds{1});
    EXPECT_EQ(far.fired, 0);
    wheel.advance(epoch + turns * turn + hours{24 * 40});
    EXPECT_EQ(far.fired, 1);
  }
}

TEST(TimerWheel, NextIsNeverAfterADeadline) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    timer_wheel wheel(epoch);
    const auto now =
        epoch + milliseconds{static_cast<std::int64_t>(random() % (std::uint64_t{1} << 31))};
    wheel.advance(now);
    std::deque<recorder> timers;
    mono_time first = mono_time::max();
    for (int i = 0; i < 4; ++i) {
      const auto in = milliseconds{1 + static_cast<std::int64_t>(random() >> (30 + random() % 34))};
      first = std::min(first, now + in);
      wheel.arm(timers.emplace_back(), now + in);
    }
    // As a loop would: whoever sleeps until next() each time misses nothing, and is not kept awake.
    mono_time clock = now;
    int wakes = 0;
    const auto fired = [&] {
      int sum = 0;
      for (const recorder& t : timers) sum += t.fired;
      return sum;
    };
    while (fired() == 0) {
      ASSERT_GT(wheel.next(), clock);
      clock = wheel.next();
      ASSERT_LE(clock, first);
      wheel.advance(clock);
      ASSERT_LE(++wakes, 6);
    }
    EXPECT_EQ(clock, first);
    for (recorder& t : timers) t.disarm();
  }
}

// ---- against a model: a plain ordered map of deadlines in ticks

struct modelled : timer {
  modelled() : timer(&on_expiry) {}
  static void on_expiry(timer& t);
  class model* owner = nullptr;
  std::size_t index = 0;
};

class model {
 public:
  explicit model(std::uint64_t seed) : random_(seed), now_(epoch), wheel_(epoch) {
    for (std::size_t i = 0; i < 64; ++i) make(i);
  }
  ~model() { timers_.clear(); }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      for (auto n = random_() % 8; n-- > 0;) change(random_() % timers_.size());
      step();
      if (testing::Test::HasFailure()) return;
    }
  }

  void expired(modelled& one) {
    const auto due = due_.find(one.index);
    ASSERT_NE(due, due_.end()) << "fired without being armed";
    EXPECT_LE(due->second, now_) << "early";
    EXPECT_GE(due->second, last_) << "out of order";
    EXPECT_FALSE(one.armed());
    last_ = due->second;
    due_.erase(due);
    fired_.insert(one.index);
    const auto what = random_() % 8;
    const std::size_t other = random_() % timers_.size();
    if (what < 3) arm(one.index);                        // itself again
    if (what == 3 && other != one.index) change(other);  // arms, moves, disarms another
    if (what == 4) make(one.index);                      // destroys itself
    if (what == 5) make(other);
  }

 private:
  void make(std::size_t index) {
    if (timers_.size() <= index) timers_.resize(index + 1);
    due_.erase(index);
    timers_[index] = std::make_unique<modelled>();
    timers_[index]->owner = this;
    timers_[index]->index = index;
  }

  static mono_time tick_after(mono_time at) {
    const auto since = (at - epoch).count();
    return epoch + milliseconds{(since + 999'999) / 1'000'000};
  }

  void arm(std::size_t index) {
    static constexpr std::int64_t spans[] = {
        1,       5,       64,         70,         4'096,         10'000,
        300'000, 262'144, 20'000'000, 16'777'216, 1'073'741'824, 5'000'000'000};
    const std::int64_t span = spans[random_() % std::size(spans)];
    auto in = nanoseconds{milliseconds{span}};
    if (random_() % 2 == 0)
      in = nanoseconds{
          static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(in.count()))};
    wheel_.arm(*timers_[index], now_ + in);
    // Inside a handler the wheel's hand stands at `last_`; what is due now comes in the next tick.
    due_[index] = std::max(tick_after(now_ + in), floor_ + milliseconds{1});
  }

  void change(std::size_t index) {
    switch (random_() % 4) {
      case 0:
        timers_[index]->disarm();
        due_.erase(index);
        break;
      case 1:
        make(index);
        break;
      default:
        arm(index);
    }
  }

  void step() {
    // Mostly as a loop does, to the next deadline; at times by a leap that passes many.
    mono_time to = wheel_.next();
    if (random_() % 4 == 0 || to == mono_time::max()) {
      to = now_ + milliseconds{static_cast<std::int64_t>(random_() >> (34 + random_() % 30))};
    } else {
      to += nanoseconds{static_cast<std::int64_t>(random_() % 2'000'000)};
    }
    now_ = std::max(now_, to);
    fired_.clear();
    last_ = mono_time{};
    wheel_.advance(now_);
    floor_ = epoch + std::chrono::floor<milliseconds>(now_ - epoch);
    for (const auto& [index, due] : due_) {
      EXPECT_GT(due, floor_) << "missed, of index " << index;
    }
    EXPECT_EQ(wheel_.armed(), due_.size());
    if (due_.empty()) return;
    EXPECT_GT(wheel_.next(), floor_);
    for (const auto& [index, due] : due_) EXPECT_LE(wheel_.next(), due);
  }

  std::mt19937_64 random_;
  mono_time now_;
  mono_time floor_ = epoch;  // now_ in whole ticks
  mono_time last_{};
  timer_wheel wheel_;
  std::vector<std::unique_ptr<modelled>> timers_;
  std::map<std::size_t, mono_time> due_;
  std::set<std::size_t> fired_;
};

void modelled::on_expiry(timer& t) {
  auto& self = static_cast<modelled&>(t);
  self.owner->expired(self);
}

TEST(TimerWheel, AgreesWithANaiveModel) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    model one(seed);
    one.run(300);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace rw::io
