// Asks servers whether they are well, on one thread for all workers: upstream.health.path or tcp.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "config/config.h"
#include "http/h2_window.h"
#include "io/loop.h"
#include "io/task.h"
#include "net/stream.h"
#include "tls/client_context.h"
#include "upstream/health.h"
#include "upstream/server.h"

namespace rw::upstream {

// One server to be asked. `keeps` owns what the others point to.
struct check_target {
  std::shared_ptr<const void> keeps;
  const cluster* of = nullptr;
  std::size_t index = 0;  // in `of`
  const server* at = nullptr;
  const config::upstream* rules = nullptr;
  std::shared_ptr<tls::client_target> tls;  // null: plain; this thread's own
};

// Of the thread of its loop.
class checker {
 public:
  // A check is over by the next one's time, and by this.
  static constexpr std::chrono::seconds check_time_max{10};

  explicit checker(io::loop& on) noexcept : loop_(on) {}
  ~checker();
  checker(const checker&) = delete;
  checker& operator=(const checker&) = delete;

  // From now on these and no others. A server that was asked before goes on where it was; new ones
  // are spread over their interval, the first of them at once.
  void adopt(std::vector<check_target> targets);
  // Ends what is under way and waits for it.
  io::task<> stop();

 private:
  // What came of one check: `why` is a literal, "" for well; `status` where that was wrong.
  struct verdict {
    const char* why = "";
    std::uint32_t status = 0;
  };
  struct patient;

  io::task<> watch(std::shared_ptr<patient> one);
  io::task<verdict> check(patient& one);
  io::task<verdict> check_h2(patient& one, mono_time by);
  io::task<verdict> ask(patient& one, net::stream& server, mono_time by);
  void take(patient& one, const verdict& found) noexcept;
  static void end(patient& one) noexcept;

  io::loop& loop_;
  std::vector<std::shared_ptr<patient>> patients_;
  http::window_pool windows_{0};  // of HTTP/2: nothing grows for a check
  io::gate under_way_;
};

}  // namespace rw::upstream
