// Bytes on their way through the relay: receive buffers of the ring, and blocks of our own for what
// TLS turns them into. Both are chunks, found by a number, so that queues need no memory.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "ring.h"

namespace rw::bench {

inline constexpr unsigned no_chunk = ~0U;

struct chunk {
  unsigned size = 0;
  unsigned sent = 0;
  unsigned next = no_chunk;
  unsigned holds = no_chunk;  // a receive buffer that comes free with this one
};

// First in, first out.
struct chunk_queue {
  unsigned head = no_chunk;
  unsigned tail = no_chunk;

  bool empty() const noexcept { return head == no_chunk; }
};

class chunks {
 public:
  // Numbers below `buffers` are the ring's.
  chunks(ring& from, unsigned buffers, std::size_t block_bytes)
      : ring_(from), buffers_(buffers), block_bytes_(block_bytes), all_(buffers) {}

  char* data(unsigned number) noexcept {
    return number < buffers_ ? ring_.buffer(number) : blocks_[number - buffers_].get();
  }
  chunk& operator[](unsigned number) noexcept { return all_[number]; }

  // The block freed last, which is the one still in the cache.
  unsigned take_block() {
    if (free_.empty()) {
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_bytes_));
      all_.emplace_back();
      return static_cast<unsigned>(all_.size() - 1);
    }
    const unsigned number = free_.back();
    free_.pop_back();
    return number;
  }

  void give_back(unsigned number) {
    if (number < buffers_) {
      ring_.give_back(number);
    } else {
      free_.push_back(number);
    }
  }

  void push(chunk_queue& queue, unsigned number, std::size_t size) noexcept {
    all_[number] = {.size = static_cast<unsigned>(size)};
    (queue.empty() ? queue.head : all_[queue.tail].next) = number;
    queue.tail = number;
  }

  void pop(chunk_queue& queue) {
    const unsigned number = queue.head;
    queue.head = all_[number].next;
    if (const unsigned held = all_[number].holds; held != no_chunk) ring_.give_back(held);
    give_back(number);
  }

 private:
  ring& ring_;
  unsigned buffers_;
  std::size_t block_bytes_;
  std::vector<chunk> all_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<unsigned> free_;
};

}  // namespace rw::bench
