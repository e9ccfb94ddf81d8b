// Sockets of the load tools. What cannot be set up ends the program with one line on stderr.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

namespace rw::bench {

struct address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Prints "what: strerror(error)" and exits with status 1. `error` 0 leaves the second half out.
[[noreturn]] void die(std::string_view what, int error = 0);

// "IP:port", "[IP6]:port", "unix:/path" or "/path"; no names are resolved. Dies on anything else.
address parse_address(std::string_view text);

// A listening socket with TCP_NODELAY, which accepted sockets inherit. Blocking, as io_uring wants
// its sockets: with O_NONBLOCK it reports EAGAIN instead of waiting in the background. A stale Unix
// socket at the path is removed first.
int listen_on(const address& where);

// A blocking, unconnected stream socket for `where`, TCP_NODELAY set.
int socket_for(const address& where);

// "listening ADDRESS" on stdout, flushed: the line a script waits for; port 0 is resolved.
void announce(int listening);

// SIGTERM and SIGINT as a readable descriptor; blocks both. SIGPIPE is ignored.
int stop_signals();

}  // namespace rw::bench
