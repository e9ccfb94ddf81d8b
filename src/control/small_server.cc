#include "control/small_server.h"

#include <cerrno>

#include "base/assert.h"

namespace rw::control {

struct small_server::open_connection {
  open_connection(small_server& of, int fd)
      : owner(of), stream(of.loop_, fd, origin::downstream), next(of.first_) {
    if (next != nullptr) next->previous = this;
    owner.first_ = this;
  }
  ~open_connection() {
    (previous != nullptr ? previous->next : owner.first_) = next;
    if (next != nullptr) next->previous = previous;
  }
  open_connection(const open_connection&) = delete;
  open_connection& operator=(const open_connection&) = delete;

  small_server& owner;
  net::stream stream;
  open_connection* next;
  open_connection* previous = nullptr;
};

small_server::small_server(io::loop& on, net::listening_sockets socket, unsigned connections_max)
    : loop_(on), socket_(std::move(socket)), connections_max_(connections_max) {}

small_server::~small_server() { RW_ASSERT(connections_.inside() == 0); }

void small_server::start() { loop_.kernel().accept(accepting_, socket_.fd(0)); }

io::task<> small_server::run(int fd) {
  open_connection one(*this, fd);
  co_await serve(one.stream);
  co_await one.stream.finish(loop_.now() + std::chrono::seconds{1});
  co_await one.stream.close();
}

void small_server::on_accepted(io::operation& op, io::completion what) {
  small_server& self = static_cast<acceptor&>(op).owner;
  if (what.result >= 0) {
    if (self.stopping_ || self.connections_.inside() >= self.connections_max_) {
      self.loop_.kernel().close(what.result);
    } else {
      io::spawn(self.run(what.result), self.connections_);
    }
  }
  if (what.more || self.stopping_ || self.resting_ || what.result == -ECANCELED) return;
  if (what.result >= 0) {
    self.start();
  } else {
    io::spawn(self.start_later(), self.connections_);  // no descriptor left, most likely
  }
}

io::task<> small_server::start_later() {
  io::sleep pause(loop_, loop_.now() + std::chrono::milliseconds{100});
  co_await pause;
  if (!stopping_ && !resting_) start();
}

io::task<> small_server::rest(unsigned besides, nanoseconds patience) {
  resting_ = true;
  loop_.kernel().cancel(accepting_);
  const mono_time deadline = loop_.now() + patience;
  while (accepting_.in_flight() || (connections_.inside() > besides && loop_.now() < deadline)) {
    io::sleep pause(loop_, loop_.now() + std::chrono::milliseconds{1});
    co_await pause;
  }
}

void small_server::resume() {
  resting_ = false;
  if (!stopping_ && !accepting_.in_flight()) start();
}

io::task<> small_server::stop() {
  stopping_ = true;
  loop_.kernel().cancel(accepting_);
  for (open_connection* one = first_; one != nullptr; one = one->next) {
    one->stream.abort(fault::canceled);
  }
  co_await connections_.empty();
  while (accepting_.in_flight()) {
    io::sleep pause(loop_, loop_.now() + std::chrono::milliseconds{1});
    co_await pause;
  }
}

}  // namespace rw::control
