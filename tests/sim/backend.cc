// What the kernel may do it does here at random, by the world's seed.
#include "backend.h"

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

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
  in.after(in.delay(microseconds{1}, microseconds{200}), [this, index, generation = at.generation] {
    slot& now = slots[index];
    if (now.generation != generation || now.final) return;
    now.trying = false;
    attempt(index);
  });
}

void ring::backend::attempt(std::uint32_t index) {
  slots[index].waiting = false;
  switch (slots[index].what) {
    case kind::receive:
    case kind::receive_once:
      return receive(index);
    case kind::receive_into:
      return receive_into(index);
    case kind::send:
      return send(index);
    case kind::readable:
    case kind::writable:
      return poll(index);
    case kind::connect:
      return connect(index);
    case kind::accept:
      return accept(index);
    case kind::wait:
      return;
  }
}

void ring::backend::post(std::uint32_t index, completion what) {
  slot& at = slots[index];
  RW_ASSERT(!at.final);
  at.final = !what.more;
  in.trace("ring {}: {} on {} gives {}{}", id, name(at.what), at.fd, what.result,
           what.more ? ", and goes on" : "");
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
  --in.buffers_offered;
  std::size_t size = std::min(from.readable().size(), into.bytes.size());
  if (mischief(0.2)) size = in.skewed(1, size);
  std::memcpy(into.bytes.data(), from.readable().data(), size);
  from.consume(size);
  const bool more = slots[index].what == kind::receive && !mischief(0.05);
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
  // As in tcp(7): a full socket takes nothing until a third of it is free.
  if (at.full && !to.is_writable()) return wait_for_change(index);
  std::size_t size = std::min(bytes.size(), to.room());
  if (size == 0) {
    slots[index].full = true;
    return wait_for_change(index);
  }
  if (mischief(0.15)) size = in.skewed(1, size);
  to.send(std::string_view(bytes).substr(0, size));
  end(index, static_cast<std::int32_t>(size));
}

void ring::backend::poll(std::uint32_t index) {
  const slot& at = slots[index];
  const socket& on = *in.at(at.fd);
  const bool broken = on.was_reset();
  if (at.what == kind::readable) {
    if (!on.readable().empty() || on.ended() || broken) return end(index, POLLIN);
  } else if (on.is_writable() || !on.may_send() || broken) {
    return end(index, POLLOUT);
  }
  wait_for_change(index);
}

std::int32_t ring::backend::splice_in(int socket, int pipe, std::size_t bytes) {
  sim::socket& from = *in.at(socket);
  std::string& into = pipes.at(pipe);
  if (from.readable().empty()) {
    if (from.was_reset()) return -ECONNRESET;
    return from.ended() ? 0 : -EAGAIN;
  }
  if (mischief(0.05)) return -EAGAIN;  // as when the pipe has no slot left
  std::size_t size = std::min(from.readable().size(), bytes);
  if (mischief(0.2)) size = in.skewed(1, size);
  into.append(from.readable().substr(0, size));
  from.consume(size);
  in.trace("spliced {} of {} into {}", size, socket, pipe);
  return static_cast<std::int32_t>(size);
}

std::int32_t ring::backend::splice_out(int pipe, int socket, std::size_t bytes) {
  sim::socket& to = *in.at(socket);
  std::string& from = pipes.at(pipe);
  RW_ASSERT(bytes == from.size() && bytes > 0);
  if (to.was_reset()) return in.chance(0.5) ? -EPIPE : -ECONNRESET;
  if (!to.may_send()) return -EPIPE;
  std::size_t size = std::min(from.size(), to.room());
  if (size == 0) return -EAGAIN;
  if (mischief(0.15)) size = in.skewed(1, size);
  to.send(std::string_view(from).substr(0, size));
  from.erase(0, size);
  in.trace("spliced {} of {} into {}", size, pipe, socket);
  return static_cast<std::int32_t>(size);
}

void ring::backend::connect(std::uint32_t index) {
  const slot& at = slots[index];
  RW_ASSERT(at.address->sa_family == AF_INET);
  const std::uint16_t port = ntohs(reinterpret_cast<const sockaddr_in*>(at.address)->sin_port);
  const auto found = in.servers.find(port);
  const auto how = found == in.servers.end() ? sim::reception::refuse : found->second.receive();
  switch (how) {
    case sim::reception::refuse:
      return end(index, -ECONNREFUSED);
    case sim::reception::unreachable:
      return end(index, in.chance(0.5) ? -EHOSTUNREACH : -ENETUNREACH);
    case sim::reception::silence:
      return wait_for_change(index);  // for good
    case sim::reception::accept:
      break;
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
  if (in.chance(0.03 * in.exhaustion)) {
    return end(index, in.chance(0.8) ? -EMFILE : -ECONNABORTED);
  }
  socket* one = queue.front();
  queue.pop_front();
  const int fd = in.add(one);
  one->on_change = [fd] { changed_anywhere(fd); };
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

}  // namespace rw::io
