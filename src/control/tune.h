// Tuning: how far the kernel's parameters are from a profile, setting them, and putting back what
// was there.
#pragma once

#include <cerrno>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "control/sysctl.h"
#include "control/tune_profile.h"

namespace rw::control {

struct tune_places {
  std::string root;                         // before every path; empty on a real machine
  std::string state = "/var/lib/ringward";  // where what was there before is remembered
};

// One setting of a profile, held against the kernel.
struct drift {
  tune_setting setting;
  std::string is;      // empty when it cannot be read
  std::string wanted;  // what `at_least` makes of the setting's value and of what is there
  int refused = 0;     // the errno of reading it
  bool in_order() const noexcept {
    return refused == 0 ? is == wanted : setting.optional && refused == ENOENT;
  }
};

// A line for the operator.
struct told {
  bool failed = false;
  std::string text;
};

// The higher one word by word, where both are as many numbers; else `wanted`. Pure.
std::string no_less(const std::string& is, const std::string& wanted);

// Blocks on the disk; of one thread. Two processes at once exclude each other.
class tuner {
 public:
  explicit tuner(tune_places at) : at_(std::move(at)), kernel_(at_.root) {}

  std::vector<drift> compare(const tune_profile& with) const;

  // What was there before a profile was applied, under its name; nothing when none is. The error is
  // a line for the operator.
  std::expected<std::optional<tune_profile>, std::string> memory() const;

  // Sets what differs and writes it to /etc/sysctl.d, after what was there has been remembered in
  // the state directory; what is remembered already stays. What the profile applied before had and
  // this one has not is put back. What cannot be done is told, and the rest is done.
  std::vector<told> apply(const tune_profile& wanted);

  // Puts back what is remembered, and removes both files. What cannot be put back stays remembered.
  std::vector<told> revert();

  std::string memory_path() const { return at_.root + at_.state + "/tune-before"; }
  std::string sysctl_path() const { return at_.root + "/etc/sysctl.d/ringward-tune.conf"; }

 private:
  bool set(const std::string& name, const std::string& path, const std::string& value,
           std::vector<told>& lines) const;
  bool remember(const tune_profile& before, std::vector<told>& lines) const;
  void persist(const tune_profile& wanted, std::vector<told>& lines) const;
  void forget_file(std::vector<told>& lines) const;

  tune_places at_;
  sysctl_tree kernel_;
};

}  // namespace rw::control
