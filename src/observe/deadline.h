// The deadlines that a configuration sets, as logs, status and metrics tell them apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rw::observe {

enum class deadline : std::uint8_t {
  none,
  // upstream.timeouts: a server took too long. TLS is part of `connect` in the configuration.
  connect,
  tls,
  first_byte,
  gap,
  total,
  // listener.timeouts: a client did.
  handshake,
  head,
  body_gap,
  write_gap,
  least_rate,
  end
};

inline constexpr std::array deadlines_of_servers = {
    deadline::connect, deadline::tls, deadline::first_byte, deadline::gap, deadline::total};
inline constexpr std::array deadlines_of_clients = {deadline::handshake, deadline::head,
                                                    deadline::body_gap, deadline::write_gap,
                                                    deadline::least_rate};

constexpr std::string_view name(deadline one) noexcept {
  constexpr std::string_view names[] = {"none",     "connect",   "tls",       "first_byte",
                                        "gap",      "total",     "handshake", "head",
                                        "body_gap", "write_gap", "least_rate"};
  static_assert(std::size(names) == static_cast<std::size_t>(deadline::end));
  return names[static_cast<std::size_t>(one)];
}

constexpr bool is_of_client(deadline one) noexcept { return one >= deadline::handshake; }

// "head 1, write_gap 3": those that were missed, by `count` of each; "" when none was.
template <class Count>
std::string missed_text(std::span<const deadline> of, const Count& count) {
  std::string text;
  for (const deadline one : of) {
    const std::uint64_t n = count(one);
    if (n == 0) continue;
    if (!text.empty()) text += ", ";
    text.append(name(one)).append(" ").append(std::to_string(n));
  }
  return text;
}

}  // namespace rw::observe
