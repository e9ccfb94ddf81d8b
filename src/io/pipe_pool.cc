#include "io/pipe_pool.h"

#include <utility>

#include "base/assert.h"

namespace rw::io {

pipe& pipe::operator=(pipe&& other) noexcept {
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  ends_ = other.ends_;
  held_ = std::exchange(other.held_, 0);
  return *this;
}

void pipe::release() noexcept {
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->take_back(ends_, held_ == 0);
  held_ = 0;
}

pipe_pool::~pipe_pool() {
  RW_ASSERT(lent_ == 0);
  for (const pipe_ends& one : idle_) close(one);
}

pipe pipe_pool::take() noexcept {
  if (lent_ >= lent_max) return {};
  pipe_ends ends;
  if (!idle_.empty()) {
    ends = idle_.back();
    idle_.pop_back();
  } else {
    const result<pipe_ends> made = kernel_.open_pipe(pipe_bytes);
    if (!made) return {};
    if (made->capacity < least_bytes) {
      close(*made);
      return {};
    }
    ends = *made;
  }
  ++lent_;
  return {*this, ends};
}

void pipe_pool::take_back(const pipe_ends& ends, bool empty) noexcept {
  --lent_;
  if (empty) {
    idle_.push_back(ends);
  } else {
    close(ends);
  }
}

void pipe_pool::close(const pipe_ends& ends) noexcept {
  kernel_.close(ends.read);
  kernel_.close(ends.write);
}

}  // namespace rw::io
