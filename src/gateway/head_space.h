// Where a head is written: a buffer of the pool, which nearly all fit, or the heap for the others.
#pragma once

#include <memory>
#include <span>

#include "io/buffer_pool.h"

namespace rw::gateway {

class head_space {
 public:
  // Beyond twice the largest head that may be received: what we add is at most a copy of it.
  static constexpr std::size_t bytes_max = 1U << 20U;

  explicit head_space(io::buffer_pool& from) : buffer_(from.take()) {}

  std::span<char> room() const noexcept {
    if (larger_) return {larger_.get(), bytes_max};
    return {buffer_.text(), io::buffer::capacity()};
  }
  // Makes room() larger and empty; false when it already was.
  bool grow() {
    if (larger_) return false;
    larger_ = std::make_unique_for_overwrite<char[]>(bytes_max);
    buffer_.reset();
    return true;
  }
  // The head has gone out: there is no room() any more.
  void release() noexcept {
    larger_.reset();
    buffer_.reset();
  }

 private:
  io::buffer buffer_;
  std::unique_ptr<char[]> larger_;
};

}  // namespace rw::gateway
