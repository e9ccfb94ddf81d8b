#include "fibers.h"

#include <ucontext.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#endif

namespace rw::sim {
namespace {
constexpr std::size_t stack_bytes = 1U << 20U;
}

struct fibers::stack {
  ucontext_t context{};
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  void* fake = nullptr;       // AddressSanitizer's
  void* sanitizer = nullptr;  // ThreadSanitizer's
};

struct fibers::fiber {
  fibers& of;
  std::function<void()> body;
  std::unique_ptr<std::byte[]> memory = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
  stack on{};
  mono_time until;
  const std::function<bool()>* enough = nullptr;
  bool over = false;
};

namespace {
void* beginning = nullptr;  // the fiber to be: makecontext() passes no pointers
}

fibers::fibers(world& in) : world_(in), ours_(std::make_unique<stack>()) {
#if __has_feature(thread_sanitizer)
  ours_->sanitizer = __tsan_get_current_fiber();
#endif
}

fibers::~fibers() {
#if __has_feature(thread_sanitizer)
  for (const auto& one : all_) __tsan_destroy_fiber(one->on.sanitizer);
#endif
}

void fibers::change(stack& from, stack& to, [[maybe_unused]] bool for_good) {
#if __has_feature(address_sanitizer)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &from.fake, to.bottom, to.bytes);
#endif
#if __has_feature(thread_sanitizer)
  __tsan_switch_to_fiber(to.sanitizer, 0);
#endif
  RW_ASSERT(::swapcontext(&from.context, &to.context) == 0);
#if __has_feature(address_sanitizer)
  __sanitizer_finish_switch_fiber(from.fake, nullptr, nullptr);
#endif
}

void fibers::begin() {
  fiber& self = *static_cast<fiber*>(std::exchange(beginning, nullptr));
  stack& ours = *self.of.ours_;
#if __has_feature(address_sanitizer)
  __sanitizer_finish_switch_fiber(nullptr, &ours.bottom, &ours.bytes);
#endif
  self.body();
  self.over = true;
  change(self.on, ours, true);
}

bool fibers::is_due(const fiber& one) const {
  return !one.over && (one.enough == nullptr || one.until <= world_.now() || (*one.enough)());
}

fibers::fiber* fibers::next_due() {
  std::vector<fiber*> due;
  for (const auto& one : all_) {
    if (is_due(*one)) due.push_back(one.get());
  }
  if (due.empty()) return nullptr;
  return due[due.size() == 1 ? 0 : world_.random(due.size())];
}

void fibers::wait(mono_time until, const std::function<bool()>& enough) {
  RW_ASSERT(current_ != nullptr);
  fiber& self = *current_;
  self.until = until;
  self.enough = &enough;
  change(self.on, *ours_, false);
}

void fibers::run(const std::vector<std::function<void()>>& bodies) {
  for (const auto& body : bodies) {
    fiber& made = *all_.emplace_back(new fiber{*this, body});
    RW_ASSERT(::getcontext(&made.on.context) == 0);
    made.on.context.uc_stack = {made.memory.get(), 0, stack_bytes};
    made.on.bottom = made.memory.get();
    made.on.bytes = stack_bytes;
    ::makecontext(&made.on.context, &fibers::begin, 0);
#if __has_feature(thread_sanitizer)
    made.on.sanitizer = __tsan_create_fiber(0);
#endif
  }
  world_.wait_instead = [this](mono_time until, const std::function<bool()>& enough) {
    wait(until, enough);
  };
  const auto anybody = [this] {
    return std::ranges::any_of(all_, [this](const auto& one) { return is_due(*one); });
  };
  while (std::ranges::any_of(all_, [](const auto& one) { return !one->over; })) {
    mono_time until = mono_time::max();
    for (const auto& one : all_) {
      if (!one->over && one->enough != nullptr) until = std::min(until, one->until);
    }
    if (!anybody()) world_.run(until, anybody);
    current_ = next_due();
    RW_ASSERT(current_ != nullptr);
    if (std::exchange(current_->enough, nullptr) == nullptr) beginning = current_;
    change(*ours_, current_->on, false);
    current_ = nullptr;
  }
  world_.wait_instead = nullptr;
}

}  // namespace rw::sim
