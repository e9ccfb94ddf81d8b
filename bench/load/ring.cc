#include "ring.h"

#include <poll.h>
#include <sys/mman.h>

#include <cerrno>

#include "socket.h"

namespace rw::bench {

namespace {

constexpr unsigned sq_entries = 1024;
constexpr unsigned cq_entries = 4 * sq_entries;
constexpr int buffer_group = 0;

}  // namespace

// The stride is no power of two: the first lines of all buffers would otherwise compete for the
// same few cache sets, and a small message never reaches the others.
ring::ring(unsigned buffers, unsigned buffer_bytes)
    : stride_((buffer_bytes + 63U) / 64U * 64U + 192U),
      buffers_(buffers),
      buffer_bytes_(buffer_bytes) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE;
  params.cq_entries = cq_entries;
  int failed = io_uring_queue_init_params(sq_entries, &ring_, &params);
  if (failed < 0) die("io_uring_setup", -failed);
  io_uring_register_ring_fd(&ring_);

  const std::size_t index_bytes = buffers_ * sizeof(io_uring_buf);
  mapped_bytes_ = index_bytes + buffers_ * stride_;
  void* mapped = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapped == MAP_FAILED) die("mmap of the receive buffers", errno);
  free_ = static_cast<io_uring_buf_ring*>(mapped);
  memory_ = static_cast<char*>(mapped) + index_bytes;

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(free_);
  registration.ring_entries = buffers_;
  registration.bgid = buffer_group;
  failed = io_uring_register_buf_ring(&ring_, &registration, 0);
  if (failed < 0) die("io_uring_register_buf_ring", -failed);
  io_uring_buf_ring_init(free_);
  for (unsigned i = 0; i < buffers_; ++i) give_back(i);
  io_uring_buf_ring_advance(free_, returned_);
  returned_ = 0;
}

ring::~ring() {
  io_uring_queue_exit(&ring_);
  munmap(free_, mapped_bytes_);
}

io_uring_sqe* ring::next() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    io_uring_submit(&ring_);
    entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) die("io_uring: no submission entry after a submit");
  }
  return entry;
}

void ring::tag(io_uring_sqe* entry, op what, void* owner) noexcept {
  io_uring_sqe_set_data64(
      entry, reinterpret_cast<std::uint64_t>(owner) | static_cast<std::uint64_t>(what));
}

void ring::accept(int listening, void* owner) {
  io_uring_sqe* entry = next();
  io_uring_prep_multishot_accept(entry, listening, nullptr, nullptr, SOCK_CLOEXEC);
  tag(entry, op::accept, owner);
}

void ring::connect(int fd, const sockaddr* where, socklen_t size, void* owner) {
  io_uring_sqe* entry = next();
  io_uring_prep_connect(entry, fd, where, size);
  tag(entry, op::connect, owner);
}

void ring::receive(int fd, void* owner) {
  io_uring_sqe* entry = next();
  io_uring_prep_recv_multishot(entry, fd, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = buffer_group;
  tag(entry, op::receive, owner);
}

void ring::send(int fd, const char* data, std::size_t size, void* owner) {
  io_uring_sqe* entry = next();
  io_uring_prep_send(entry, fd, data, size, MSG_NOSIGNAL | MSG_WAITALL);
  tag(entry, op::send, owner);
}

void ring::send(int fd, const msghdr* message, void* owner) {
  io_uring_sqe* entry = next();
  io_uring_prep_sendmsg(entry, fd, message, MSG_NOSIGNAL | MSG_WAITALL);
  tag(entry, op::send, owner);
}

void ring::give_back(unsigned index) noexcept {
  io_uring_buf_ring_add(free_, buffer(index), buffer_bytes_, static_cast<unsigned short>(index),
                        io_uring_buf_ring_mask(buffers_), returned_++);
}

void ring::watch(int stop_fd) {
  io_uring_sqe* entry = next();
  io_uring_prep_poll_add(entry, stop_fd, POLLIN);
  tag(entry, op::stop, nullptr);
}

void ring::wait() {
  const int failed = io_uring_submit_and_wait(&ring_, 1);
  if (failed < 0 && failed != -EINTR && failed != -EBUSY) die("io_uring_enter", -failed);
}

}  // namespace rw::bench
