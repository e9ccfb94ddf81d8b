#include "config/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace rw::config {
namespace {

// A file that is wrong in more places than this is not the file somebody meant to give us.
constexpr std::size_t entries_max = 1000;

}  // namespace

std::uint32_t report::add_file(std::string name) {
  files_.push_back(std::move(name));
  return static_cast<std::uint32_t>(files_.size() - 1);
}

void report::error(place at, std::string key, std::string text) {
  has_error_ = true;
  add(diagnostic::level::error, at, std::move(key), std::move(text));
}

void report::warning(place at, std::string key, std::string text) {
  add(diagnostic::level::warning, at, std::move(key), std::move(text));
}

void report::add(diagnostic::level severity, place at, std::string key, std::string text) {
  if (entries_.size() == entries_max) {
    ++left_out_;
    return;
  }
  std::string file = at.file < files_.size() ? files_[at.file] : std::string{};
  entries_.push_back({at, entries_.size(),
                      diagnostic{.severity = severity,
                                 .file = std::move(file),
                                 .line = at.line,
                                 .column = at.column,
                                 .key = std::move(key),
                                 .text = std::move(text)}});
}

std::string report::describe(place at) const {
  return fmt::format("{}:{}:{}", files_.at(at.file), at.line, at.column);
}

diagnostics report::take() {
  std::ranges::sort(entries_, {}, [](const entry& one) {
    return std::tuple(one.at.file, one.at.line, one.at.column, one.order);
  });
  diagnostics out;
  out.reserve(entries_.size() + 1);
  for (entry& one : entries_) out.push_back(std::move(one.what));
  if (left_out_ > 0) {
    out.push_back({.severity = has_error_ ? diagnostic::level::error : diagnostic::level::warning,
                   .file = files_.empty() ? std::string{} : files_.back(),
                   .text = fmt::format("and {} more", left_out_)});
  }
  entries_.clear();
  return out;
}

}  // namespace rw::config
