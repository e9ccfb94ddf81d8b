// The border to the kernel: one io_uring and the few system calls that go with it. The simulation
// (tests/sim/ring.cc) implements this same header with virtual time and invented peers.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/error.h"

namespace rw::io {

class ring;

// Whether the kernel makes TLS records of what a TCP socket sends, and whether it takes new keys in
// the middle (from 6.14 on).
enum class kernel_tls : std::uint8_t { no, fixed_keys, renewable_keys };

// What the kernel says of an operation: bytes, a descriptor or 0, or -errno.
struct completion {
  std::int32_t result = 0;
  std::int32_t buffer = -1;  // id of the provided buffer that holds the bytes, -1 for none
  bool more = false;         // a multishot operation goes on
};

// One thing asked of the kernel. Lives in the frame or object that waits for it and must outlive
// it: destroying one in flight is a bug, and asserts. Not movable while in flight.
class operation {
 public:
  // Called from ring::dispatch(), on the ring's thread, never from the call that starts the
  // operation. It may destroy the operation, unless `more` is set.
  using handler = void (*)(operation&, completion);

  explicit operation(handler on_complete) noexcept : on_complete_(on_complete) {}
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;
  ~operation();

  bool in_flight() const noexcept { return slot_ != none; }

 private:
  friend class ring;
  static constexpr std::uint32_t none = UINT32_MAX;

  handler on_complete_;
  std::uint32_t slot_ = none;
};

struct pipe_ends {
  int read = -1;
  int write = -1;
  std::size_t capacity = 0;  // bytes; less when what comes is in small pieces
};

// How soon the kernel finds out that the peer of a TCP socket has vanished: a probe after `idle` of
// silence, others `between`. The end is what was sent, a probe too, and is not acknowledged for
// `unacknowledged` (RFC 5482); where that is 0, so many unanswered probes, or what the kernel does
// by itself.
struct liveness {
  std::chrono::seconds idle;
  std::chrono::seconds between;
  unsigned probes;
  std::chrono::milliseconds unacknowledged;
};

struct ring_counters {
  std::uint64_t submissions = 0;
  std::uint64_t completions = 0;
  std::uint64_t enters = 0;
  std::uint64_t no_buffers = 0;  // receives that found the pool empty
  std::uint64_t overflows = 0;
  std::uint64_t stale = 0;  // completions of a generation that is over
};

// Used by the thread that created it, except where said. Starting an operation never fails and
// never calls the kernel: it is submitted by the next wait(), or earlier when the queue is full.
class ring {
 public:
  // Rings start disabled, opcodes restricted to those below, then enabled. Errors: the errno of
  // io_uring_setup; capability.h says what to tell the operator.
  static result<std::unique_ptr<ring>> create(unsigned entries);
  ~ring();
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;

  // Multishot: a completion per connection, result is its descriptor.
  void accept(operation& op, int listener);
  // `address` must stay until the completion.
  void connect(operation& op, int fd, const sockaddr* address, socklen_t size);
  // Multishot into offered buffers. Ends with -ENOBUFS when none is left, and where the kernel can
  // (bounds_receive(), 6.17 on) after multishot_bytes; 0 is the end of the stream.
  void receive(operation& op, int fd);
  static constexpr unsigned multishot_bytes = 64U << 10U;
  bool bounds_receive() const noexcept;
  // The same once: of much that has come the multishot takes half a MiB before anyone is asked.
  void receive_once(operation& op, int fd);
  void receive_into(operation& op, int fd, std::span<std::byte> into);
  // May send less than asked; no SIGPIPE. `bytes` must stay until the completion.
  void send(operation& op, int fd, std::span<const std::byte> bytes);
  void send(operation& op, int fd, const msghdr* message);
  void read(operation& op, int fd, std::span<std::byte> into);
  // Multishot readiness, events as in poll(2).
  void watch(operation& op, int fd, std::uint32_t events);
  // Readiness, once.
  void poll(operation& op, int fd, std::uint32_t events);
  // Asks for an end; the operation still completes, with -ECANCELED unless it was faster.
  void cancel(operation& op);

  // Makes another thread's ring return from wait() with its woken() set.
  void wake(int other_ring);
  int descriptor() const noexcept;
  bool woken() noexcept;  // true once after a wake

  // A buffer that the kernel may fill for receive(); offered from the next wait() on.
  void offer(std::uint16_t id, std::span<std::byte> buffer);

  // Submits, and waits for one completion at least or until `deadline`.
  void wait(mono_time deadline);
  // Calls the handlers of the completions that are there. Returns how many.
  unsigned dispatch();

  // The system calls that need no waiting.
  result<int> open_stream_socket(int family);
  result<sockaddr_storage> peer_address(int fd);
  result<sockaddr_storage> local_address(int fd);
  void set_no_delay(int fd);
  // Of a listening socket, what it accepts inherits it. Other sockets than TCP's stay as they are.
  void watch_peer(int fd, const liveness& how) noexcept;
  void bound_unacknowledged(int fd, std::chrono::milliseconds at_most) noexcept;  // see liveness
  // For splice(2); `bytes` is what the kernel is asked for, `capacity` what it granted.
  result<pipe_ends> open_pipe(std::size_t bytes);
  // From the socket into the pipe and from the pipe into the socket, never waiting: bytes, 0 at the
  // end of the stream, or -errno, -EAGAIN among them. IORING_OP_SPLICE would go to a kernel thread
  // each time.
  std::int32_t splice_in(int socket, const pipe_ends& to, std::size_t bytes) noexcept;
  std::int32_t splice_out(const pipe_ends& from, int socket, std::size_t bytes) noexcept;
  // Whether there are bytes, an end or an error that no receive has brought yet.
  bool has_input(int fd) noexcept;
  // Bytes the peer has not acknowledged yet, sent or not; 0 when the socket cannot say.
  std::size_t unacknowledged(int fd) noexcept;
  // Between the two ends of a TCP connection, as the kernel has measured it; 0 when it has not.
  nanoseconds round_trip(int fd) noexcept;
  kernel_tls sends_tls() noexcept;  // asks the kernel when first called
  // From the next byte on; again to change the keys. `crypto_info`: as linux/tls.h has it. False:
  // nothing has changed.
  bool send_as_tls(int fd, std::span<const std::byte> crypto_info) noexcept;
  void shutdown_write(int fd) noexcept;
  void shutdown(int fd) noexcept;
  void close(int fd) noexcept;
  // Closes so that the peer sees a reset: what it was sent was cut off, not ended.
  void reset(int fd) noexcept;
  mono_time now() const noexcept;
  wall_time wall_now() const noexcept;
  nanoseconds thread_time() const noexcept;  // CPU time of the calling thread so far

  unsigned in_flight() const noexcept;
  const ring_counters& counters() const noexcept;

 private:
  struct backend;
  explicit ring(std::unique_ptr<backend> kernel) noexcept;
  static std::uint32_t slot_of(const operation& op) noexcept { return op.slot_; }
  static void set_slot(operation& op, std::uint32_t slot) noexcept { op.slot_ = slot; }
  static void complete(operation& op, completion what) { op.on_complete_(op, what); }

  std::unique_ptr<backend> backend_;
};

// errno as an error of that side; the only errno switch there is.
error kernel_error(int os, origin from) noexcept;

}  // namespace rw::io
