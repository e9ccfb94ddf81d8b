// Servers of an upstream with addresses that can be connected to.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"

struct addrinfo;

namespace rw::upstream {

// Of one host name; a resolver may know more.
inline constexpr std::size_t addresses_per_name_max = 16;

// TLS handshakes that failed with one server, on all workers: for the log, which workers do not
// write.
struct handshake_failures {
  std::atomic<std::uint64_t> count = 0;
  std::atomic<const char*> last = "";  // a literal that says why

  void add(const char* why) noexcept {
    last.store(why, std::memory_order_relaxed);
    count.fetch_add(1, std::memory_order_release);
  }
};

struct server {
  std::string name;  // as configured: "127.0.0.1:5001", "unix:/run/app.sock"; a host name with the
                     // address that is meant: "localhost:5001 (::1)"
  std::string host;  // what goes into Host when `host = "upstream"`
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::uint32_t weight = 1;
  bool backup = false;
  std::string tls_name;  // whom its certificate is for, where TLS is spoken
  std::shared_ptr<handshake_failures> failures = std::make_shared<handshake_failures>();
};

// Of a server's `host`, what goes into Host: a port that everybody expects there is left out, as
// browsers do (RFC 9110 4.2.1, 4.2.2); some origins know themselves by the name alone.
constexpr std::string_view host_field(std::string_view host, bool tls) noexcept {
  const std::string_view usual = tls ? ":443" : ":80";
  if (host.ends_with(usual)) host.remove_suffix(usual.size());
  return host;
}

// One server for each address: `localhost` may be ::1 and 127.0.0.1, and the origin listen on one
// of them. Never empty. Looks names up with the system's resolver: blocks, never on a worker.
// Errors: fault::invalid for what is no address, fault::unreachable for a name nobody knows.
result<std::vector<server>> resolve(const config::upstream_server& from);

// The part of resolve() behind the resolver: each address of its answer once.
std::vector<server> servers_at(const config::upstream_server& from, const addrinfo* found);

}  // namespace rw::upstream
