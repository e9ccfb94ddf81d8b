// Messages from other threads to a loop: pushed lock-free, taken all at once.
#pragma once

#include <atomic>
#include <utility>

namespace rw::io {

// Base of every message; whoever takes it deletes it.
struct message {
  virtual ~message() = default;
  message* next = nullptr;
};

class mailbox {
 public:
  mailbox() = default;
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;
  ~mailbox();

  // Any thread. Takes ownership.
  void push(message* one) noexcept;
  // The owner's thread: everything pushed so far, oldest first, as a list through `next`.
  message* take_all() noexcept;

 private:
  std::atomic<message*> newest_ = nullptr;
};

}  // namespace rw::io
