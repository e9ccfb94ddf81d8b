// Is an audit log what was written? `ringward audit verify`.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "observe/audit_chain.h"

namespace rw::control {

// What a checker found: `broken` is proof that something was changed, `open` that what is here is
// not all there was, or not known to be.
struct audit_finding {
  enum class weight : std::uint8_t { note, open, broken };
  weight how = weight::broken;
  std::string file;
  std::uint64_t line = 0;  // 0: of the whole
  std::string text;
};

// Reads files in the order they were written, as one text. docs/audit.md has the rules.
class audit_checker {
 public:
  static constexpr std::size_t line_bytes_max = 1U << 20U;

  // `public_key`: 64 hexadecimal digits, or empty: signatures are not looked at. `since`: a
  // checkpoint's line that must be there or right before the first line, or empty.
  audit_checker(std::string public_key, std::string since)
      : public_key_(std::move(public_key)), since_(std::move(since)) {}

  void read(std::istream& from, const std::string& name);
  // After the last file. `running`: the last chain may be without an end.
  void finish(bool running);

  const std::vector<audit_finding>& findings() const noexcept { return findings_; }
  std::uint64_t records() const noexcept { return records_; }
  std::uint64_t chains() const noexcept { return chains_; }
  std::uint64_t checkpoints() const noexcept { return checkpoints_; }
  const std::string& last_checkpoint() const noexcept { return last_checkpoint_; }

 private:
  struct place {
    std::string file;
    std::uint64_t line = 0;
  };
  struct record {
    place at;
    std::uint64_t sequence = 0;
    std::string prev;
    std::string event;
    observe::audit_digest digest{};
    std::string text;
    bool whole = false;  // a record at all
  };

  static record parse(std::string line, place at);
  void take(record one);
  void link(const record& before, const record& one, const record* next);
  void accept(const record& one);
  void check_checkpoint(const record& one);
  void end_of_chain(const record& last, bool running);
  void say(audit_finding::weight how, const place& at, std::string text);

  std::string public_key_;
  std::string since_;
  std::vector<audit_finding> findings_;
  std::uint64_t records_ = 0;
  std::uint64_t chains_ = 0;
  std::uint64_t checkpoints_ = 0;
  std::uint64_t unsigned_ = 0;  // records since the last checkpoint
  bool since_found_ = false;
  bool stopped_ = false;  // the last record but checkpoints is a stop
  std::string last_checkpoint_;
  std::string last_event_;
  bool cut_ = false;        // the line before is part of one
  bool cut_ended_ = false;  // with a line feed
  place cut_at_;
  bool have_before_ = false;
  bool have_held_ = false;
  record before_;
  record held_;  // linked once the one after it is known, which tells whose fault a break is
};

}  // namespace rw::control
