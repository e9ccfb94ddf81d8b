#include <cerrno>

#include "base/assert.h"
#include "net/liveness.h"
#include "net/stream.h"

namespace rw::net {
namespace {

struct connecting : io::operation {
  connecting(io::loop& on, mono_time deadline) noexcept
      : operation(&on_done), loop(on), timer(*this) {
    loop.timers().arm(timer, deadline);
  }

  struct deadline_timer : io::timer {
    explicit deadline_timer(connecting& c) noexcept : timer(&on_deadline), owner(c) {}
    static void on_deadline(io::timer& t) {
      connecting& self = static_cast<deadline_timer&>(t).owner;
      self.timed_out = true;
      self.loop.kernel().cancel(self);
    }
    connecting& owner;
  };

  static void on_done(io::operation& op, io::completion what) {
    auto& self = static_cast<connecting&>(op);
    self.code = what.result;
    self.timer.disarm();
    self.awaiting.resume();
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept { awaiting = h; }
  int await_resume() const noexcept { return code; }

  io::loop& loop;
  deadline_timer timer;
  std::coroutine_handle<> awaiting;
  int code = 0;
  bool timed_out = false;
};

}  // namespace

void stream::let_reader_pause(bool may) noexcept {
  if (fd_ < 0) return;
  loop_.kernel().bound_unacknowledged(
      fd_, may ? std::chrono::milliseconds{0} : server_liveness.unacknowledged);
}

io::task<result<>> stream::open(const sockaddr_storage& address, socklen_t size,
                                mono_time deadline) {
  RW_ASSERT(fd_ < 0);
  if (failed_) co_return failure(why_);
  const result<int> made = loop_.kernel().open_stream_socket(address.ss_family);
  if (!made) co_return failure(made.error());
  fd_ = *made;
  loop_.kernel().set_no_delay(fd_);
  connecting attempt(loop_, deadline);
  loop_.kernel().connect(attempt, fd_, reinterpret_cast<const sockaddr*>(&address), size);
  sending_ = &attempt;
  const int code = co_await attempt;
  sending_ = nullptr;
  if (failed_) co_return failure(why_);
  if (attempt.timed_out || code == -ETIMEDOUT)
    co_return failure(fail(fault::timed_out, "no connection in time"));
  if (code < 0) co_return failure(io::kernel_error(-code, side_));
  loop_.kernel().watch_peer(fd_, server_liveness);
  arm_receive();  // so that an origin that closes while idle is noticed
  co_return {};
}

}  // namespace rw::net
