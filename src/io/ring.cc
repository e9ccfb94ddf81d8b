#include "io/ring.h"

#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/phase.h"
#include "io/capability.h"
#include "io/restrictions.h"

namespace rw::io {
namespace {

// Newer than liburing 2.3's headers.
constexpr unsigned enter_no_iowait = 1U << 7;
constexpr unsigned feature_no_iowait = 1U << 17;

constexpr std::uint64_t silent = 0;              // user_data of what nobody waits for
constexpr std::uint64_t wake_mark = UINT64_MAX;  // user_data of another ring's wake()
constexpr unsigned buffer_entries = 1024;        // of the provided-buffer ring; a power of two
constexpr std::uint16_t buffer_group = 0;

}  // namespace

operation::~operation() { RW_ASSERT(!in_flight()); }

struct ring::backend {
  struct slot {
    operation* op = nullptr;
    std::uint32_t generation = 1;  // never 0, so that no user_data is `silent`
    std::uint32_t next_free = operation::none;
  };

  io_uring uring{};
  io_uring_buf_ring* buffers = nullptr;
  unsigned buffers_added = 0;
  unsigned enter_flags = 0;
  std::vector<slot> slots;
  std::uint32_t first_free = operation::none;
  unsigned in_flight = 0;
  bool woken = false;
  bool bounds_receive = true;
  std::optional<kernel_tls> tls;
  ring_counters counters;

  ~backend();
  result<> open(unsigned entries);
  result<> open_buffers();
  void probe_bound();
  void prepare_receive(io_uring_sqe* sqe, int fd) noexcept;
  io_uring_sqe* next_sqe();
  io_uring_sqe* start(operation& op);
  void tag(io_uring_sqe* sqe, const operation& op) noexcept;
  unsigned flush_sq() noexcept;
  void enter(unsigned submit, unsigned wait, mono_time deadline);
  void dispatch(const io_uring_cqe& cqe);
};

ring::backend::~backend() {
  if (buffers != nullptr) munmap(buffers, buffer_entries * sizeof(io_uring_buf));
  if (uring.ring_fd > 0) io_uring_queue_exit(&uring);
}

result<> ring::backend::open(unsigned entries) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE;
  params.cq_entries = 4 * entries;
  const int code = io_uring_queue_init_params(entries, &uring, &params);
  if (code < 0) {
    uring.ring_fd = -1;
    return failure(kernel_error(-code, origin::local));
  }
  const result<> provided = open_buffers();
  if (!provided) return provided;
  restrict_ring(uring.ring_fd);
  const int enabled = io_uring_register(static_cast<unsigned>(uring.ring_fd),
                                        IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (enabled < 0) return failure(kernel_error(-enabled, origin::local));
  if (io_uring_register_ring_fd(&uring) == 1) enter_flags |= IORING_ENTER_REGISTERED_RING;
  // Without this an idle gateway looks 100 % busy in iowait (kernel 6.15 on).
  if ((params.features & feature_no_iowait) != 0) enter_flags |= enter_no_iowait;
  probe_bound();
  return {};
}

// liburing 2.3 does not know `optlen`, what a multishot receive brings in all (6.17 on); it shares
// its place with file_index.
void ring::backend::prepare_receive(io_uring_sqe* sqe, int fd) noexcept {
  io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = buffer_group;
  if (bounds_receive) sqe->file_index = multishot_bytes;
}

// Asks for such a receive of a socket whose end has come: older kernels say EINVAL, others anything
// else, and at once.
void ring::backend::probe_bound() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return;
  ::close(pair[0]);
  io_uring_sqe* sqe = io_uring_get_sqe(&uring);
  prepare_receive(sqe, pair[1]);
  sqe->user_data = silent;
  enter(flush_sq(), 1, mono_time::max());
  if (io_uring_cq_ready(&uring) > 0) {
    bounds_receive = uring.cq.cqes[*uring.cq.khead & uring.cq.ring_mask].res != -EINVAL;
    io_uring_cq_advance(&uring, 1);
  }
  ::close(pair[1]);
}

result<> ring::backend::open_buffers() {
  void* memory = mmap(nullptr, buffer_entries * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return failure(kernel_error(errno, origin::local));
  buffers = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = buffer_entries;
  registration.bgid = buffer_group;
  const int code = io_uring_register_buf_ring(&uring, &registration, 0);
  if (code < 0) return failure(kernel_error(-code, origin::local));
  io_uring_buf_ring_init(buffers);
  return {};
}

io_uring_sqe* ring::backend::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&uring);
  while (sqe == nullptr) {
    enter(flush_sq(), 0, {});
    sqe = io_uring_get_sqe(&uring);
  }
  ++counters.submissions;
  return sqe;
}

io_uring_sqe* ring::backend::start(operation& op) {
  RW_ASSERT(!op.in_flight());
  if (first_free == operation::none) {
    first_free = static_cast<std::uint32_t>(slots.size());
    slots.emplace_back();
  }
  const std::uint32_t index = first_free;
  first_free = slots[index].next_free;
  slots[index].op = &op;
  set_slot(op, index);
  ++in_flight;
  return next_sqe();
}

// Comes after the prep function of each start: some versions of liburing clear user_data in those.
void ring::backend::tag(io_uring_sqe* sqe, const operation& op) noexcept {
  const std::uint32_t index = slot_of(op);
  sqe->user_data = std::uint64_t{slots[index].generation} << 32 | index;
}

// liburing's own flush is not exported, and its submit calls cannot carry enter flags of ours.
unsigned ring::backend::flush_sq() noexcept {
  io_uring_sq& sq = uring.sq;
  const unsigned mask = sq.ring_mask;
  if (sq.array != nullptr) {
    for (unsigned i = sq.sqe_head; i != sq.sqe_tail; ++i) sq.array[i & mask] = i & mask;
  }
  sq.sqe_head = sq.sqe_tail;
  io_uring_smp_store_release(sq.ktail, sq.sqe_tail);
  return sq.sqe_tail - io_uring_smp_load_acquire(sq.khead);
}

void ring::backend::enter(unsigned submit, unsigned wait, mono_time deadline) {
  __kernel_timespec until{};
  io_uring_getevents_arg argument{};
  if (wait > 0 && deadline != mono_time::max()) {
    auto left = deadline - std::chrono::steady_clock::now();
    if (left < nanoseconds{0}) left = nanoseconds{0};
    until.tv_sec = left.count() / 1'000'000'000;
    until.tv_nsec = left.count() % 1'000'000'000;
    argument.ts = reinterpret_cast<std::uintptr_t>(&until);
  }
  ++counters.enters;
  const phase_scope about(phase::kernel);
  io_uring_enter2(static_cast<unsigned>(uring.enter_ring_fd), submit, wait,
                  enter_flags | IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                  reinterpret_cast<sigset_t*>(&argument), sizeof argument);
}

void ring::backend::dispatch(const io_uring_cqe& cqe) {
  if (cqe.user_data == silent) return;
  if (cqe.user_data == wake_mark) {
    woken = true;
    return;
  }
  const auto index = static_cast<std::uint32_t>(cqe.user_data);
  RW_ASSERT(index < slots.size());
  slot& at = slots[index];
  if (at.op == nullptr || at.generation != static_cast<std::uint32_t>(cqe.user_data >> 32)) {
    ++counters.stale;
    return;
  }
  completion what{cqe.res, -1, (cqe.flags & IORING_CQE_F_MORE) != 0};
  if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
    what.buffer = static_cast<std::int32_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  }
  if (cqe.res == -ENOBUFS) ++counters.no_buffers;
  operation& op = *at.op;
  if (!what.more) {
    at.op = nullptr;
    at.generation = at.generation == UINT32_MAX ? 1 : at.generation + 1;
    at.next_free = first_free;
    first_free = index;
    set_slot(op, operation::none);
    --in_flight;
  }
  complete(op, what);
}

ring::ring(std::unique_ptr<backend> kernel) noexcept : backend_(std::move(kernel)) {}
ring::~ring() = default;

result<std::unique_ptr<ring>> ring::create(unsigned entries) {
  auto kernel = std::make_unique<backend>();
  const result<> opened = kernel->open(entries);
  if (!opened) return failure(opened.error());
  return std::unique_ptr<ring>(new ring(std::move(kernel)));
}

void ring::accept(operation& op, int listener) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  backend_->tag(sqe, op);
}

void ring::connect(operation& op, int fd, const sockaddr* address, socklen_t size) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_connect(sqe, fd, address, size);
  backend_->tag(sqe, op);
}

void ring::receive(operation& op, int fd) {
  io_uring_sqe* sqe = backend_->start(op);
  backend_->prepare_receive(sqe, fd);
  backend_->tag(sqe, op);
}

bool ring::bounds_receive() const noexcept { return backend_->bounds_receive; }

void ring::receive_once(operation& op, int fd) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_recv(sqe, fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = buffer_group;
  backend_->tag(sqe, op);
}

void ring::receive_into(operation& op, int fd, std::span<std::byte> into) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_recv(sqe, fd, into.data(), into.size(), 0);
  backend_->tag(sqe, op);
}

void ring::send(operation& op, int fd, std::span<const std::byte> bytes) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  backend_->tag(sqe, op);
}

void ring::send(operation& op, int fd, const msghdr* message) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_sendmsg(sqe, fd, message, MSG_NOSIGNAL);
  backend_->tag(sqe, op);
}

void ring::read(operation& op, int fd, std::span<std::byte> into) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_read(sqe, fd, into.data(), static_cast<unsigned>(into.size()),
                     static_cast<std::uint64_t>(-1));
  backend_->tag(sqe, op);
}

void ring::watch(operation& op, int fd, std::uint32_t events) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_poll_multishot(sqe, fd, events);
  backend_->tag(sqe, op);
}

void ring::poll(operation& op, int fd, std::uint32_t events) {
  io_uring_sqe* sqe = backend_->start(op);
  io_uring_prep_poll_add(sqe, fd, events);
  backend_->tag(sqe, op);
}

void ring::cancel(operation& op) {
  if (!op.in_flight()) return;
  const std::uint32_t index = slot_of(op);
  io_uring_sqe* sqe = backend_->next_sqe();
  io_uring_prep_cancel64(sqe, std::uint64_t{backend_->slots[index].generation} << 32 | index, 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = silent;
}

void ring::wake(int other_ring) {
  io_uring_sqe* sqe = backend_->next_sqe();
  io_uring_prep_msg_ring(sqe, other_ring, 0, wake_mark, 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = silent;
}

int ring::descriptor() const noexcept { return backend_->uring.ring_fd; }

bool ring::woken() noexcept { return std::exchange(backend_->woken, false); }

void ring::offer(std::uint16_t id, std::span<std::byte> buffer) {
  io_uring_buf_ring_add(backend_->buffers, buffer.data(), static_cast<unsigned>(buffer.size()), id,
                        io_uring_buf_ring_mask(buffer_entries),
                        static_cast<int>(backend_->buffers_added++));
}

void ring::wait(mono_time deadline) {
  backend& kernel = *backend_;
  if (kernel.buffers_added > 0) {
    io_uring_buf_ring_advance(kernel.buffers, static_cast<int>(kernel.buffers_added));
    kernel.buffers_added = 0;
  }
  const unsigned waiting = io_uring_cq_ready(&kernel.uring);
  kernel.enter(kernel.flush_sq(), waiting > 0 ? 0 : 1, deadline);
}

unsigned ring::dispatch() {
  backend& kernel = *backend_;
  const unsigned ready = io_uring_cq_ready(&kernel.uring);
  unsigned done = 0;
  while (done < ready) {
    // Copied and given back first: a handler may fill the submission queue, which enters the
    // kernel.
    const io_uring_cqe cqe =
        kernel.uring.cq.cqes[*kernel.uring.cq.khead & kernel.uring.cq.ring_mask];
    io_uring_cq_advance(&kernel.uring, 1);
    kernel.dispatch(cqe);
    ++done;
  }
  kernel.counters.completions += done;
  kernel.counters.overflows = *kernel.uring.cq.koverflow;
  return done;
}

kernel_tls ring::sends_tls() noexcept {
  if (!backend_->tls) backend_->tls = probe_kernel_tls();
  return *backend_->tls;
}

unsigned ring::in_flight() const noexcept { return backend_->in_flight; }
const ring_counters& ring::counters() const noexcept { return backend_->counters; }

}  // namespace rw::io
