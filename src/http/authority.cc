#include "http/authority.h"

#include <arpa/inet.h>

#include <cstddef>
#include <cstring>

#include "http/scan.h"

namespace rw::http {

namespace {

bool is_port(std::string_view text) noexcept {
  if (text.size() > 5) return false;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return text.size() < 5 || text <= "65535";
}

// On its own, so that the buffer's guard is paid for by IPv6 alone.
[[gnu::noinline]] bool is_ipv6(std::string_view text) noexcept {
  char terminated[INET6_ADDRSTRLEN];
  in6_addr ignored;
  if (text.size() >= sizeof terminated) return false;
  if (text.find('\0') != text.npos) return false;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = 0;
  return inet_pton(AF_INET6, terminated, &ignored) == 1;
}

std::size_t host_size(std::string_view text) noexcept {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    return close != text.npos && is_ipv6(text.substr(1, close - 1)) ? close + 1 : 0;
  }
  const char* end = skip_host(text.data(), text.data() + text.size());
  return static_cast<std::size_t>(end - text.data());
}

}  // namespace

std::size_t authority_host_bytes(std::string_view text) noexcept {
  const std::size_t host = host_size(text);
  if (host == text.size()) return host;
  return text[host] == ':' && is_port(text.substr(host + 1)) ? host : 0;
}

bool parse_authority(std::string_view text, authority_parts& out) noexcept {
  const std::size_t host = authority_host_bytes(text);
  out.host = text.substr(0, host);
  out.port = host < text.size() && host > 0 ? text.substr(host + 1) : std::string_view{};
  return host > 0;
}

}  // namespace rw::http
