// The real workers, connections and pools on a simulated kernel, against invented clients and
// origins: a thousand seeds, each a few virtual seconds of everything that can go wrong. A failure
// prints its seed; RW_SIM_SEED=n repeats it (with a trace on stderr), RW_SIM_SEEDS=n runs that many
// from 1 on.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "run.h"

namespace rw::sim {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The one run that somebody wants to see again, if any.
std::optional<circumstances> wanted() {
  if (std::getenv("RW_SIM_SEED") == nullptr) return std::nullopt;
  const std::uint64_t at = number_from("RW_SIM_AT", 0);
  return circumstances{number_from("RW_SIM_SEED", 1), true, at != 0,
                       static_cast<cut>(number_from("RW_SIM_CUT", 0)), at};
}

// The run under way, to be named when the process does not survive it.
circumstances current;

[[gnu::noinline]] void say_seed() noexcept {
  char text[128];
  int size = std::snprintf(text, sizeof text, "\nsee it again with RW_SIM_SEED=%llu",
                           static_cast<unsigned long long>(current.seed));
  if (current.at != 0) {
    size += std::snprintf(text + size, sizeof text - static_cast<std::size_t>(size),
                          " RW_SIM_CUT=%u RW_SIM_AT=%llu", static_cast<unsigned>(current.what),
                          static_cast<unsigned long long>(current.at));
  }
  text[size++] = '\n';
  if (::write(2, text, static_cast<std::size_t>(size)) < 0) return;
}

void on_death(int signal) {
  say_seed();
  std::raise(signal);
}

// Sanitizers that watch for a signal keep it: see below.
void name_the_run_on(int signal) {
  struct sigaction now{};
  if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) return;
  now.sa_handler = on_death;
  now.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(signal, &now, nullptr);
}

class GatewaySim : public testing::Test {
 protected:
  GatewaySim() {
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) name_the_run_on(signal);
  }

  // False when something was wrong.
  bool run(const circumstances& with) {
    current = with;
    const outcome one = simulate(with);
    for (const std::string& text : one.violations) ADD_FAILURE() << text;
    if (!one.violations.empty()) say_seed();
    sum_.completions += one.completions;
    sum_.events += one.events;
    sum_.answered += one.answered;
    sum_.refused += one.refused;
    sum_.retries += one.retries;
    sum_.handshakes += one.handshakes;
    sum_.upstream_handshakes += one.upstream_handshakes;
    sum_.upstream_resumed += one.upstream_resumed;
    sum_.upstream_refused += one.upstream_refused;
    sum_.unauthorised += one.unauthorised;
    sum_.limited += one.limited;
    sum_.given_back += one.given_back;
    sum_.minted += one.minted;
    sum_.turned_away += one.turned_away;
    sum_.handed_over += one.handed_over;
    sum_.ejections += one.ejections;
    sum_.trials += one.trials;
    sum_.seconds += one.seconds;
    last_ = one;
    ++runs_;
    return one.violations.empty();
  }

  void print() const {
    fmt::print(
        "{} runs: {} answers of origins, {} of ours, {} retries, {} handshakes, with origins {} "
        "full, {} "
        "resumed and {} refused, {} not authorised, "
        "{} limited, {} given back, {} minted, {} turned away, {} handed over, {} ejections, {} "
        "trials, {} completions, {} events, {:.0f} s of virtual time\n",
        runs_, sum_.answered, sum_.refused, sum_.retries, sum_.handshakes, sum_.upstream_handshakes,
        sum_.upstream_resumed, sum_.upstream_refused, sum_.unauthorised, sum_.limited,
        sum_.given_back, sum_.minted, sum_.turned_away, sum_.handed_over, sum_.ejections,
        sum_.trials, sum_.completions, sum_.events, sum_.seconds);
  }

  outcome last_;
  outcome sum_;
  std::uint64_t runs_ = 0;
};

TEST_F(GatewaySim, KeepsItsPromisesForEverySeed) {
  if (const auto one = wanted()) {
    if (one->at == 0) run(*one);
    return;
  }
  const std::uint64_t first = number_from("RW_SIM_FIRST", 1);
  const std::uint64_t count = number_from("RW_SIM_SEEDS", 1'000);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    ASSERT_TRUE(run({.seed = seed}));
  }
  print();
  if (count < 100) return;
  // A simulation in which nothing happens proves nothing.
  EXPECT_GT(sum_.answered, count);
  EXPECT_GT(sum_.refused, count / 10);
  EXPECT_GT(sum_.retries, count / 50);
  EXPECT_GT(sum_.handshakes, count / 10);
  EXPECT_GT(sum_.upstream_handshakes, count / 10);
  EXPECT_GT(sum_.upstream_resumed, count / 10);
  EXPECT_GT(sum_.upstream_refused, count / 20);
  EXPECT_GT(sum_.unauthorised, count / 2);
  EXPECT_GT(sum_.limited, count / 4);
  EXPECT_GT(sum_.given_back, count / 20);
  EXPECT_GT(sum_.minted, count / 10);
  EXPECT_GT(sum_.turned_away, count / 20);
  EXPECT_GT(sum_.handed_over, count / 10);
  EXPECT_GT(sum_.ejections, count / 4);
  EXPECT_GT(sum_.trials, count / 20);
}

// Every place where the gateway waits is left by every end there is.
TEST_F(GatewaySim, SurvivesAnEndAtEveryCompletion) {
  if (const auto one = wanted()) {
    if (one->at != 0) run(*one);
    return;
  }
  const std::uint64_t scenarios = number_from("RW_SIM_SCENARIOS", 12);
  for (std::uint64_t seed = 1; seed <= scenarios; ++seed) {
    ASSERT_TRUE(run({.seed = seed, .brief = true}));
    const std::uint64_t completions = last_.completions;
    for (unsigned what = 1; what < static_cast<unsigned>(cut::end); ++what) {
      for (std::uint64_t at = 1; at <= completions; ++at) {
        ASSERT_TRUE(run({seed, false, true, static_cast<cut>(what), at}));
      }
    }
  }
  print();
  if (scenarios >= 12) EXPECT_GT(sum_.handed_over, 0);
}

TEST_F(GatewaySim, IsTheSameRunForTheSameSeed) {
  if (wanted()) return;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    ASSERT_TRUE(run({.seed = seed}));
    const outcome before = last_;
    ASSERT_TRUE(run({.seed = seed}));
    EXPECT_EQ(last_.events, before.events) << "seed " << seed;
    EXPECT_EQ(last_.completions, before.completions) << "seed " << seed;
    EXPECT_EQ(last_.seconds, before.seconds) << "seed " << seed;
  }
}

}  // namespace
}  // namespace rw::sim

// Sanitizers end the process without SIGABRT.
extern "C" void __asan_on_error() { rw::sim::say_seed(); }
