// What was read of secrets and key sets while a snapshot was made, for the audit log: that, never
// what is in them.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rw::gateway {

struct file_note {
  using digest = std::array<unsigned char, 16>;
  bool is_secret = false;          // else a set of keys
  std::string key;                 // of the configuration
  std::string source;              // a path, a credential's name or a variable's
  std::optional<digest> contents;  // none: it was refused
};

// Of the control thread.
class file_notes {
 public:
  file_notes();
  ~file_notes();
  file_notes(const file_notes&) = delete;
  file_notes& operator=(const file_notes&) = delete;

  void add(bool is_secret, std::string_view key, std::string_view source,
           std::optional<std::string_view> contents);
  // What has been added since it was last taken.
  std::vector<file_note> take() noexcept { return std::exchange(list_, {}); }

 private:
  std::array<unsigned char, 32> secret_;  // digests mean nothing outside of this object
  std::vector<file_note> list_;
};

}  // namespace rw::gateway
