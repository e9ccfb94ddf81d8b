#include "io/mailbox.h"

namespace rw::io {

mailbox::~mailbox() {
  for (message* one = take_all(); one != nullptr;) delete std::exchange(one, one->next);
}

void mailbox::push(message* one) noexcept {
  one->next = newest_.load(std::memory_order_relaxed);
  while (!newest_.compare_exchange_weak(one->next, one, std::memory_order_release,
                                        std::memory_order_relaxed)) {
  }
}

message* mailbox::take_all() noexcept {
  if (newest_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  message* newest = newest_.exchange(nullptr, std::memory_order_acquire);
  message* oldest = nullptr;
  while (newest != nullptr) {
    message* before = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = before;
  }
  return oldest;
}

}  // namespace rw::io
