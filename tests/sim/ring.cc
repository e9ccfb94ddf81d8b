// The class of src/io/ring.h again, on a world in memory in place of the kernel.
#include "io/ring.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "backend.h"
#include "base/assert.h"
#include "base/phase.h"

namespace rw::io {

using sim::microseconds;
using sim::socket;
using sim::world;

operation::~operation() { RW_ASSERT(!in_flight()); }

ring::ring(std::unique_ptr<backend> kernel) noexcept : backend_(std::move(kernel)) {}
ring::~ring() = default;

result<std::unique_ptr<ring>> ring::create(unsigned) {
  return std::unique_ptr<ring>(new ring(std::make_unique<backend>(*sim::used())));
}

void ring::accept(operation& op, int listener) {
  backend_->start(op, {.what = backend::kind::accept, .fd = listener});
}
void ring::connect(operation& op, int fd, const sockaddr* address, socklen_t) {
  backend_->start(op, {.what = backend::kind::connect, .fd = fd, .address = address});
}
void ring::receive(operation& op, int fd) {
  backend_->start(op, {.what = backend::kind::receive, .fd = fd});
}
bool ring::bounds_receive() const noexcept { return true; }
void ring::receive_once(operation& op, int fd) {
  backend_->start(op, {.what = backend::kind::receive_once, .fd = fd});
}
void ring::receive_into(operation& op, int fd, std::span<std::byte> into) {
  backend_->start(op, {.what = backend::kind::receive_into, .fd = fd, .into = into});
}
void ring::send(operation& op, int fd, std::span<const std::byte> bytes) {
  backend_->start(op, {.what = backend::kind::send, .fd = fd, .bytes = bytes});
}
void ring::send(operation& op, int fd, const msghdr* message) {
  backend_->start(op, {.what = backend::kind::send, .fd = fd, .message = message});
}
// Nothing a worker serves is read or watched; such an operation waits until it is canceled.
void ring::read(operation& op, int fd, std::span<std::byte>) { backend_->start(op, {.fd = fd}); }
void ring::watch(operation& op, int fd, std::uint32_t) { backend_->start(op, {.fd = fd}); }

void ring::poll(operation& op, int fd, std::uint32_t events) {
  const auto what = (events & POLLOUT) != 0 ? backend::kind::writable : backend::kind::readable;
  backend_->start(op, {.what = what, .fd = fd});
}

void ring::cancel(operation& op) {
  if (!op.in_flight()) return;
  const std::uint32_t index = slot_of(op);
  backend_->cancels.emplace_back(index, backend_->slots[index].generation);
}

void ring::wake(int other_ring) {
  backend_->in.after(backend_->in.delay(microseconds{1}, microseconds{100}), [other_ring] {
    for (backend* one : backend::rings) one->woken = one->woken || one->id == other_ring;
  });
}
int ring::descriptor() const noexcept { return backend_->id; }
bool ring::woken() noexcept { return std::exchange(backend_->woken, false); }

void ring::offer(std::uint16_t id, std::span<std::byte> buffer) {
  ++backend_->in.buffers_offered;
  backend_->offers.push_back({id, buffer});
}

void ring::wait(mono_time deadline) {
  // One that was entered and not left would have outlived the suspension of what entered it.
  RW_ASSERT(phase_scope::current() == phase::other);
  backend& kernel = *backend_;
  world& in = kernel.in;
  ++kernel.counters.enters;
  in.pass(in.delay(microseconds{1}, microseconds{50}));
  for (const backend::offered& one : std::exchange(kernel.offers, {}))
    kernel.buffers.push_back(one);
  for (const std::uint32_t index : std::exchange(kernel.started, {})) kernel.try_later(index);
  for (const auto& [index, generation] : std::exchange(kernel.cancels, {})) {
    in.after(in.delay(microseconds{1}, microseconds{500}),
             [&kernel, i = index, g = generation] { kernel.canceled(i, g); });
  }
  const auto something = [&kernel] { return !kernel.completed.empty() || kernel.woken; };
  in.wait(std::max(deadline, in.now()), something);
  // While this thread woke up, more may have come.
  const auto never = [] { return false; };
  if (something()) in.run(in.now() + in.delay(microseconds{0}, microseconds{100}), never);
}

unsigned ring::dispatch() {
  backend& kernel = *backend_;
  std::vector<backend::ready> batch = std::exchange(kernel.completed, {});
  // Completions of different operations come in any order.
  for (std::size_t i = 1; i < batch.size(); ++i) {
    if (batch[i].index != batch[i - 1].index && kernel.in.chance(0.5)) {
      std::swap(batch[i], batch[i - 1]);
    }
  }
  for (const backend::ready& one : batch) {
    backend::slot& at = kernel.slots[one.index];
    RW_ASSERT(at.op != nullptr && at.generation == one.generation);
    operation& op = *at.op;
    if (!one.what.more) {
      at.op = nullptr;
      ++at.generation;
      kernel.free.push_back(one.index);
      set_slot(op, operation::none);
      --kernel.in_flight;
    }
    ++kernel.counters.completions;
    ++kernel.in.completions;
    if (kernel.in.on_completion) kernel.in.on_completion();
    complete(op, one.what);
  }
  return static_cast<unsigned>(batch.size());
}

result<int> ring::open_stream_socket(int) {
  world& in = backend_->in;
  if (in.chance(0.01 * in.exhaustion)) return failure(kernel_error(EMFILE, origin::local));
  return in.add(nullptr);  // until it is connected
}

result<sockaddr_storage> ring::peer_address(int fd) { return backend_->in.at(fd)->peer_address; }

// Nothing here depends on where a client came to.
result<sockaddr_storage> ring::local_address(int) { return sockaddr_storage{}; }

void ring::set_no_delay(int) {}
void ring::watch_peer(int, const liveness&) noexcept {}
void ring::bound_unacknowledged(int, std::chrono::milliseconds) noexcept {}

result<pipe_ends> ring::open_pipe(std::size_t bytes) {
  world& in = backend_->in;
  if (in.chance(0.1 * in.exhaustion)) return failure(kernel_error(EMFILE, origin::local));
  const pipe_ends made{in.add(nullptr), in.add(nullptr), in.chance(0.1) ? 4096 : bytes};
  backend_->pipes[made.write];
  return made;
}

std::int32_t ring::splice_in(int socket, const pipe_ends& to, std::size_t bytes) noexcept {
  return backend_->splice_in(socket, to.write, bytes);
}

std::int32_t ring::splice_out(const pipe_ends& from, int socket, std::size_t bytes) noexcept {
  return backend_->splice_out(from.write, socket, bytes);
}

bool ring::has_input(int fd) noexcept {
  const socket* one = backend_->in.at(fd);
  return one == nullptr || !one->readable().empty() || one->ended() || one->was_reset();
}

std::size_t ring::unacknowledged(int fd) noexcept {
  const socket* one = backend_->in.at(fd);
  return one == nullptr ? 0 : one->unread_by_peer();
}

nanoseconds ring::round_trip(int) noexcept { return std::chrono::milliseconds{1}; }

// No records are made here: what peers say to each other is plain.
kernel_tls ring::sends_tls() noexcept { return kernel_tls::no; }
bool ring::send_as_tls(int, std::span<const std::byte>) noexcept { return false; }

void ring::shutdown_write(int fd) noexcept {
  if (socket* one = backend_->in.at(fd)) one->end_writing();
}

void ring::shutdown(int fd) noexcept {
  socket* one = backend_->in.at(fd);
  if (one == nullptr) return;
  one->end_writing();
  one->stop_reading();
  backend_->changed(fd);
}

void ring::close(int fd) noexcept {
  backend_->in.trace("closed: {}", fd);
  socket* one = backend_->in.at(fd);
  for (const backend::slot& at : backend_->slots) {
    if (at.op != nullptr && at.fd == fd) backend_->in.give_up("closed with something in flight");
  }
  if (one != nullptr) {
    one->on_change = nullptr;
    one->close();
  }
  backend_->pipes.erase(fd);
  backend_->in.forget(fd);
}

void ring::reset(int fd) noexcept {
  if (socket* one = backend_->in.at(fd)) one->reset();
  close(fd);
}

mono_time ring::now() const noexcept { return backend_->in.now(); }

wall_time ring::wall_now() const noexcept {
  return wall_time{std::chrono::seconds{1'700'000'000}} + backend_->in.now().time_since_epoch();
}

// Asked once a second, where it matters: sometimes all of that was work.
nanoseconds ring::thread_time() const noexcept {
  backend& kernel = *backend_;
  const nanoseconds passed = now() - std::exchange(kernel.asked_at, now());
  if (kernel.in.chance(0.2)) kernel.worked += passed;
  return kernel.worked;
}

unsigned ring::in_flight() const noexcept { return backend_->in_flight; }
const ring_counters& ring::counters() const noexcept { return backend_->counters; }

}  // namespace rw::io
