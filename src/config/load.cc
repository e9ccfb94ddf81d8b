#include "config/load.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "config/document.h"
#include "config/report.h"
#include "config/sections.h"

namespace rw::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_octets_max = std::size_t{16} << 20U;

std::string reason(int code) { return std::generic_category().message(code); }

std::unexpected<diagnostics> refuse(std::string file, std::string text) {
  return std::unexpected(diagnostics{{.file = std::move(file), .text = std::move(text)}});
}

// The file's text; what is wrong goes to `out`.
std::string read_file(const std::string& path, std::uint32_t file, report& out) {
  std::string text;
  std::FILE* from = std::fopen(path.c_str(), "re");
  if (from == nullptr) {
    out.error({.file = file}, {}, "cannot open: " + reason(errno));
    return text;
  }
  char space[16384];
  std::size_t size = sizeof space;
  while (size == sizeof space && text.size() <= file_octets_max) {
    size = std::fread(space, 1, sizeof space, from);
    text.append(space, size);
  }
  if (std::ferror(from) != 0) out.error({.file = file}, {}, "cannot read: " + reason(errno));
  std::fclose(from);
  if (text.size() > file_octets_max) {
    out.error({.file = file}, {}, "a configuration file has at most 16 MiB");
    text.clear();
  }
  return text;
}

// Every .toml file of a directory in order of name; `path` itself when it is none.
std::expected<std::vector<std::string>, diagnostics> find_files(const std::string& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return std::vector<std::string>{path};
  std::vector<std::string> names;
  for (fs::directory_iterator at(path, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".toml") && !name.starts_with('.')) names.push_back(name);
  }
  if (code) return refuse(path, "cannot list the directory: " + code.message());
  if (names.empty()) return refuse(path, "the directory has no file whose name ends in .toml");
  std::ranges::sort(names);
  for (std::string& name : names) name = (fs::path(path) / name).string();
  return names;
}

examined read_all(const std::vector<std::string>& texts, report& out) {
  std::vector<members> parsed;
  parsed.reserve(texts.size());
  for (const std::string& text : texts) {
    parsed.push_back(parse_toml(text, static_cast<std::uint32_t>(parsed.size()), out));
  }
  examined result;
  // One broken file would make every name that it defines unknown: its errors come first.
  if (!out.has_error()) {
    members root;
    for (members& one : parsed) merge(root, std::move(one), out);
    read_root(root, out, result.settings);
    result.as_written = write_down(root);
  }
  result.settings.files = out.files();
  result.problems = out.take();
  return result;
}

std::expected<loaded, diagnostics> all_or_nothing(examined from) {
  if (has_error(from.problems)) return std::unexpected(std::move(from.problems));
  return loaded{.settings = std::move(from.settings),
                .warnings = std::move(from.problems),
                .as_written = std::move(from.as_written)};
}

}  // namespace

examined examine(const std::string& path) {
  const auto files = find_files(path);
  if (!files) return {.settings = {}, .problems = files.error(), .as_written = {}};
  report out;
  std::vector<std::string> texts;
  for (const std::string& name : *files) {
    const std::uint32_t file = out.add_file(name);
    texts.push_back(read_file(name, file, out));
  }
  return read_all(texts, out);
}

std::expected<loaded, diagnostics> load(const std::string& path) {
  return all_or_nothing(examine(path));
}

std::expected<loaded, diagnostics> parse(std::string_view text, std::string_view name) {
  report out;
  out.add_file(std::string(name));
  return all_or_nothing(read_all({std::string(text)}, out));
}

}  // namespace rw::config
