#include "control/top_sample.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace rw::control {
namespace {

double grown(double from, double to) { return to >= from ? to - from : to; }

// Without the label that says which bucket it is, the last one.
std::string_view without_bound(std::string_view labels) {
  const std::size_t at = labels.rfind("le=\"");
  if (at == std::string_view::npos) return labels;
  return labels.substr(0, at == 0 ? 0 : at - 1);
}

}  // namespace

std::optional<double> read_number(std::string_view text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  double read = 0;
  const auto [at, wrong] = std::from_chars(text.data(), text.data() + text.size(), read);
  if (wrong != std::errc{} || at != text.data() + text.size()) return std::nullopt;
  return read;
}

metric_sample::metric_sample(std::string_view text, mono_time at) : at_(at) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t space = line.rfind(' ');
    if (line.empty() || line[0] == '#' || space == std::string_view::npos) continue;
    const auto value = read_number(line.substr(space + 1));
    if (!value) continue;
    std::string_view name = line.substr(0, space);
    std::string_view labels;
    if (const std::size_t brace = name.find('{'); brace != std::string_view::npos) {
      if (!name.ends_with('}')) continue;
      labels = name.substr(brace + 1, name.size() - brace - 2);
      name = name.substr(0, brace);
    }
    by_name_[std::string(name)].push_back({std::string(labels), *value});
  }
}

double metric_sample::value(std::string_view name, std::string_view labels) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return 0;
  const auto at = std::ranges::find(found->second, labels, &series::labels);
  return at != found->second.end() ? at->value : 0;
}

std::vector<std::string> metric_sample::values_of(std::string_view name,
                                                  std::string_view label) const {
  std::vector<std::string> values;
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return values;
  for (const series& one : found->second) {
    std::string value = label_in(one.labels, label);
    if (std::ranges::find(values, value) == values.end()) values.push_back(std::move(value));
  }
  return values;
}

double metric_sample::sum(std::string_view name) const {
  double all = 0;
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return all;
  for (const series& one : found->second) all += one.value;
  return all;
}

std::map<double, double> metric_sample::buckets(std::string_view name,
                                                std::string_view labels) const {
  std::map<double, double> up_to;
  const auto found = by_name_.find(std::string(name) + "_bucket");
  if (found == by_name_.end()) return up_to;
  for (const series& one : found->second) {
    if (!labels.empty() && without_bound(one.labels) != labels) continue;
    if (const auto bound = read_number(label_in(one.labels, "le"))) up_to[*bound] += one.value;
  }
  return up_to;
}

std::string label_in(std::string_view labels, std::string_view label) {
  while (!labels.empty()) {
    const std::size_t equals = labels.find("=\"");
    if (equals == std::string_view::npos) return {};
    std::string value;
    std::size_t at = equals + 2;
    for (; at < labels.size() && labels[at] != '"'; ++at) {
      if (labels[at] == '\\' && at + 1 < labels.size()) ++at;  // of a quote or a backslash
      value += labels[at];
    }
    if (labels.substr(0, equals) == label) return value;
    labels.remove_prefix(std::min(at + 2, labels.size()));
  }
  return {};
}

double metric_change::seconds() const noexcept {
  return std::max(1e-3, std::chrono::duration<double>(to_.at() - from_.at()).count());
}

double metric_change::rate(std::string_view name, std::string_view labels) const {
  return grown(from_.value(name, labels), to_.value(name, labels)) / seconds();
}

double metric_change::rate_of_all(std::string_view name) const {
  return grown(from_.sum(name), to_.sum(name)) / seconds();
}

double metric_change::quantile(std::string_view name, std::string_view labels, double part) const {
  const auto before = from_.buckets(name, labels);
  auto counted = to_.buckets(name, labels);
  for (auto& [bound, count] : counted) {
    const auto at = before.find(bound);
    if (at != before.end()) count = grown(at->second, count);
  }
  const double all = counted.empty() ? 0 : counted.rbegin()->second;
  if (all <= 0) return 0;
  double below = 0;
  double from = 0;
  for (const auto& [bound, count] : counted) {
    if (count >= part * all && count > below) {
      if (std::isinf(bound)) return from;
      return from + (bound - from) * (part * all - below) / (count - below);
    }
    below = count;
    from = bound;
  }
  return from;
}

}  // namespace rw::control
