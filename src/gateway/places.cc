// How many clients a worker lets in, and who gives way when there are too many.
#include <algorithm>
#include <utility>

#include "gateway/connection.h"
#include "gateway/worker.h"

namespace rw::gateway {

// One of a listener's max_connections, and of the process's, until remove().
worker::place worker::take_place(std::uint32_t listener) noexcept {
  const listener_plan& plan = state().listeners[listener];
  const std::uint32_t most_here = plan.settings->max_connections;
  const std::uint32_t most = parts_.clients->most.load(std::memory_order_relaxed);
  const std::uint32_t here = plan.open->fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t anywhere = parts_.clients->open.fetch_add(1, std::memory_order_relaxed);
  if (parts_.loads) load().clients.fetch_add(1, std::memory_order_relaxed);
  if (here < most_here && anywhere < most) return place::free;
  if (here < with_surplus(most_here) && anywhere < with_surplus(most)) return place::surplus;
  give_place_back(listener);
  return place::none;
}

void worker::give_place_back(std::uint32_t listener) noexcept {
  state().listeners[listener].open->fetch_sub(1, std::memory_order_relaxed);
  parts_.clients->open.fetch_sub(1, std::memory_order_relaxed);
  if (parts_.loads) load().clients.fetch_sub(1, std::memory_order_relaxed);
}

void worker::add(connection& one) noexcept {
  one.next = first_;
  (first_ != nullptr ? first_->previous : last_) = &one;
  first_ = &one;
}

void worker::remove(connection& one) noexcept {
  (one.previous != nullptr ? one.previous->next : first_) = one.next;
  (one.next != nullptr ? one.next->previous : last_) = one.previous;
  give_place_back(one.listener);
  counters().add(observe::counter::connections_closed);
}

void worker::make_waiting_lists(std::size_t listeners) {
  if (parts_.loads) {
    load().waits_since = std::make_unique<std::atomic<std::int64_t>[]>(listeners);
    for (std::size_t i = 0; i < listeners; ++i) load().waits_since[i] = nobody_waits;
  }
  waiting_.reserve(listeners);
  for (std::size_t i = 0; i < listeners; ++i) {
    waiting_.emplace_back(parts_.loads ? &load().waits_since[i] : nullptr);
  }
}

bool worker::make_room(std::uint32_t listener) noexcept {
  const listener_plan& plan = state().listeners[listener];
  waiting_list* from = &waiting_[listener];
  if (plan.open->load(std::memory_order_relaxed) <= plan.settings->max_connections) {
    from = &*std::ranges::min_element(waiting_, {}, [](const waiting_list& of) {
      return of.longest() != nullptr ? of.longest()->since : mono_time::max();
    });
  }
  waiting_client* const one = from->longest();
  if (one == nullptr) return false;
  from->remove(*one);
  counters().add(observe::counter::connections_gave_way);
  static_cast<connection*>(one)->give_way();
  return true;
}

// Its place is taken.
void worker::admit(int fd, std::uint32_t listener, bool surplus) {
  counters().add(observe::counter::connections_accepted);
  io::spawn(serve(*this, fd, listener, surplus), connections_);
}

void worker::hand_over(int fd, std::uint32_t listener, bool surplus, std::size_t to) {
  worker_load& other = (*parts_.loads)[to];
  other.clients.fetch_add(1, std::memory_order_relaxed);
  load().clients.fetch_sub(1, std::memory_order_relaxed);
  counters().add(observe::counter::connections_handed_over);
  client_place its{state().listeners[listener].open, parts_.clients, parts_.loads, to, surplus};
  other.loop->post(loop_.kernel(), new handed_over(*other.loop, fd, listener, std::move(its)));
}

void worker::take_over(int fd, std::uint32_t listener, bool surplus) {
  if (!closed_) {
    admit(fd, listener, surplus);
    return;
  }
  loop_.kernel().close(fd);
  give_place_back(listener);
  counters().add(observe::counter::connections_refused);
}

}  // namespace rw::gateway
