// The gateway's threads, which take turns on ours: each has a stack of its own, and the next one
// goes on when it waits. Which of several, when more than one could, is drawn from the seed.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "world.h"

namespace rw::sim {

class fibers {
 public:
  explicit fibers(world& in);
  fibers(const fibers&) = delete;
  fibers& operator=(const fibers&) = delete;
  ~fibers();

  // Runs all of them until each has returned. world::wait() called by one lets the others go on.
  void run(const std::vector<std::function<void()>>& bodies);

 private:
  struct fiber;
  struct stack;

  void wait(mono_time until, const std::function<bool()>& enough);
  bool is_due(const fiber& one) const;
  fiber* next_due();
  static void begin();
  static void change(stack& from, stack& to, bool for_good);

  world& world_;
  std::unique_ptr<stack> ours_;
  std::vector<std::unique_ptr<fiber>> all_;
  fiber* current_ = nullptr;
};

}  // namespace rw::sim
