// Servers of an upstream with addresses that can be connected to.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/cidr.h"
#include "config/config.h"

namespace rw::upstream {

// What host names came to when they were last looked up, each in ascending order without doubles.
using address_book = std::map<std::string, std::vector<config::ip16>, std::less<>>;

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
// of them. None for a host name that is not in the book, or has no address there. Errors:
// fault::invalid for what is no address.
result<std::vector<server>> servers_of(const config::upstream_server& from,
                                       const address_book& known);

// Host names among the addresses of upstreams and of Redis: lower case, each once, in order.
std::vector<std::string> host_names(const config::configuration& settings);

}  // namespace rw::upstream
