// Repeated refusals of one client as one record with a count, so that nobody fills the disk by
// being refused. One thread; fixed memory but for texts that are kept once per entry.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "observe/audit_record.h"

namespace rw::observe {

// What was refused, to whom and why: refusals that differ in any of it are not folded together.
struct refusal {
  std::array<std::uint8_t, 16> ip{};  // IPv4 in its mapped form; IPv6 folds by its /64
  bool is_unix = false;
  audit_event what = audit_event::authentication;
  const char* reason = "";  // a literal
  std::string_view route;
  std::string_view identity;
};

class audit_fold {
 public:
  static constexpr std::size_t entries_max = 512;
  // Of one client: more kinds of refusals than this count as `others`.
  static constexpr std::size_t entries_per_client = 8;
  // So many of a kind have a record each before they are folded: what bans by lines of a log needs
  // some.
  static constexpr std::uint64_t single_records = 5;
  static constexpr std::chrono::seconds window{10};

  struct entry {
    refusal of;
    std::string route;
    std::string identity;
    std::uint64_t tag = 0;  // 0: free
    std::uint64_t single = 0;
    std::uint64_t count = 0;  // folded, not yet recorded
    wall_time since;          // the first of them
    mono_time window_began;
    bool seen = false;  // in this window
  };

  explicit audit_fold(std::uint64_t secret) noexcept : secret_(secret) {}

  // Whether this one is folded: counted here, with no record of its own.
  bool add(const refusal& one, mono_time now, wall_time at);
  bool empty() const noexcept { return used_ == 0 && others_.count == 0; }

  // Calls `write(entry)` for what has been folded and whose window is over, or for all with
  // `at_once`; what it says false to is kept. `others()` is among them, without an address.
  template <class F>
  void sweep(mono_time now, bool at_once, F&& write) {
    if (empty()) return;
    for (entry& one : *entries_) {
      if (one.tag == 0 || (!at_once && now < one.window_began + window)) continue;
      if (one.count > 0 && !write(std::as_const(one))) continue;
      next_window(one, now);
    }
    if (others_.count > 0 && (at_once || now >= others_.window_began + window) &&
        write(std::as_const(others_))) {
      others_.count = 0;
    }
  }
  // The same for what is folded of one client, which was let in: its failures come before that.
  template <class F>
  void flush(const refusal& client, F&& write) {
    if (used_ == 0) return;
    entry* const set = set_of(client);
    for (std::size_t i = 0; i < entries_per_client; ++i) {
      entry& one = set[i];
      if (one.count > 0 && same_client(one.of, client) && write(std::as_const(one))) one.count = 0;
    }
  }
  bool is_others(const entry& one) const noexcept { return &one == &others_; }

 private:
  static bool same_client(const refusal& a, const refusal& b) noexcept;
  std::uint64_t hash(const void* bytes, std::size_t size, std::uint64_t seed) const noexcept;
  std::uint64_t tag_of(const refusal& one) const noexcept;
  entry* set_of(const refusal& client) noexcept;
  void next_window(entry& one, mono_time now) noexcept;

  std::uint64_t secret_;
  std::size_t used_ = 0;
  // Made at the first refusal.
  std::unique_ptr<std::array<entry, entries_max>> entries_;
  entry others_;
};

}  // namespace rw::observe
