// Whether the time that a refusal takes tells a wrong name from a wrong secret: `./dev bench
// timing`, which .ci/nightly runs too, on a machine that does nothing else.
//
// Pairs of keys of the same length, one with a name that is in the file and one with a name that is
// not, both with a wrong secret, are presented in random order. The slowest tenth is left out
// (interrupts), and Welch's t is taken of the rest. A difference counts when it is neither chance
// (|t| above 5) nor less than 20 ns, a fiftieth of what the refusal takes: over a network nobody
// tells less than 100 ns. The last row has to be found: a key that is no key at all, which costs
// less.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "auth/authenticate.h"
#include "auth/key_file.h"
#include "base/assert.h"
#include "base/random.h"

namespace rw::auth {
namespace {

constexpr std::size_t pairs = 16;
constexpr std::size_t samples_of_each = 20'000;
constexpr double t_max = 5;
constexpr double difference_max_ns = 20;

struct population {
  double mean = 0;
  double variance = 0;
  double size = 0;
};

population trimmed(std::vector<double> of) {
  std::ranges::sort(of);
  of.resize(of.size() * 9 / 10);
  population out{.size = static_cast<double>(of.size())};
  for (const double one : of) out.mean += one / out.size;
  for (const double one : of) out.variance += (one - out.mean) * (one - out.mean) / (out.size - 1);
  return out;
}

class timing {
 public:
  timing() {
    random_init();
    std::string file;
    for (std::size_t i = 0; i < 1000; ++i)
      file += generate_key(fmt::format("known-{:04}", i))->line + "\n";
    config::diagnostics found;
    state_.keys = std::make_shared<const key_store>(*load_keys(file, "keys", found));
  }

  // False when the row is not as it should be.
  bool compare(std::string_view what, auto&& first, auto&& second, bool has_to_differ) {
    std::vector<double> times[2];
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      const std::string keys[2] = {first(pair), second(pair)};
      for (int i = 0; i < 200; ++i) refuse(keys[i % 2]);  // caches and predictors settle
      for (std::size_t i = 0; i < 2 * samples_of_each; ++i) {
        const std::size_t which = random_() & 1U;
        times[which].push_back(refuse(keys[which]));
      }
    }
    const population a = trimmed(std::move(times[0]));
    const population b = trimmed(std::move(times[1]));
    const double difference = a.mean - b.mean;
    const double t = difference / std::sqrt(a.variance / a.size + b.variance / b.size);
    const bool differs = std::abs(t) > t_max && std::abs(difference) > difference_max_ns;
    const bool good = differs == has_to_differ;
    fmt::print("{:<42} {:7.1f} ns and {:7.1f} ns, t = {:6.1f}: {}{}\n", what, a.mean, b.mean, t,
               differs ? "told apart" : "not told apart", good ? "" : ", FAILED");
    return good;
  }

  static std::string key(std::string_view name) {
    return fmt::format("rw_{}_{}", name, random_base62(43));
  }

 private:
  double refuse(const std::string& key) {
    const presented what{.api_key = key, .api_key_lines = 1};
    const auto began = std::chrono::steady_clock::now();
    const verdict found = worker_.authenticate(what, {&keys_, 1}, {}, state_, wall_time{});
    const auto ended = std::chrono::steady_clock::now();
    RW_ASSERT(!found.allowed());
    return static_cast<double>(std::chrono::nanoseconds(ended - began).count());
  }

  const config::credential keys_{.how = config::credential::kind::api_keys};
  snapshot state_;
  authenticator worker_;
  std::mt19937_64 random_{1};
};

int run() {
  timing test;
  const auto known = [](std::size_t i) { return timing::key(fmt::format("known-{:04}", i * 60)); };
  const auto unknown = [](std::size_t i) { return timing::key(fmt::format("nobody-{:03}", i)); };
  const auto no_key = [](std::size_t) { return std::string(57, '\x01'); };
  const bool rows[] = {
      test.compare("a wrong secret, a wrong name", known, unknown, false),
      test.compare("a wrong secret, another wrong secret", known, known, false),
      test.compare("a wrong secret, no key at all", known, no_key, true),
  };
  const auto good = std::ranges::count(rows, true);
  fmt::print("{} passed, {} failed\n", good, std::ssize(rows) - good);
  return good == std::ssize(rows) ? 0 : 1;
}

}  // namespace
}  // namespace rw::auth

int main() { return rw::auth::run(); }
