// One io_uring and one pool of provided receive buffers: all that the origin and the relay need of
// the kernel. Single thread; what cannot be set up ends the program.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>

namespace rw::bench {

// What an operation was, in the low bits of its user_data; the rest is the address of its owner.
enum class op : std::uint8_t { stop, accept, connect, receive, send };

struct completion {
  op what;
  void* owner;
  int result;  // as the system call: a count, a descriptor or -errno
  unsigned flags;

  bool more() const noexcept { return (flags & IORING_CQE_F_MORE) != 0; }
  bool has_buffer() const noexcept { return (flags & IORING_CQE_F_BUFFER) != 0; }
  unsigned buffer() const noexcept { return flags >> IORING_CQE_BUFFER_SHIFT; }
};

class ring {
 public:
  // `buffers`: a power of two, at most 32768.
  ring(unsigned buffers, unsigned buffer_bytes);
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;
  ~ring();

  // Owners are at least 8-byte aligned and live until their last completion: the one without
  // more().
  void accept(int listening, void* owner);
  void connect(int fd, const sockaddr* where, socklen_t size, void* owner);
  // Completes again and again, with one buffer each, until EOF, an error or an empty pool
  // (ENOBUFS).
  void receive(int fd, void* owner);
  // Short only when the peer is gone. The bytes stay put until the completion.
  void send(int fd, const char* data, std::size_t size, void* owner);
  void send(int fd, const msghdr* message, void* owner);

  char* buffer(unsigned index) noexcept { return memory_ + index * stride_; }
  // Back to the kernel at the end of the round.
  void give_back(unsigned index) noexcept;

  // Runs rounds of `each` per completion and one `settle(buffers given back)`, until `stop_fd` is
  // readable.
  template <class Each, class Settle>
  void run(int stop_fd, Each&& each, Settle&& settle);

 private:
  io_uring_sqe* next();
  void tag(io_uring_sqe* entry, op what, void* owner) noexcept;
  void watch(int stop_fd);
  void wait();

  io_uring ring_{};
  io_uring_buf_ring* free_ = nullptr;
  char* memory_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::size_t stride_;
  unsigned buffers_;
  unsigned buffer_bytes_;
  int returned_ = 0;
};

template <class Each, class Settle>
void ring::run(int stop_fd, Each&& each, Settle&& settle) {
  watch(stop_fd);
  for (bool stopping = false; !stopping;) {
    wait();
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* entry = nullptr;
    io_uring_for_each_cqe(&ring_, head, entry) {
      ++seen;
      const completion done{static_cast<op>(entry->user_data & 7U),
                            reinterpret_cast<void*>(entry->user_data & ~std::uint64_t{7}),
                            entry->res, entry->flags};
      if (done.what == op::stop) {
        stopping = true;
      } else {
        each(done);
      }
    }
    io_uring_cq_advance(&ring_, seen);
    const int returned = returned_;
    if (returned_ != 0) io_uring_buf_ring_advance(free_, returned_);
    returned_ = 0;
    settle(returned);
  }
}

}  // namespace rw::bench
