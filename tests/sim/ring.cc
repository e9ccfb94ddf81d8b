// The class of src/io/ring.h again, on a world in memory in place of the kernel: what the kernel may
// do it does here at random, by the world's seed.
#include "io/ring.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "kernel.h"

namespace rw::sim {
namespace {
world* current = nullptr;
}  // namespace

void use(world* one) noexcept { current = one; }
world* used() noexcept { return current; }

}  // namespace rw::sim

namespace rw::io {

using sim::microseconds;
using sim::socket;
using sim::world;

operation::~operation() { RW_ASSERT(!in_flight()); }

struct ring::backend {
  enum class kind : std::uint8_t { receive, receive_into, send, connect, accept, wait };

  struct slot {
    operation* op = nullptr;
    std::uint64_t generation = 1;
    kind what = kind::wait;
    int fd = -1;
    std::span<std::byte> into;
    std::span<const std::byte> bytes;
    const msghdr* message = nullptr;
    const sockaddr* address = nullptr;
    bool waiting = false;  // for its descriptor to change
    bool final = false;    // its last completion is on its way
    bool trying = false;   // an attempt is on its way
    mono_time last_due;    // completions of one operation keep their order
  };
  struct ready {
    std::uint32_t index;
    std::uint64_t generation;
    completion what;
  };
  struct offered {
    std::uint16_t id;
    std::span<std::byte> bytes;
  };

  explicit backend(world& w) : in(w), id(next_id++) { rings.push_back(this); }
  ~backend() { std::erase(rings, this); }

  void start(operation& op, slot made);
  void try_later(std::uint32_t index);
  void attempt(std::uint32_t index);
  void receive(std::uint32_t index);
  void receive_into(std::uint32_t index);
  void send(std::uint32_t index);
  void connect(std::uint32_t index);
  void accept(std::uint32_t index);
  void canceled(std::uint32_t index, std::uint64_t generation);
  void post(std::uint32_t index, completion what);
  void end(std::uint32_t index, std::int32_t result) { post(index, {result, -1, false}); }
  void wait_for_change(std::uint32_t index) { slots[index].waiting = true; }
  void changed(int fd);
  bool mischief(double probability) { return in.chance(probability * in.mischief); }

  static inline std::vector<backend*> rings;
  static inline int next_id = 1;

  world& in;
  int id;
  std::vector<slot> slots;
  std::vector<std::uint32_t> free;
  std::vector<std::uint32_t> started;  // to be submitted by the next wait()
  std::vector<std::pair<std::uint32_t, std::uint64_t>> cancels;
  std::vector<offered> offers;       // to be seen by the next wait()
  std::vector<offered> buffers;      // the kernel's
  std::vector<ready> completed;
  unsigned in_flight = 0;
  bool woken = false;
  ring_counters counters;
};

void ring::backend::start(operation& op, slot made) {
  RW_ASSERT(!op.in_flight());
  if (free.empty()) {
    free.push_back(static_cast<std::uint32_t>(slots.size()));
    slots.emplace_back();
  }
  const std::uint32_t index = free.back();
  free.pop_back();
  made.op = &op;
  made.generation = slots[index].generation;
  slots[index] = made;
  set_slot(op, index);
  ++in_flight;
  ++counters.submissions;
  started.push_back(index);
}

void ring::backend::try_later(std::uint32_t index) {
  slot& at = slots[index];
  if (at.trying || at.final) return;
  at.trying = true;
  in.after(in.delay(microseconds{1}, microseconds{200}),
           [this, index, generation = at.generation] {
             slot& now = slots[index];
             if (now.generation != generation || now.final) return;
             now.trying = false;
             attempt(index);
           });
}

void ring::backend::attempt(std::uint32_t index) {
  slots[index].waiting = false;
  switch (slots[index].what) {
    case kind::receive: return receive(index);
    case kind::receive_into: return receive_into(index);
    case kind::send: return send(index);
    case kind::connect: return connect(index);
    case kind::accept: return accept(index);
    case kind::wait: return;
  }
}

void ring::backend::post(std::uint32_t index, completion what) {
  slot& at = slots[index];
  RW_ASSERT(!at.final);
  at.final = !what.more;
  at.last_due = std::max(at.last_due, in.now() + in.delay(microseconds{0}, microseconds{300}));
  in.at(at.last_due, [this, index, generation = at.generation, what] {
    completed.push_back({index, generation, what});
  });
}

void ring::backend::receive(std::uint32_t index) {
  const int fd = slots[index].fd;
  socket& from = *in.at(fd);
  // The kernel looks for a buffer before it looks for bytes.
  if (buffers.empty() || mischief(0.01)) {
    ++counters.no_buffers;
    return end(index, -ENOBUFS);
  }
  if (from.readable().empty()) {
    if (from.was_reset()) return end(index, -ECONNRESET);
    if (from.ended()) return end(index, 0);
    return wait_for_change(index);
  }
  const offered into = buffers.front();
  buffers.erase(buffers.begin());
  std::size_t size = std::min(from.readable().size(), into.bytes.size());
  if (mischief(0.2)) size = in.skewed(1, size);
  std::memcpy(into.bytes.data(), from.readable().data(), size);
  from.consume(size);
  const bool more = !mischief(0.05);
  post(index, {static_cast<std::int32_t>(size), into.id, more});
  if (more) try_later(index);
}

void ring::backend::receive_into(std::uint32_t index) {
  socket& from = *in.at(slots[index].fd);
  if (from.readable().empty()) {
    if (from.was_reset()) return end(index, -ECONNRESET);
    if (from.ended()) return end(index, 0);
    return wait_for_change(index);
  }
  std::size_t size = std::min(from.readable().size(), slots[index].into.size());
  if (mischief(0.2)) size = in.skewed(1, size);
  std::memcpy(slots[index].into.data(), from.readable().data(), size);
  from.consume(size);
  end(index, static_cast<std::int32_t>(size));
}

void ring::backend::send(std::uint32_t index) {
  const slot& at = slots[index];
  socket& to = *in.at(at.fd);
  if (to.was_reset()) return end(index, in.chance(0.5) ? -EPIPE : -ECONNRESET);
  if (!to.may_send()) return end(index, -EPIPE);
  // Read here and not before: whoever gave the bytes must have kept them.
  std::string bytes;
  if (at.message != nullptr) {
    for (std::size_t i = 0; i < at.message->msg_iovlen; ++i) {
      const iovec& part = at.message->msg_iov[i];
      bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
    }
  } else {
    bytes.assign(reinterpret_cast<const char*>(at.bytes.data()), at.bytes.size());
  }
  RW_ASSERT(!bytes.empty());
  std::size_t size = std::min(bytes.size(), to.room());
  if (size == 0) return wait_for_change(index);
  if (mischief(0.15)) size = in.skewed(1, size);
  to.send(std::string_view(bytes).substr(0, size));
  end(index, static_cast<std::int32_t>(size));
}

void ring::backend::connect(std::uint32_t index) {
  const slot& at = slots[index];
  RW_ASSERT(at.address->sa_family == AF_INET);
  const std::uint16_t port = ntohs(reinterpret_cast<const sockaddr_in*>(at.address)->sin_port);
  const auto found = in.servers.find(port);
  const auto how = found == in.servers.end() ? sim::reception::refuse : found->second.receive();
  switch (how) {
    case sim::reception::refuse: return end(index, -ECONNREFUSED);
    case sim::reception::unreachable:
      return end(index, in.chance(0.5) ? -EHOSTUNREACH : -ENETUNREACH);
    case sim::reception::silence: return wait_for_change(index);  // for good
    case sim::reception::accept: break;
  }
  const world::ends made = in.connect(fmt::format("to origin {}", port));
  in.attach(at.fd, made.near);
  made.near->on_change = [this, fd = at.fd] { changed(fd); };
  in.after(in.delay(microseconds{1}, microseconds{2'000}),
           [&server = found->second, far = made.far] { server.serve(*far); });
  end(index, 0);
}

void ring::backend::accept(std::uint32_t index) {
  auto& queue = in.queue_of(slots[index].fd);
  if (queue.empty()) {
    in.on_queue(slots[index].fd) = [this, fd = slots[index].fd] { changed(fd); };
    return wait_for_change(index);
  }
  if (mischief(0.03)) return end(index, in.chance(0.8) ? -EMFILE : -ECONNABORTED);
  socket* one = queue.front();
  queue.pop_front();
  const int fd = in.add(one);
  one->on_change = [this, fd] { changed(fd); };
  const bool more = !mischief(0.1);
  post(index, {fd, -1, more});
  if (more) try_later(index);
}

void ring::backend::changed(int fd) {
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    if (slots[i].op != nullptr && slots[i].fd == fd && slots[i].waiting) try_later(i);
  }
}

void ring::backend::canceled(std::uint32_t index, std::uint64_t generation) {
  slot& at = slots[index];
  if (at.generation != generation || at.op == nullptr || at.final) return;
  at.trying = false;
  at.waiting = false;
  end(index, -ECANCELED);
}

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
  backend_->offers.push_back({id, buffer});
}

void ring::wait(mono_time deadline) {
  backend& kernel = *backend_;
  world& in = kernel.in;
  ++kernel.counters.enters;
  in.pass(in.delay(microseconds{1}, microseconds{50}));
  for (const backend::offered& one : std::exchange(kernel.offers, {})) kernel.buffers.push_back(one);
  for (const std::uint32_t index : std::exchange(kernel.started, {})) kernel.try_later(index);
  for (const auto& [index, generation] : std::exchange(kernel.cancels, {})) {
    in.after(in.delay(microseconds{1}, microseconds{500}),
             [&kernel, i = index, g = generation] { kernel.canceled(i, g); });
  }
  const auto something = [&kernel] { return !kernel.completed.empty() || kernel.woken; };
  in.run(std::max(deadline, in.now()), something);
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
    complete(op, one.what);
  }
  kernel.counters.completions += batch.size();
  return static_cast<unsigned>(batch.size());
}

result<int> ring::open_stream_socket(int) {
  world& in = backend_->in;
  if (backend_->mischief(0.01)) return failure(kernel_error(EMFILE, origin::local));
  return in.add(nullptr);  // until it is connected
}

result<sockaddr_storage> ring::peer_address(int fd) { return backend_->in.at(fd)->peer_address; }

void ring::set_no_delay(int) {}

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
  socket* one = backend_->in.at(fd);
  for (const backend::slot& at : backend_->slots) {
    if (at.op != nullptr && at.fd == fd) backend_->in.give_up("closed with something in flight");
  }
  if (one != nullptr) {
    one->on_change = nullptr;
    one->close();
  }
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

unsigned ring::in_flight() const noexcept { return backend_->in_flight; }
const ring_counters& ring::counters() const noexcept { return backend_->counters; }

}  // namespace rw::io
