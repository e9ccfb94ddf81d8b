#include "io/task.h"

#include <array>
#include <new>

namespace rw::io {
namespace {

// An idle connection is two frames, one of them tiny: coarser classes would be felt. The program
// has some twenty sizes of frames, so that most classes stay empty.
constexpr std::size_t class_bytes = 64;
constexpr std::size_t classes = 64;  // frames to 4 KiB; larger ones are rare and go to the heap
constexpr unsigned kept_per_class = 256;

struct free_frame_node {
  free_frame_node* next;
};

// Part of the allocator, the one place where state of a thread is kept.
class frame_lists {
 public:
  ~frame_lists() {
    for (free_frame_node* node : first_) {
      while (node != nullptr) ::operator delete(std::exchange(node, node->next));
    }
  }

  void* take(std::size_t bytes) {
    ++alive_;
    bytes_ += rounded(bytes);
    const std::size_t index = (bytes - 1) / class_bytes;
    if (index >= classes) return ::operator new(bytes);
    free_frame_node* node = first_[index];
    if (node == nullptr) return ::operator new((index + 1) * class_bytes);
    first_[index] = node->next;
    --kept_[index];
    return node;
  }

  void give_back(void* frame, std::size_t bytes) noexcept {
    --alive_;
    bytes_ -= rounded(bytes);
    const std::size_t index = (bytes - 1) / class_bytes;
    if (index >= classes || kept_[index] >= kept_per_class) {
      ::operator delete(frame);
      return;
    }
    first_[index] = new (frame) free_frame_node{first_[index]};
    ++kept_[index];
  }

  std::size_t alive() const noexcept { return alive_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  static std::size_t rounded(std::size_t bytes) noexcept {
    return (bytes + class_bytes - 1) / class_bytes * class_bytes;
  }
  std::array<free_frame_node*, classes> first_{};
  std::array<unsigned, classes> kept_{};
  std::size_t alive_ = 0;
  std::size_t bytes_ = 0;
};

thread_local frame_lists frames;

}  // namespace

void* allocate_frame(std::size_t bytes) { return frames.take(bytes); }
void free_frame(void* frame, std::size_t bytes) noexcept { frames.give_back(frame, bytes); }
std::size_t frames_alive() noexcept { return frames.alive(); }
std::size_t frame_bytes() noexcept { return frames.bytes(); }

}  // namespace rw::io
