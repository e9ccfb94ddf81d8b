#include "control/tune_profile.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "config/nearest.h"
#include "control/sysctl.h"
#include "control/whole_file.h"

namespace rw::control {
namespace {

constexpr std::string_view prefix = "ringward-";
constexpr std::string_view suffix = ".conf";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  return trim_ows(text);
}

class parser {
 public:
  explicit parser(const std::string& file) : file_(file) {}

  void line(std::string_view text) {
    ++line_;
    const std::string_view content = trimmed(text);
    if (content.starts_with("#:")) {
      directive(trimmed(content.substr(2)));
    } else if (!content.empty() && content.front() != '#' && content.front() != ';') {
      setting(content);
    }
  }

  std::expected<tune_profile, config::diagnostics> finish() {
    if (at_least_) refuse("\"at least\" is followed by no setting");
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    return std::move(made_);
  }

 private:
  void refuse(std::string text) {
    problems_.push_back({.file = file_, .line = line_, .column = 1, .text = std::move(text)});
  }

  void directive(std::string_view words) {
    const std::size_t space = std::min(words.find(' '), words.size());
    const std::string_view first = words.substr(0, space);
    const std::string_view rest = trimmed(words.substr(space));
    if (words == "at least") {
      at_least_ = true;
    } else if (first == "profile" && is_visible_ascii(rest)) {
      made_.name = rest;
    } else if (const auto number = parse_u64(rest); first == "clients" && number && *number > 0) {
      made_.clients = *number;
    } else {
      refuse("after \"#:\" comes \"at least\", \"clients NUMBER\" or \"profile NAME\"");
    }
  }

  void setting(std::string_view content) {
    tune_setting one;
    one.at_least = std::exchange(at_least_, false);
    one.optional = content.front() == '-';
    if (one.optional) content.remove_prefix(1);
    const std::size_t equals = content.find('=');
    if (equals == std::string_view::npos) return refuse("a setting is NAME = VALUE");
    one.name = trimmed(content.substr(0, equals));
    one.value = normal_value(content.substr(equals + 1));
    std::optional<std::string> path = sysctl_path(one.name);
    if (!path) {
      return refuse(
          fmt::format("\"{}\" is no parameter's name; wildcards are not supported", one.name));
    }
    one.path = std::move(*path);
    const auto [before, is_new] = lines_.emplace(one.path, line_);
    if (!is_new) {
      return refuse(fmt::format("{} is set in line {} already", one.name, before->second));
    }
    if (made_.settings.size() == profile_settings_max) {
      return refuse(fmt::format("a profile has at most {} settings", profile_settings_max));
    }
    made_.settings.push_back(std::move(one));
  }

  const std::string& file_;
  std::uint32_t line_ = 0;
  bool at_least_ = false;  // what comes next is a floor
  tune_profile made_;
  std::map<std::string, std::uint32_t> lines_;  // of the settings, by path
  config::diagnostics problems_;
};

}  // namespace

std::expected<tune_profile, config::diagnostics> parse_profile(std::string_view text,
                                                               const std::string& file) {
  parser reader(file);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    reader.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.finish();
}

std::expected<tune_profile, config::diagnostics> read_profile(const std::string& word,
                                                              const std::string& directory) {
  const bool is_path = word.contains('/') || word.ends_with(suffix);
  const std::string path =
      is_path ? word : fmt::format("{}/{}{}{}", directory, prefix, word, suffix);
  const result<std::string> text = read_whole(path, profile_bytes_max);
  if (!text) {
    std::string why = explain_file(text.error());
    if (!is_path && text.error().os == ENOENT) {
      const std::vector<std::string> names = list_profiles(directory);
      const std::vector<std::string_view> known(names.begin(), names.end());
      why = fmt::format("no such profile{}", config::suggestion(word, known));
      if (known.empty()) why += "; there is none in that directory: give a path";
    }
    return std::unexpected(config::diagnostics{{.file = path, .text = std::move(why)}});
  }
  auto made = parse_profile(*text, path);
  if (made && made->name.empty()) {
    std::string name = std::filesystem::path(path).filename();
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    std::ranges::replace_if(name, [](char c) { return !is_visible_ascii(c); }, '-');
    made->name = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
  }
  return made;
}

std::vector<std::string> list_profiles(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    if (name.size() <= prefix.size() + suffix.size()) continue;
    names.push_back(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace rw::control
