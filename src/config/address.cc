#include "config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/text.h"
#include "config/names.h"

namespace rw::config {
namespace {

failure invalid(const char* text) {
  return failure{{.code = fault::invalid, .from = origin::configuration, .text = text}};
}

result<address> parse_unix(std::string_view path) {
  address out{.what = address::kind::unix_path};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (!path.starts_with('/')) return invalid("a unix socket needs an absolute path");
  if (path.size() >= sizeof to.sun_path)
    return invalid("a unix socket's path has at most 107 octets");
  if (path.contains('\0')) return invalid("a path must not contain U+0000");
  std::memcpy(to.sun_path, path.data(), path.size());
  std::memcpy(&out.socket, &to, sizeof to);
  out.length = sizeof to;
  return out;
}

void put_ip(address& out, const in_addr& ip) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(out.port);
  to.sin_addr = ip;
  std::memcpy(&out.socket, &to, sizeof to);
  out.length = sizeof to;
}

void put_ip(address& out, const in6_addr& ip) {
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(out.port);
  to.sin6_addr = ip;
  std::memcpy(&out.socket, &to, sizeof to);
  out.length = sizeof to;
}

// A resolver takes "1.2.3" and "0x7f.1" for IPv4; nobody who writes them means a name.
bool looks_like_ipv4(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return !last.empty() && last.front() >= '0' && last.front() <= '9';
}

}  // namespace

result<address> parse_address(std::string_view text) {
  constexpr std::string_view unix_scheme = "unix:";
  if (text.starts_with(unix_scheme)) return parse_unix(text.substr(unix_scheme.size()));
  if (text.contains('\0')) return invalid("an address must not contain U+0000");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) return invalid("the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port = parse_u64(digits);
  if (!port || *port > 65535 || digits.size() > 5) return invalid("a port is a number up to 65535");
  address out{.port = static_cast<std::uint16_t>(*port)};

  if (host.starts_with('[') && host.ends_with(']')) {
    in6_addr ip{};
    const std::string inner(host.substr(1, host.size() - 2));
    if (inet_pton(AF_INET6, inner.c_str(), &ip) != 1) return invalid("not an IPv6 address");
    put_ip(out, ip);
    return out;
  }
  if (host.contains(':')) return invalid("an IPv6 address stands in brackets, as in [::1]:443");
  if (host.empty() || host == "*") return invalid("the address is missing; [::] is any");
  in_addr ip{};
  if (inet_pton(AF_INET, std::string(host).c_str(), &ip) == 1) {
    put_ip(out, ip);
    return out;
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (looks_like_ipv4(host)) return invalid("not an IPv4 address");
  if (!is_host_name(host)) return invalid("not a host name or an address");
  out.what = address::kind::host_name;
  out.host = lower_case(host);
  return out;
}

bool is_loopback(const address& where) noexcept {
  if (where.what == address::kind::unix_path) return true;
  if (where.what == address::kind::host_name) return false;
  if (where.socket.ss_family == AF_INET) {
    const auto& to = reinterpret_cast<const sockaddr_in&>(where.socket);
    return (ntohl(to.sin_addr.s_addr) >> 24U) == 127;
  }
  const auto& to = reinterpret_cast<const sockaddr_in6&>(where.socket);
  return IN6_IS_ADDR_LOOPBACK(&to.sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&to.sin6_addr) && to.sin6_addr.s6_addr[12] == 127);
}

}  // namespace rw::config
