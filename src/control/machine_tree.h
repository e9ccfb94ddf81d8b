// What /proc and /sys say about a machine, or what a copy of their trees says in a test.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rw::control {

// "0-3,8" as numbers in order; nothing for what is no such list. At most 65,536 of them. Pure.
std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text);

// Those CPUs as the kernel's masks have them: hexadecimal words of 32, the highest first:
// "1,00000003". Pure.
std::string cpu_mask(const std::vector<unsigned>& cpus);

// "0-3,8" of sorted numbers. Pure.
std::string cpu_list(const std::vector<unsigned>& cpus);

// Whatever cannot be read is empty: advice is given on what is seen. Blocks; any thread.
class machine_tree {
 public:
  explicit machine_tree(std::string root) : root_(std::move(root)) {}

  // Its first line.
  std::string line(const std::string& path) const;
  std::optional<std::uint64_t> number(const std::string& path) const;
  std::vector<std::string> lines(const std::string& path) const;
  // Names in a directory, sorted.
  std::vector<std::string> names(const std::string& path) const;
  bool exists(const std::string& path) const;

 private:
  std::string root_;
};

}  // namespace rw::control
