// What both directions of a body share: taking chunks apart where they lie, and the least rate.
#pragma once

#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/phase.h"
#include "http/chunked.h"
#include "http/head.h"
#include "net/stream.h"

namespace rw::gateway {

struct decoded {
  std::size_t consumed = 0;  // octets of the input
  std::string_view data;     // at its front
};

// All the data in `input`, moved together at its front: however many chunks an origin made of it,
// one goes on.
inline decoded decode_in_place(http::chunked_decoder& decoder, std::span<char> input) {
  const phase_scope about(phase::http1);
  decoded found;
  char* const front = input.data();
  std::size_t size = 0;
  while (found.consumed < input.size() &&
         decoder.state() == http::chunked_decoder::status::reading) {
    const auto piece = decoder.feed({front + found.consumed, input.size() - found.consumed});
    if (!piece.data.empty()) {
      if (size == 0) {
        found.data = piece.data;
      } else {
        std::memmove(const_cast<char*>(found.data.data()) + size, piece.data.data(),
                     piece.data.size());
      }
      size += piece.data.size();
    }
    found.consumed += piece.consumed;
  }
  if (size > 0) found.data = {found.data.data(), size};
  return found;
}

// From here on a body is worth other means than a short one; docs/performance.md has the figures.
inline constexpr std::uint64_t long_body_bytes = 48U << 10U;

// What a stream is told before a body: after a long one it receives one buffer at a time, and goes
// on so for as long as they stay long.
inline void expect_body(net::stream& from, http::framing body, std::uint64_t length) noexcept {
  if (body != http::framing::length || length < long_body_bytes) {
    from.receive_as(net::stream::receive_mode::pooled);
  }
}

// Receives in bulk while it lives, once begin() was called, unless too many bodies of this worker
// do: each holds a quarter of a MiB, and as much again where it goes out by TLS.
class bulk_receive {
 public:
  static constexpr unsigned per_worker_max = 64;

  bulk_receive(net::stream& from, unsigned& under_way) noexcept
      : from_(from), under_way_(under_way) {}
  ~bulk_receive() {
    if (!begun_) return;
    --under_way_;
    from_.receive_as(net::stream::receive_mode::single);  // see expect_body()
  }
  bulk_receive(const bulk_receive&) = delete;
  bulk_receive& operator=(const bulk_receive&) = delete;

  // `bytes`: of the body, as far as is known. TLS decides for itself how it receives.
  void begin_for(std::uint64_t bytes) noexcept {
    if (begun_ || bytes < long_body_bytes || under_way_ >= per_worker_max) return;
    if (from_.tls() != nullptr || from_.is_carried()) return;
    begun_ = true;
    ++under_way_;
    from_.receive_as(net::stream::receive_mode::bulk);
  }

 private:
  net::stream& from_;
  unsigned& under_way_;
  bool begun_ = false;
};

// listener.timeouts.least_rate: so many bytes a second, looked at after every 10 s that were spent
// waiting for the client: what the origin takes its time for is not the client's doing. 0 is off.
class rate_floor {
 public:
  explicit rate_floor(std::uint64_t bytes_per_second) noexcept
      : least_(bytes_per_second * window.count()) {}
  // `bytes` came or went while the client was waited for. False when the window that this ends
  // brought too little.
  bool keeps_up(std::uint64_t bytes, nanoseconds waited) noexcept {
    if (least_ == 0) return true;
    counted_ += bytes;
    waited_ += waited;
    if (waited_ < window) return true;
    waited_ = nanoseconds{0};
    broken_ = std::exchange(counted_, 0) < least_;
    return !broken_;
  }
  bool broken() const noexcept { return broken_; }  // keeps_up() has said no

 private:
  static constexpr std::chrono::seconds window{10};
  std::uint64_t least_;
  std::uint64_t counted_ = 0;
  nanoseconds waited_{0};
  bool broken_ = false;
};

}  // namespace rw::gateway
