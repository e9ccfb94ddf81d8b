// What a gate knows of attempts to replace it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace rw::control {

// Who is at the other end of the admin socket, by the kernel's word.
struct asker {
  bool known = false;
  uid_t uid = 0;
  pid_t pid = 0;
  std::string name() const { return known ? "uid:" + std::to_string(uid) : std::string{}; }
};

// Of the control thread.
class upgrades {
 public:
  // How long the service manager may take from being asked until it starts the new process.
  static constexpr std::chrono::seconds ask_lasts{60};
  // For each word of the new gate; its start may wait for names, and for a disk.
  static constexpr std::chrono::seconds patience{30};

  // Somebody wants it: the process that the manager starts to reload is to take over instead.
  void ask(std::string by, mono_time now) {
    asked_by_ = std::move(by);
    asked_until_ = now + ask_lasts;
    said_.clear();
  }
  bool asked(mono_time now) const noexcept { return now < asked_until_; }
  // Who asked the manager for it, else who does it himself.
  std::string on_behalf_of(const asker& who, mono_time now) const {
    return asked(now) ? asked_by_ : who.name();
  }

  // One at a time. False: one is under way.
  bool begin() noexcept {
    if (under_way_) return false;
    return under_way_ = true;
  }
  void fail() noexcept {
    under_way_ = false;
    asked_until_ = {};
    ++failed_;
  }
  void refuse() noexcept { ++refused_; }
  // What the process that failed had to say, a line each.
  void take_words(std::string words) { said_ = std::move(words); }
  const std::string& said() const noexcept { return said_; }

  // Gates before this one that were replaced, the first of them started.
  void follow(std::uint64_t earlier) noexcept { done_ = earlier; }
  std::uint64_t done() const noexcept { return done_; }
  std::uint64_t failed() const noexcept { return failed_; }
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  std::string asked_by_;
  mono_time asked_until_{};
  bool under_way_ = false;
  std::string said_;
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace rw::control
