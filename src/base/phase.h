// What a thread is about at a moment: it says so as it goes, and whoever samples it finds out where
// its CPU time goes (control/profiler.h). Any thread; each has its own.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rw {

enum class phase : std::uint8_t {
  other,    // what no scope is about: the loop, timers, connections that come and go, bodies
  kernel,   // system calls: what sockets do, and records of TLS where the kernel makes them
  tls,      // wolfSSL: handshakes, and records where it makes them
  http1,    // heads that come, and chunks
  http2,    // frames, HPACK and windows, both ways
  decide,   // path, route, limits, who is calling: keys, tokens and their signatures
  forward,  // choosing a server, the head it is sent
  answer,   // the head of an answer; the whole of one that is the gate's own
  log       // counters, access lines, audit records
};
inline constexpr std::size_t phase_count = 9;

constexpr std::string_view name_of(phase one) noexcept {
  constexpr std::array<std::string_view, phase_count> names = {
      "other", "kernel", "tls", "http1", "http2", "decide", "forward", "answer", "log"};
  return names[static_cast<std::size_t>(one)];
}

// How often a thread was found in each phase. It adds, any thread reads.
class phase_samples {
 public:
  using counts = std::array<std::uint64_t, phase_count>;

  void add(phase one) noexcept {
    of_[static_cast<std::size_t>(one)].fetch_add(1, std::memory_order_relaxed);
  }
  // Each as it is at some moment of the call.
  counts read() const noexcept {
    counts out{};
    for (std::size_t i = 0; i < phase_count; ++i) out[i] = of_[i].load(std::memory_order_relaxed);
    return out;
  }

 private:
  std::array<std::atomic<std::uint64_t>, phase_count> of_{};
};

namespace detail {

// A signal handler finds nothing but what belongs to its thread: siginfo_t can be forged by whoever
// may send the signal. Initial-exec: where it is, is known once the program is loaded, so that no
// function is called to find it, in the handler above all.
struct phase_mark {
  std::atomic<phase> now = phase::other;
  std::atomic<phase_samples*> samples = nullptr;
};
[[gnu::tls_model("initial-exec")]] inline constinit thread_local phase_mark this_thread;

}  // namespace detail

// For as long as it lives the calling thread is in this phase, and then in the one before. Around
// pieces that run through alone: across a co_await the phase would become that of whoever runs
// meanwhile.
class [[nodiscard]] phase_scope {
 public:
  explicit phase_scope(phase now) noexcept : before_(current()) {
    detail::this_thread.now.store(now, std::memory_order_relaxed);
  }
  ~phase_scope() { detail::this_thread.now.store(before_, std::memory_order_relaxed); }
  phase_scope(const phase_scope&) = delete;
  phase_scope& operator=(const phase_scope&) = delete;

  static phase current() noexcept {
    return detail::this_thread.now.load(std::memory_order_relaxed);
  }

 private:
  phase before_;
};

// From now on samples of the calling thread are counted there, which outlives it; null: nowhere.
inline void count_phases(phase_samples* where) noexcept {
  detail::this_thread.samples.store(where, std::memory_order_relaxed);
}

// A sample of the calling thread. May be called where a signal was caught.
inline void sample_phase() noexcept {
  phase_samples* const where = detail::this_thread.samples.load(std::memory_order_relaxed);
  if (where != nullptr) where->add(phase_scope::current());
}

}  // namespace rw
