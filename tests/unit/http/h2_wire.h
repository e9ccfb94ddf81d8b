// Frames of HTTP/2 by hand (RFC 9113 4.1): what tests say here no library would send.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rw::http::test {

inline constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr unsigned data = 0, headers = 1, reset = 3, settings = 4, push = 5, ping = 6,
                          goaway = 7, update = 8, continuation = 9;
inline constexpr unsigned end_stream = 1, end_headers = 4, padded = 8;
inline constexpr std::string_view ok = "\x88";  // HPACK (RFC 7541): :status 200

inline std::string number(std::uint32_t n) {
  std::string out;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(n >> shift & 0xffU);
  return out;
}

inline std::string frame(unsigned type, unsigned flags, std::uint32_t stream,
                         std::string_view payload = {}) {
  std::string out = number(static_cast<std::uint32_t>(payload.size()) << 8U | type);
  out += static_cast<char>(flags);
  return out.append(number(stream)).append(payload);
}

// Payloads of the frames of a type in what was said after a preface, on one stream or on any.
inline std::vector<std::string> heard_in(std::string_view said, unsigned type,
                                         std::uint32_t stream = UINT32_MAX) {
  std::vector<std::string> found;
  while (said.size() >= 9) {
    const auto octet = [&](std::size_t i) -> std::uint32_t {
      return static_cast<unsigned char>(said[i]);
    };
    const std::size_t size = octet(0) << 16U | octet(1) << 8U | octet(2);
    const std::uint32_t on = octet(5) << 24U | octet(6) << 16U | octet(7) << 8U | octet(8);
    if (octet(3) == type && (stream == UINT32_MAX || stream == on)) {
      found.emplace_back(said.substr(9, size));
    }
    said.remove_prefix(std::min(9 + size, said.size()));
  }
  return found;
}

// The error of the last GOAWAY; UINT32_MAX: there was none.
inline std::uint32_t goaway_in(std::string_view said) {
  const std::vector<std::string> all = heard_in(said, goaway);
  return all.empty() ? UINT32_MAX : static_cast<unsigned char>(all.back().at(7));
}

}  // namespace rw::http::test
