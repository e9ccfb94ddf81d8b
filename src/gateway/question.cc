#include "gateway/question.h"

#include <utility>

#include "gateway/control_message.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

struct answered : control_message {
  explicit answered(std::function<void()> t) : take(std::move(t)) {}
  void run() override { take(); }
  std::function<void()> take;
};

}  // namespace

void answer(worker& by, const std::shared_ptr<const question>& asked) {
  by.control()->post(by.loop().kernel(), new answered(asked->look(by)));
}

}  // namespace rw::gateway
