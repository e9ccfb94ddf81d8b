#include "control/census.h"

#include <memory>
#include <utility>

#include "control/process.h"

namespace rw::control {
namespace {

// A worker that does not turn its loop for so long is one that hangs.
constexpr std::chrono::seconds answers_within{1};

struct count {
  std::size_t silent = 0;
  io::sleep* pause = nullptr;  // null: nobody waits any more

  void answered() {
    if (--silent == 0 && pause != nullptr) pause->cut();
  }
};

}  // namespace

io::task<std::size_t> ask_workers(process& of, gateway::question what) {
  const auto counted = std::make_shared<count>();
  const auto asked = std::make_shared<gateway::question>();
  asked->look = [counted, look = std::move(what.look)](gateway::worker& on) {
    return [counted, take = look(on)] {
      take();
      counted->answered();
    };
  };
  counted->silent = of.put(asked);
  io::sleep pause(of.loop(), of.loop().now() + answers_within);
  counted->pause = &pause;
  co_await pause;
  counted->pause = nullptr;
  co_return counted->silent;
}

}  // namespace rw::control
