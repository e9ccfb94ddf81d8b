#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace rw::net {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const config::ip16& ip) noexcept {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), ip.begin());
}

}  // namespace

endpoint to_endpoint(const sockaddr_storage& address) noexcept {
  endpoint found;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), found.ip.begin());
    std::memcpy(found.ip.data() + 12, &v4.sin_addr, 4);
    found.port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    std::memcpy(found.ip.data(), &v6.sin6_addr, 16);
    found.port = ntohs(v6.sin6_port);
  } else {
    found.is_unix = true;
  }
  return found;
}

config::address to_socket_address(const config::ip16& ip, std::uint16_t port) noexcept {
  config::address made{.what = config::address::kind::ip, .port = port};
  if (is_mapped(ip)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    std::memcpy(&to.sin_addr, ip.data() + 12, 4);
    std::memcpy(&made.socket, &to, sizeof to);
    made.length = sizeof to;
  } else {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    std::memcpy(&to.sin6_addr, ip.data(), 16);
    std::memcpy(&made.socket, &to, sizeof to);
    made.length = sizeof to;
  }
  return made;
}

endpoint_text::endpoint_text(const config::ip16& ip, bool is_unix) noexcept {
  if (is_unix) {
    std::memcpy(text_.data(), "unix", 5);
  } else if (is_mapped(ip)) {
    // By hand: inet_ntop goes through printf, and this runs for every request.
    char* at = text_.data();
    for (std::size_t i = 12; i < 16; ++i) {
      at = std::to_chars(at, text_.data() + text_.size(), ip[i]).ptr;
      *at++ = '.';
    }
    size_ = static_cast<std::size_t>(at - 1 - text_.data());
    return;
  } else {
    inet_ntop(AF_INET6, ip.data(), text_.data(), socklen_t{46});
  }
  size_ = std::strlen(text_.data());
}

bool parse_ip(std::string_view text, config::ip16& out) noexcept {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return false;
    text = text.substr(1, end - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  if (text.empty() || text.size() >= copy.size() || text.contains('\0')) return false;
  std::copy(text.begin(), text.end(), copy.begin());
  in_addr v4{};
  if (inet_pton(AF_INET, copy.data(), &v4) == 1) {
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.begin());
    std::memcpy(out.data() + 12, &v4, 4);
    return true;
  }
  return inet_pton(AF_INET6, copy.data(), out.data()) == 1;
}

}  // namespace rw::net
