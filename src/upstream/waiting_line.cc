#include "upstream/waiting_line.h"

#include <algorithm>

#include "base/assert.h"

namespace rw::upstream {

waiting_line::~waiting_line() { RW_ASSERT(length_ == 0); }

bool waiting_line::take() noexcept {
  if (common_.under_way.fetch_add(1, std::memory_order_relaxed) < rules_.max_requests_in_flight) {
    return true;
  }
  common_.under_way.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

// To whoever waits here first; others find the place by themselves. After a reload that lowered the
// bound, places are given back until they are few enough.
void waiting_line::give_back() noexcept {
  if (first_ != nullptr &&
      common_.under_way.load(std::memory_order_relaxed) <= rules_.max_requests_in_flight) {
    leave(*first_, outcome::taken);
    return;
  }
  common_.under_way.fetch_sub(1, std::memory_order_relaxed);
}

void waiting_line::enter(awaiter& last) noexcept {
  last.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &last;
  last_ = &last;
  ++length_;
  if (!beat_.armed()) loop_.timers().arm(beat_, std::min(loop_.now() + step, last.deadline_));
}

void waiting_line::leave(awaiter& one, outcome how) noexcept {
  (one.previous_ != nullptr ? one.previous_->next_ : first_) = one.next_;
  (one.next_ != nullptr ? one.next_->previous_ : last_) = one.previous_;
  --length_;
  common_.waiting.fetch_sub(1, std::memory_order_relaxed);
  one.how_ = how;
  loop_.defer(one.awaiting_);
}

// Who has gone, who has waited for too long, and who can have what other workers gave back.
void waiting_line::look() noexcept {
  for (awaiter* one = first_; one != nullptr;) {
    awaiter* const next = one->next_;
    const bool gone = one->client_.ended() || one->client_.failed();
    if (gone || one->deadline_ <= loop_.now()) {
      leave(*one, gone ? outcome::gone : outcome::timed_out);
    }
    one = next;
  }
  while (first_ != nullptr && take()) leave(*first_, outcome::taken);
  if (first_ == nullptr) return;
  loop_.timers().arm(beat_, std::min(loop_.now() + step, first_->deadline_));
}

void waiting_line::on_beat(io::timer& timer) { static_cast<beat&>(timer).owner.look(); }

bool waiting_line::awaiter::await_ready() noexcept {
  group& common = line_.common_;
  const std::uint32_t before = common.waiting.fetch_add(1, std::memory_order_relaxed);
  if (before < line_.rules_.queue) return false;
  common.waiting.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void waiting_line::awaiter::await_suspend(std::coroutine_handle<> awaiting) noexcept {
  awaiting_ = awaiting;
  deadline_ = line_.loop_.now() + line_.rules_.queue_timeout;
  line_.enter(*this);
}

}  // namespace rw::upstream
