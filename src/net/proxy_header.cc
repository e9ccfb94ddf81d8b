#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace rw::net {
namespace {

constexpr std::string_view first_word = "PROXY ";
constexpr std::size_t line_bytes_max = 107;  // with CR LF
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t fixed_bytes = 16;  // signature, version and command, family, length
constexpr std::size_t ip4_bytes = 4;
constexpr std::size_t ip6_bytes = 16;
constexpr std::size_t port_bytes = 2;
constexpr std::size_t unix_path_bytes = 108;
constexpr unsigned char crc_type = 3;  // PP2_TYPE_CRC32C
constexpr std::size_t crc_bytes = 4;
constexpr std::size_t tlv_fixed_bytes = 3;

enum command : unsigned char { local = 0x20, proxied = 0x21 };
enum family : unsigned char { unspecified = 0x00, tcp4 = 0x11, tcp6 = 0x21, unix_stream = 0x31 };

bool starts_alike(std::string_view bytes, std::string_view wanted) noexcept {
  return bytes.starts_with(wanted.substr(0, bytes.size()));
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8U |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

// ------------------------------------------------------------------------------- version 1

// Takes what stands before the next space, or the rest. A field that is missing is empty.
std::string_view take_field(std::string_view& line) noexcept {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

// As inet_pton(3) has it: no leading zeros, no zone, no brackets.
bool read_ip(int family, std::string_view text, config::ip16& out) noexcept {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.contains('\0')) return false;
  std::copy(text.begin(), text.end(), copy.begin());
  if (family == AF_INET6) return ::inet_pton(AF_INET6, copy.data(), out.data()) == 1;
  out = {};
  out[10] = out[11] = 0xff;
  return ::inet_pton(AF_INET, copy.data(), out.data() + ip6_bytes - ip4_bytes) == 1;
}

bool read_port(std::string_view text, std::uint16_t& out) noexcept {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  const auto [end, why] = std::from_chars(text.data(), text.data() + text.size(), out);
  return why == std::errc{} && end == text.data() + text.size();
}

proxy_state parse_line(std::string_view bytes, proxy_header& out) noexcept {
  if (!starts_alike(bytes, first_word)) return proxy_state::refused;
  const std::string_view head = bytes.substr(0, line_bytes_max);
  const std::size_t end = head.find('\n');
  if (end == std::string_view::npos) {
    return bytes.size() < line_bytes_max ? proxy_state::partial : proxy_state::refused;
  }
  if (head[end - 1] != '\r') return proxy_state::refused;
  out = {.size = end + 1};
  std::string_view line = head.substr(first_word.size(), end - 1 - first_word.size());
  const std::string_view kind = take_field(line);
  if (kind == "UNKNOWN") return proxy_state::complete;  // whatever follows it
  if (kind != "TCP4" && kind != "TCP6") return proxy_state::refused;
  const int family = kind == "TCP4" ? AF_INET : AF_INET6;
  const std::string_view from = take_field(line);
  const std::string_view to = take_field(line);
  const std::string_view from_port = take_field(line);
  out.has_addresses = read_ip(family, from, out.from.ip) && read_ip(family, to, out.to.ip) &&
                      read_port(from_port, out.from.port) && read_port(line, out.to.port);
  return out.has_addresses ? proxy_state::complete : proxy_state::refused;
}

// ------------------------------------------------------------------------------- version 2

// Castagnoli's polynomial, reflected, a bit at a time: 4 KiB at most, once per connection.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t state) noexcept {
  for (const char one : bytes) {
    state ^= static_cast<unsigned char>(one);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1U) ^ (0x82F63B78U & (0U - (state & 1U)));
  }
  return state;
}

// Over the whole header, with its own four octets, which are at `at`, as zero.
bool is_crc_right(std::string_view header, std::size_t at) noexcept {
  std::uint32_t state = crc32c(header.substr(0, at), ~0U);
  state = crc32c({"\0\0\0\0", crc_bytes}, state);
  state = ~crc32c(header.substr(at + crc_bytes), state);
  const std::uint32_t given =
      std::uint32_t{number_at(header, at)} << 16U | number_at(header, at + 2);
  return state == given;
}

bool are_extensions_right(std::string_view header, std::size_t at) noexcept {
  while (at < header.size()) {
    if (header.size() - at < tlv_fixed_bytes) return false;
    const std::size_t size = number_at(header, at + 1);
    const std::size_t value = at + tlv_fixed_bytes;
    if (size > header.size() - value) return false;
    if (static_cast<unsigned char>(header[at]) == crc_type &&
        (size != crc_bytes || !is_crc_right(header, value))) {
      return false;
    }
    at = value + size;
  }
  return true;
}

endpoint endpoint_at(std::string_view header, std::size_t ip, std::size_t ip_bytes,
                     std::size_t port) noexcept {
  endpoint made;
  if (ip_bytes == ip4_bytes) made.ip[10] = made.ip[11] = 0xff;
  std::memcpy(made.ip.data() + made.ip.size() - ip_bytes, header.data() + ip, ip_bytes);
  made.port = number_at(header, port);
  return made;
}

proxy_state parse_binary(std::string_view bytes, proxy_header& out) noexcept {
  if (!starts_alike(bytes, signature)) return proxy_state::refused;
  if (bytes.size() < fixed_bytes) return proxy_state::partial;
  const auto what = static_cast<unsigned char>(bytes[12]);
  const auto kind = static_cast<unsigned char>(bytes[13]);
  if (what != local && what != proxied) return proxy_state::refused;
  out = {.size = fixed_bytes + number_at(bytes, 14)};
  if (out.size > proxy_header_bytes_max) return proxy_state::refused;
  std::size_t ip_bytes = 0;
  std::size_t addresses = 0;
  if (kind == tcp4 || kind == tcp6) {
    ip_bytes = kind == tcp4 ? ip4_bytes : ip6_bytes;
    addresses = 2 * (ip_bytes + port_bytes);
  } else if (kind == unix_stream) {
    addresses = 2 * unix_path_bytes;
  } else if (kind != unspecified && what != local) {
    return proxy_state::refused;  // datagrams, and what is not assigned
  }
  if (what == proxied && out.size < fixed_bytes + addresses) return proxy_state::refused;
  if (bytes.size() < out.size) return proxy_state::partial;
  if (what == local) return proxy_state::complete;  // its block counts for nothing
  const std::string_view header = bytes.substr(0, out.size);
  if (!are_extensions_right(header, fixed_bytes + addresses)) return proxy_state::refused;
  if (ip_bytes == 0) return proxy_state::complete;
  const std::size_t ports = fixed_bytes + 2 * ip_bytes;
  out.has_addresses = true;
  out.from = endpoint_at(header, fixed_bytes, ip_bytes, ports);
  out.to = endpoint_at(header, fixed_bytes + ip_bytes, ip_bytes, ports + port_bytes);
  return proxy_state::complete;
}

bool is_ip4(const endpoint& one) noexcept {
  return to_socket_address(one.ip, one.port).socket.ss_family == AF_INET;
}

char* append(char* at, std::string_view text) noexcept {
  return std::copy(text.begin(), text.end(), at);
}

}  // namespace

proxy_state parse_proxy_header(std::string_view bytes, proxy_header& out) noexcept {
  if (bytes.empty()) return proxy_state::partial;
  return bytes.front() == signature.front() ? parse_binary(bytes, out) : parse_line(bytes, out);
}

std::size_t write_proxy_header(config::proxy_protocol version, const proxy_header& what,
                               std::span<char, written_proxy_header_max> out) noexcept {
  const bool ip4 = is_ip4(what.from) && is_ip4(what.to);
  char* at = out.data();
  if (version == config::proxy_protocol::v1) {
    if (!what.has_addresses) return static_cast<std::size_t>(append(at, "PROXY UNKNOWN\r\n") - at);
    at = append(at, ip4 ? "PROXY TCP4" : "PROXY TCP6");
    for (const endpoint* one : {&what.from, &what.to}) {
      *at++ = ' ';
      // Of two families the one is written as the other.
      if (!ip4 && is_ip4(*one)) at = append(at, "::ffff:");
      at = append(at, endpoint_text(one->ip).view());
    }
    at = fmt::format_to(at, " {} {}\r\n", what.from.port, what.to.port);
    return static_cast<std::size_t>(at - out.data());
  }
  const std::size_t ip_bytes = ip4 ? ip4_bytes : ip6_bytes;
  const std::size_t block = what.has_addresses ? 2 * (ip_bytes + port_bytes) : 0;
  at = append(at, signature);
  *at++ = static_cast<char>(what.has_addresses ? proxied : local);
  *at++ = static_cast<char>(!what.has_addresses ? unspecified : ip4 ? tcp4 : tcp6);
  *at++ = 0;
  *at++ = static_cast<char>(block);
  if (block == 0) return fixed_bytes;
  for (const endpoint* one : {&what.from, &what.to}) {
    at = std::copy(one->ip.end() - static_cast<std::ptrdiff_t>(ip_bytes), one->ip.end(), at);
  }
  for (const endpoint* one : {&what.from, &what.to}) {
    *at++ = static_cast<char>(one->port >> 8U);
    *at++ = static_cast<char>(one->port & 0xffU);
  }
  return static_cast<std::size_t>(at - out.data());
}

}  // namespace rw::net
