#include "config/nearest.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace rw::config {
namespace {

// No key is longer; what is goes by its beginning, so that the cost stays bounded.
constexpr std::size_t word_octets_max = 64;

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment; three rows of the table are alive at a time.
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string_view one : known) {
    const std::size_t distance = edit_distance(word.substr(0, word_octets_max), one);
    if (distance < best_distance) {
      best_distance = distance;
      best = one;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view best = nearest(word, known);
  word = word.substr(0, word_octets_max);
  const std::size_t close = std::max<std::size_t>(1, std::max(word.size(), best.size()) / 3);
  if (best.empty() || edit_distance(word, best) > close) return {};
  return fmt::format("; did you mean \"{}\"?", best);
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  std::string close = did_you_mean(word, known);
  if (!close.empty() || known.empty()) return close;
  return fmt::format("; the nearest known is \"{}\"", nearest(word, known));
}

}  // namespace rw::config
