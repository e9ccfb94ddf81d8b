// Sockets that accept: one per worker and listener, so that the kernel spreads connections.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/address.h"
#include "net/bind_helper.h"

namespace rw::net {

// How long open() is to try at the start of a gate: the kernel takes apart the ring of one that was
// killed after its end, and until then its sockets listen.
inline constexpr std::chrono::seconds after_a_kill{3};

// The sockets of one listener, one per worker; closed when destroyed.
class listening_sockets {
 public:
  // Binds `count` sockets to `where`, by SO_REUSEPORT after a first bind without it has shown that
  // nobody else has the port (a second Ringward would otherwise silently share it). A unix socket
  // is one, shared by all, with `mode` from the start; a stale file is replaced. Port 0 takes any
  // free one. Before other threads make files: the umask is changed for a moment. An address in use
  // is tried again for `patience`, while the thread waits. `helper` binds what this process may
  // not. Errors: the errno of socket, bind or listen.
  static result<listening_sockets> open(const config::address& where, unsigned count,
                                        mode_t mode = 0666, nanoseconds patience = {},
                                        const bind_helper& helper = {});
  // The same from sockets that listen at `where` already, at least one, which it owns from now on:
  // all of them, since there may be connections in the queue of each. IP sockets that are fewer
  // than `count` get company where whoever bound them lets others share the port; else workers
  // share them. Company does not listen before listen(). The file of a unix socket stays until
  // own_path().
  static listening_sockets adopt(const config::address& where, unsigned count, std::vector<int> fds,
                                 const bind_helper& helper = {});

  listening_sockets(listening_sockets&& other) noexcept;
  listening_sockets& operator=(listening_sockets&& other) noexcept;
  ~listening_sockets();

  // After adopt(): who listens has a queue, and who is in it is lost with a process that does not
  // get as far as to accept.
  void listen() noexcept;

  int fd(unsigned worker) const noexcept { return fds_[worker % fds_.size()]; }
  // Those that one of `workers` accepts from: at least one, and together all there are.
  std::vector<int> of(unsigned worker, unsigned workers) const;
  const std::vector<int>& all() const noexcept { return fds_; }
  // Somebody else goes on listening: the file of a unix socket is to stay.
  void leave_path() noexcept { owns_path_ = false; }
  // Nobody but this process is to listen: the file goes with it.
  void own_path() noexcept { owns_path_ = true; }
  // "127.0.0.1:8443", with the port that was given.
  const std::string& name() const noexcept { return name_; }

 private:
  listening_sockets() = default;
  std::vector<int> fds_;
  std::size_t listening_ = 0;  // how many of them do
  std::string name_;
  std::string unix_path_;  // empty: not a unix socket
  bool owns_path_ = true;
};

}  // namespace rw::net
