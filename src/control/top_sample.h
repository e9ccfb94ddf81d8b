// What /metrics said at one moment, and what has come since another: for `ringward top`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace rw::control {

// As it stands there, "+Inf" too; nothing for anything else.
std::optional<double> read_number(std::string_view text);

// `name{label="value"}` with its number, in the text format of Prometheus. What is no such line is
// passed over.
class metric_sample {
 public:
  metric_sample() = default;
  metric_sample(std::string_view text, mono_time at);

  mono_time at() const noexcept { return at_; }
  // 0: there is no such series. `labels` as they are written, without the braces.
  double value(std::string_view name, std::string_view labels = {}) const;
  // The values of one label, each once, in the order of the page.
  std::vector<std::string> values_of(std::string_view name, std::string_view label) const;
  // The sum over all series of that name.
  double sum(std::string_view name) const;
  // Of the histogram's series with these labels: upper bound in seconds -> how many up to it.
  std::map<double, double> buckets(std::string_view name, std::string_view labels) const;

 private:
  struct series {
    std::string labels;
    double value = 0;
  };
  mono_time at_;
  std::map<std::string, std::vector<series>, std::less<>> by_name_;
};

// The value of one label in `a="b",c="d"`; empty: it is not there.
std::string label_in(std::string_view labels, std::string_view label);

// Two samples of one gate, the second later. A counter that has become less began anew meanwhile.
class metric_change {
 public:
  metric_change(const metric_sample& from, const metric_sample& to) noexcept
      : from_(from), to_(to) {}

  double seconds() const noexcept;
  // How much the counter has grown, per second.
  double rate(std::string_view name, std::string_view labels = {}) const;
  double rate_of_all(std::string_view name) const;
  // Seconds that this part of what was recorded meanwhile took at most, even within a bucket; 0:
  // nothing was.
  double quantile(std::string_view name, std::string_view labels, double part) const;
  const metric_sample& now() const noexcept { return to_; }

 private:
  const metric_sample& from_;
  const metric_sample& to_;
};

}  // namespace rw::control
