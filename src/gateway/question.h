// What the control thread asks of every worker.
#pragma once

#include <functional>
#include <memory>

namespace rw::gateway {

class worker;

struct question {
  // On each worker's thread, whose clients wait for it meanwhile; what it returns is run on the
  // control thread.
  std::function<std::function<void()>(worker&)> look;
};

// On the worker's thread. Not after workers::drain().
void answer(worker& by, const std::shared_ptr<const question>& asked);

}  // namespace rw::gateway
