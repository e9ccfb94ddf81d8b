// A listening socket of the control thread, and a coroutine for each connection: for the admin
// socket, the admin page and the demo's origin.
#pragma once

#include "io/loop.h"
#include "io/task.h"
#include "net/listening_socket.h"
#include "net/stream.h"

namespace rw::control {

class small_server {
 public:
  // At most `connections_max` at a time; more are closed at once.
  small_server(io::loop& on, net::listening_sockets socket, unsigned connections_max);
  virtual ~small_server();
  small_server(const small_server&) = delete;
  small_server& operator=(const small_server&) = delete;

  void start();
  // Stops accepting, cuts what is open, waits until all has ended.
  io::task<> stop();
  // Stops accepting: who connects waits in the socket's queue for resume(), or for another process
  // that has the socket. Waits at most `patience` until no more than `besides` are open.
  io::task<> rest(unsigned besides, nanoseconds patience);
  void resume();
  net::listening_sockets& socket() noexcept { return socket_; }
  const std::string& name() const noexcept { return socket_.name(); }
  io::loop& loop() noexcept { return loop_; }

 protected:
  // Until it ends; the stream is closed afterwards.
  virtual io::task<> serve(net::stream& client) = 0;

 private:
  struct acceptor : io::operation {
    explicit acceptor(small_server& s) : operation(&on_accepted), owner(s) {}
    small_server& owner;
  };
  struct open_connection;
  static void on_accepted(io::operation& op, io::completion what);
  io::task<> run(int fd);
  io::task<> start_later();

  io::loop& loop_;
  net::listening_sockets socket_;
  unsigned connections_max_;
  acceptor accepting_{*this};
  open_connection* first_ = nullptr;
  io::gate connections_;
  bool stopping_ = false;
  bool resting_ = false;
};

}  // namespace rw::control
