// The addresses of origins that are configured by name, kept up to date.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/resolver.h"
#include "io/loop.h"
#include "io/task.h"
#include "observe/log.h"
#include "upstream/server.h"

namespace rw::control {

// How often the addresses of one name may change. Each change makes a snapshot, and pools that stay
// while a request of their time is under way; a stream may take hours.
class change_allowance {
 public:
  static constexpr unsigned at_once = 16;
  static constexpr nanoseconds every = resolver::ttl_max;  // one more, later on

  explicit change_allowance(mono_time now) noexcept : since_(now) {}
  bool take(mono_time now) noexcept;

 private:
  unsigned left_ = at_once;
  mono_time since_;  // when the last one was added
};

// Of the control thread. Each name is looked up when its TTL has passed, and at once when one of
// the files that lookups read has changed. What fails or is empty changes nothing but counters and,
// once, the log; it is tried again after 1 s, then after twice as long each time up to 30 s.
// A name that changes more often than it may keeps what it has until it may again.
class origin_names {
 public:
  static constexpr std::chrono::seconds retry_first{1};
  static constexpr std::chrono::seconds retry_longest{30};
  // Of one lookup. Nobody waits for it but those who start or reload, and those for less.
  static constexpr std::chrono::seconds lookup_time_max{40};

  // `on_change` is called from the loop whenever the book has become another one.
  origin_names(io::loop& on, const observe::log& log, std::function<void()> on_change);
  ~origin_names();  // end(), and then the loop turns until ended()
  origin_names(const origin_names&) = delete;
  origin_names& operator=(const origin_names&) = delete;

  // From now on these, and no others. New ones are looked up at once.
  void follow(const std::vector<std::string>& names);
  // These too, until the next follow().
  void follow_also(const std::vector<std::string>& names);
  // Whether every name has had an outcome, a good one or not.
  bool settled() const noexcept;
  // Until it is settled, or `by` has come.
  io::task<> settle(mono_time by);
  // Now and then: looks whether the files have changed.
  void look();

  const upstream::address_book& book() const noexcept { return book_; }
  // Why the name that is in this address ("api.example:443") has none: a literal, "" when unknown.
  const char* why_unresolved(const std::string& address) const;
  std::string summary(mono_time now) const;  // for `ringward status`
  void expose(std::string& out) const;       // for /metrics

  void end() noexcept;
  bool busy() const noexcept { return keepers_.inside() > 0; }
  auto ended() noexcept { return keepers_.empty(); }

 private:
  struct entry {
    explicit entry(mono_time now) noexcept : allowance(now) {}
    std::string name;
    std::vector<config::ip16> addresses;
    nanoseconds ttl{0};
    nanoseconds retry = retry_first;
    std::uint64_t lookups = 0;
    std::uint64_t failures = 0;
    std::uint64_t held = 0;  // lookups whose addresses were not taken: too many changes
    change_allowance allowance;
    mono_time good_at;
    const char* why = "";  // of the last lookup's failure; "" when it was good
    bool holding = false;  // the last lookup's addresses were not taken
    bool asked = false;
    bool again = false;  // what a lookup under way says may be out of date
    bool ended = false;
    io::sleep* pause = nullptr;
  };
  // Of one file: when and how large, and which.
  using trace = std::array<std::int64_t, 5>;

  void add(const std::string& name);
  io::task<> keep(std::shared_ptr<entry> one);
  nanoseconds take(entry& one, const result<resolved>& got);
  nanoseconds fail(entry& one, const char* why);
  void change(entry& one, const std::vector<config::ip16>& to);
  static void stop(entry& one) noexcept;
  static std::vector<trace> traces();

  io::loop& loop_;
  const observe::log& log_;
  std::function<void()> on_change_;
  resolver resolver_;
  std::map<std::string, std::shared_ptr<entry>> entries_;
  upstream::address_book book_;
  std::vector<trace> traces_;
  mono_time looked_;
  io::gate keepers_;
  bool ended_ = false;
};

// "+ 192.0.2.2, - 192.0.2.1": what is in the second and not in the first, and the other way about.
std::string difference(const std::vector<config::ip16>& before,
                       const std::vector<config::ip16>& after);

}  // namespace rw::control
