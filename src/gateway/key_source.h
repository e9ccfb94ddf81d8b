// A key set that is fetched, as workers and the control thread speak of it: who wants keys, who is
// fetching, what came of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "auth/key_set.h"
#include "base/clock.h"
#include "config/config.h"
#include "gateway/control_message.h"
#include "io/loop.h"

namespace rw::gateway {

// Shared by all threads, and by all snapshots that name the same source. The control thread alone
// fetches; workers ask it to by message, one of them per fetch.
class key_source : public std::enable_shared_from_this<key_source> {
 public:
  // Requests that may wait for one fetch, over all workers, and how long.
  static constexpr std::uint32_t waiting_max = 256;
  static constexpr std::chrono::seconds wait_max{2};

  // What a request whose token needs keys that are not there is to do.
  enum class advice : std::uint8_t {
    wait,      // a fetch is under way: its place is taken until leave()
    refuse,    // the keys are as the issuer has them: the token is wrong
    try_later  // nobody can say: the source fails, or too many wait already
  };
  // A worker. `control`: the loop of the control thread; `own`: the caller's ring.
  advice ask(mono_time now, io::loop* control, io::ring& own);
  // The same for one that has waited already.
  advice ask_again() const noexcept;
  void leave() noexcept { waiting_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }

  // ---- the control thread
  void begin() noexcept { fetching_.store(true, std::memory_order_release); }
  // `askable`: from when on a worker may ask for the next one.
  void settle(mono_time askable, bool failing) noexcept;
  // Called when a worker asks, on the control thread; empty: nobody fetches any more.
  std::function<void()> wanted;

 private:
  std::atomic<bool> fetching_ = false;  // or asked for
  std::atomic<bool> failing_ = false;
  std::atomic<std::int64_t> askable_ns_ = 0;
  std::atomic<std::uint32_t> waiting_ = 0;
};

struct keys_wanted : control_message {
  explicit keys_wanted(std::shared_ptr<key_source> of) : source(std::move(of)) {}
  void run() override {
    if (source->wanted) source->wanted();
  }
  std::shared_ptr<key_source> source;
};

// What is known of a source, for the next snapshot that names it.
struct known_keys {
  std::string name;  // of the table
  std::string issuer;
  config::remote_keys from;
  std::shared_ptr<key_source> source;
  std::shared_ptr<const auth::key_set> keys;  // null: none, or too old
};

// Keys of one are as good as those of the other: they come from the same place, by the same pins.
bool is_same_source(const known_keys& known, const config::jwt_issuer& now);

}  // namespace rw::gateway
