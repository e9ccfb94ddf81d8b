#include "control/machine_tree.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/text.h"

namespace rw::control {
namespace {

constexpr std::size_t cpus_max = 65536;
constexpr std::size_t lines_max = 65536;

}  // namespace

std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
  std::vector<unsigned> cpus;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t dash = part.find('-');
    const auto first = parse_u64(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_u64(part.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= cpus_max) return std::nullopt;
    for (std::uint64_t cpu = *first; cpu <= *last; ++cpu)
      cpus.push_back(static_cast<unsigned>(cpu));
  }
  std::ranges::sort(cpus);
  const auto [from, to] = std::ranges::unique(cpus);
  cpus.erase(from, to);
  return cpus;
}

std::string cpu_mask(const std::vector<unsigned>& cpus) {
  const unsigned highest = cpus.empty() ? 0 : *std::ranges::max_element(cpus);
  std::vector<std::uint32_t> words(highest / 32 + 1);
  for (const unsigned cpu : cpus) words[cpu / 32] |= std::uint32_t{1} << (cpu % 32);
  std::string out = fmt::format("{:x}", words.back());
  for (std::size_t i = words.size() - 1; i-- > 0;) out += fmt::format(",{:08x}", words[i]);
  return out;
}

std::string cpu_list(const std::vector<unsigned>& cpus) {
  std::string out;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!out.empty()) out += ',';
    out += last == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[last]);
    i = last + 1;
  }
  return out;
}

std::vector<std::string> machine_tree::lines(const std::string& path) const {
  std::ifstream file(root_ + path);
  std::vector<std::string> all;
  for (std::string one; all.size() < lines_max && std::getline(file, one);) {
    all.push_back(std::move(one));
  }
  return all;
}

std::string machine_tree::line(const std::string& path) const {
  std::ifstream file(root_ + path);
  std::string one;
  std::getline(file, one);
  return one;
}

std::optional<std::uint64_t> machine_tree::number(const std::string& path) const {
  return parse_u64(line(path));
}

std::vector<std::string> machine_tree::names(const std::string& path) const {
  std::vector<std::string> all;
  std::error_code failed;
  std::filesystem::directory_iterator at(root_ + path, failed);
  while (!failed && at != std::filesystem::directory_iterator()) {
    all.push_back(at->path().filename());
    at.increment(failed);  // a process may end meanwhile
  }
  std::ranges::sort(all);
  return all;
}

bool machine_tree::exists(const std::string& path) const {
  std::error_code ignored;
  return std::filesystem::exists(root_ + path, ignored);
}

}  // namespace rw::control
