// Samples of what the workers are about, by timers on their CPU clocks: base/phase.h has the marks.
#pragma once

#include <ctime>
#include <utility>
#include <vector>

#include "base/error.h"
#include "control/workers.h"
#include "net/stream.h"

namespace rw::control {

// While it lives each thread is interrupted once per `period` of its own CPU time, by SIGPROF, and
// counts the phase that it was in. The kernel looks at such timers at its tick alone, so that with
// 250 ticks a second there is a sample for each 4 ms. A thread that sleeps costs nothing, and
// nothing is left of it at its end but the handler of a signal that nobody sends.
class sampling {
 public:
  static constexpr nanoseconds period = std::chrono::milliseconds{1};

  // Of the control thread; the threads outlive it. Errors: what sigaction(2) or timer_create(2)
  // says, fault::unsupported where somebody else in this process has SIGPROF.
  static result<sampling> begin(const std::vector<workers::sampled>& threads);
  sampling(sampling&& other) noexcept : timers_(std::exchange(other.timers_, {})) {}
  sampling& operator=(sampling&&) = delete;
  ~sampling();

 private:
  sampling() = default;
  std::vector<timer_t> timers_;
};

// The one profile that may run at a time, for whoever waits for it.
class profile_turn {
 public:
  bool taken() const noexcept { return client_ != nullptr; }
  mono_time until() const noexcept { return until_; }
  void take(net::stream& client, mono_time until) noexcept {
    client_ = &client;
    until_ = until;
  }
  void give_back() noexcept { client_ = nullptr; }
  // Now: the gate stops, or another one takes over.
  void end() noexcept {
    if (client_ != nullptr) client_->interrupt_receive();
  }

 private:
  net::stream* client_ = nullptr;
  mono_time until_;
};

}  // namespace rw::control
