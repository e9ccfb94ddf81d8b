// Kernel parameters: the files below /proc/sys, by the names that sysctl(8) gives them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace rw::control {

// Where a parameter is below /proc/sys, by its name as sysctl.d(5) has it: dots or slashes between
// words, whichever comes first, and the other one inside of a word ("net.ipv4.conf.eth0/1.tag" is
// of interface eth0.1). Nothing for what cannot be one: an empty word, "..", a wildcard. Pure.
std::optional<std::string> sysctl_path(std::string_view name);

// One space between words and none around them, as "4096\t16384\t4194304\n" is not. Pure.
std::string normal_value(std::string_view text);

// The parameters of this machine, or of a copy of its tree in a test: `root` comes before
// /proc/sys. Those below net/ are the ones of the calling thread's network namespace. An error has
// its errno in `os`. Blocks as long as the kernel does; any thread.
class sysctl_tree {
 public:
  explicit sysctl_tree(const std::string& root) : base_(root + "/proc/sys/") {}

  // The value, normal.
  result<std::string> read(const std::string& path) const;
  result<> write(const std::string& path, const std::string& value) const;

 private:
  std::string base_;
};

}  // namespace rw::control
