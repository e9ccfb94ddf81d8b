// What there is on /metrics: one table, of which docs/metrics.md is made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rw::observe {

struct metric {
  enum class kind : std::uint8_t { counter, gauge, histogram };
  std::string_view name;
  kind type;
  std::string_view unit;    // "seconds" or "bytes"; "" where things are counted
  std::string_view labels;  // their names with commas between; "" for a single series
  std::string_view help;
};

// All of them, in the order of the page. Of the program's lifetime; any thread.
std::span<const metric> metrics() noexcept;

std::string_view name(metric::kind type) noexcept;  // as the text format has it

// Appends HELP and TYPE of the metric of that name. One that is not in the table asserts: nothing
// gets on the page that the documentation does not know.
void begin_metric(std::string_view name, std::string& out);

// `text` as it stands between the quotes of a label's value.
std::string label_value(std::string_view text);

}  // namespace rw::observe
