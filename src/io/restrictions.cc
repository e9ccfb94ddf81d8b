#include "io/restrictions.h"

#include <liburing.h>

#include <array>
#include <cerrno>

namespace rw::io {
namespace {

// One for each operation of ring.h.
constexpr std::array<std::uint8_t, 10> operations = {
    IORING_OP_ACCEPT,        // accept()
    IORING_OP_CONNECT,       // connect()
    IORING_OP_RECV,          // receive(), receive_once(), receive_into()
    IORING_OP_SEND,          // send() of bytes
    IORING_OP_SENDMSG,       // send() of a message
    IORING_OP_READ,          // read()
    IORING_OP_POLL_ADD,      // watch(), poll()
    IORING_OP_ASYNC_CANCEL,  // cancel()
    IORING_OP_MSG_RING,      // wake()
    IORING_OP_NOP,
};

constexpr std::uint8_t flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;

// Of io_uring_register(2), once the ring is enabled. Its buffers are registered before.
constexpr std::array<std::uint8_t, 2> registrations = {
    IORING_REGISTER_RING_FDS,
    // Else the thread would keep the ring, and all that is in flight on it, beyond its end.
    IORING_UNREGISTER_RING_FDS,
};

}  // namespace

// A bug that lets an attacker choose an operation must not reach files. The kernel looks at one bit
// per operation for it. Kernels refuse this only where they lack restrictions (before 5.10), and
// those lack DEFER_TASKRUN too.
void restrict_ring(int descriptor) noexcept {
  std::array<io_uring_restriction, operations.size() + registrations.size() + 1> rules{};
  auto rule = rules.begin();
  for (const std::uint8_t one : operations) {
    rule->opcode = IORING_RESTRICTION_SQE_OP;
    rule++->sqe_op = one;
  }
  for (const std::uint8_t one : registrations) {
    rule->opcode = IORING_RESTRICTION_REGISTER_OP;
    rule++->register_op = one;
  }
  rule->opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  rule->sqe_flags = flags;
  // Debian's shared liburing 2.3 does not export the functions of its own for this and for
  // enabling.
  io_uring_register(static_cast<unsigned>(descriptor), IORING_REGISTER_RESTRICTIONS, rules.data(),
                    static_cast<unsigned>(rules.size()));
}

bool is_restricted(const ring& one) noexcept {
  // What operations there are (IORING_REGISTER_PROBE), into a place for none.
  io_uring_probe found{};
  return io_uring_register(static_cast<unsigned>(one.descriptor()), IORING_REGISTER_PROBE, &found,
                           0) == -EACCES;
}

std::int32_t attempt_operation(std::uint8_t operation) noexcept {
  io_uring uring{};
  if (const int code = io_uring_queue_init(4, &uring, IORING_SETUP_R_DISABLED); code < 0) {
    return code;
  }
  restrict_ring(uring.ring_fd);
  io_uring_register(static_cast<unsigned>(uring.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  io_uring_sqe* const sqe = io_uring_get_sqe(&uring);
  io_uring_prep_rw(operation, sqe, -1, nullptr, 0, 0);
  io_uring_cqe* cqe = nullptr;
  int result = io_uring_submit_and_wait(&uring, 1);
  if (result >= 0 && io_uring_peek_cqe(&uring, &cqe) == 0) result = cqe->res;
  io_uring_queue_exit(&uring);
  return result;
}

}  // namespace rw::io
