#include "world.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace rw::sim {

// ---- socket

void socket::changed() {
  if (on_change) on_change();
}

std::size_t socket::room() const noexcept {
  if (!may_send() || peer_ == nullptr) return 0;
  const std::size_t taken = unread_by_peer();
  return taken >= peer_->capacity_ ? 0 : peer_->capacity_ - taken;
}

std::size_t socket::unread_by_peer() const noexcept {
  return peer_ == nullptr ? 0 : peer_->readable_.size() + peer_->in_transit_;
}

mono_time socket::next_arrival() {
  const auto jitter = world_.delay(microseconds{0}, 4 * latency_);
  const mono_time when = world_.now() + latency_ + jitter;
  last_arrival_ = std::max(last_arrival_, when);
  return last_arrival_;
}

void socket::send(std::string_view bytes) {
  RW_ASSERT(bytes.size() <= room());
  last_moved = world_.now();
  // The network cuts as it likes, and keeps the order.
  while (!bytes.empty()) {
    std::size_t size = bytes.size();
    if (world_.chance(0.2)) size = world_.skewed(1, size);
    peer_->in_transit_ += size;
    world_.at(peer_->next_arrival(),
              [to = peer_, part = std::string(bytes.substr(0, size))] { to->arrive(part); });
    bytes.remove_prefix(size);
  }
}

void socket::arrive(const std::string& bytes) {
  in_transit_ -= bytes.size();
  if (reset_) return;
  if (!open_) {
    reset_ = true;
    world_.at(peer_->next_arrival(), [to = peer_] { to->arrive_reset(); });
    return;
  }
  last_moved = world_.now();
  if (!ended_) readable_.append(bytes);
  changed();
}

void socket::arrive_end() {
  if (reset_) return;
  last_moved = world_.now();
  ended_ = true;
  if (open_) changed();
}

void socket::arrive_reset() {
  if (reset_) return;
  last_moved = world_.now();
  reset_ = true;
  if (world_.chance(0.5)) readable_.clear();
  if (open_) changed();
}

void socket::consume(std::size_t bytes) {
  RW_ASSERT(bytes <= readable_.size());
  readable_.erase(0, bytes);
  last_moved = world_.now();
  if (bytes > 0) took_at_ = world_.now();
  if (bytes > 0 && peer_->open_) {
    world_.after(latency_, [to = peer_] {
      if (to->open_) to->changed();
    });
  }
}

void socket::end_writing() {
  if (!may_send()) return;
  finished_ = true;
  world_.at(peer_->next_arrival(), [to = peer_] { to->arrive_end(); });
}

void socket::close() {
  if (!open_) return;
  closed_at_ = world_.now();
  if (!readable_.empty() && !reset_) {
    reset();
    return;
  }
  end_writing();
  open_ = false;
}

void socket::reset() {
  if (!open_) return;
  closed_at_ = world_.now();
  open_ = false;
  if (reset_) return;
  reset_ = true;
  world_.at(peer_->next_arrival(), [to = peer_] { to->arrive_reset(); });
}

void socket::cut() {
  if (!open_) return;
  open_ = false;
  if (!std::exchange(reset_, true)) peer_->arrive_reset();
}

// ---- world

std::uint64_t world::skewed(std::uint64_t low, std::uint64_t high) {
  if (high <= low) return low;
  const std::uint64_t span = high - low + 1;
  // As likely in each power of two.
  const auto bits =
      static_cast<unsigned>(random(static_cast<std::uint64_t>(std::bit_width(span)))) + 1;
  const std::uint64_t most = bits >= 63 ? span : std::min(span, std::uint64_t{1} << bits);
  return low + random(most);
}

void world::at(mono_time when, std::function<void()> what) {
  events_.push_back({std::max(when, now_), order_++, std::move(what)});
  std::push_heap(events_.begin(), events_.end(), later{});
}

bool world::run(mono_time until, const std::function<bool()>& enough) {
  for (;;) {
    if (enough()) return true;
    if (events_.empty() || events_.front().when > until) {
      if (until == mono_time::max()) give_up("nothing will ever happen again: everybody waits");
      now_ = std::max(now_, until);
      return false;
    }
    std::pop_heap(events_.begin(), events_.end(), later{});
    event next = std::move(events_.back());
    events_.pop_back();
    now_ = std::max(now_, next.when);
    if (now_ > latest) give_up("not over in time");
    ++events_run_;
    next.what();
  }
}

world::ends world::connect(std::string_view label) {
  const std::size_t capacities[] = {4'096, 20'000, 65'536, 262'144};
  const microseconds latency = delay(microseconds{5}, microseconds{20'000});
  socket* made[2];
  for (socket*& one : made) {
    all_.push_back(std::make_unique<socket>(*this, capacities[random(4)]));
    one = all_.back().get();
    one->latency_ = latency;
    one->label = label;
    one->last_moved = now_;
  }
  made[0]->peer_ = made[1];
  made[1]->peer_ = made[0];
  return {made[0], made[1]};
}

socket* world::connect_to(int fd, const sockaddr_storage& from, std::string_view label) {
  const auto found = listeners_.find(fd);
  if (found == listeners_.end()) return nullptr;
  const ends both = connect(label);
  both.far->peer_address = from;
  found->second.queue.push_back(both.far);
  if (found->second.on_queue) found->second.on_queue();
  return both.near;
}

int world::add(socket* one) {
  int fd = 100;
  while (sockets_.contains(fd) || listeners_.contains(fd)) ++fd;
  sockets_.emplace(fd, one);
  return fd;
}

int world::add_listener() {
  int fd = 10;
  while (listeners_.contains(fd)) ++fd;
  listeners_[fd];
  return fd;
}

socket* world::at(int fd) const {
  const auto found = sockets_.find(fd);
  if (found == sockets_.end()) give_up(fmt::format("descriptor {} is not open", fd));
  return found->second;
}

std::deque<socket*>& world::queue_of(int listener) { return listeners_.at(listener).queue; }
std::function<void()>& world::on_queue(int listener) { return listeners_.at(listener).on_queue; }

void world::forget(int fd) { sockets_.erase(fd); }

void world::close_listener(int fd) {
  for (socket* one : listeners_.at(fd).queue) one->reset();
  listeners_.erase(fd);
}

std::vector<std::string> world::stuck(mono_time since) const {
  std::vector<std::string> found;
  for (const auto& [fd, one] : sockets_) {
    if (one != nullptr && one->last_moved < since) {
      found.push_back(fmt::format("descriptor {} ({})", fd, one->label));
    }
  }
  return found;
}

void world::violation(std::string text) {
  trace("{}", text);
  if (violations_.size() < 20) violations_.push_back(std::move(text));
}

void world::print(const std::string& what) const {
  const auto since = now_ - mono_time{std::chrono::hours{1}};
  fmt::print(stderr, "{:12.6f} {}\n", static_cast<double>(since.count()) / 1e9, what);
}

void world::give_up(std::string_view why) const {
  fmt::print(stderr, "seed {}: {}\n", seed, why);
  for (const std::string& one : violations_) fmt::print(stderr, "  {}\n", one);
  if (describe) fmt::print(stderr, "{}\n", describe());
  std::abort();
}

}  // namespace rw::sim
