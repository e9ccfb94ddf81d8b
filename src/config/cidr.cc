#include "config/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/text.h"

namespace rw::config {
namespace {

failure invalid(const char* text) {
  return failure{{.code = fault::invalid, .from = origin::configuration, .text = text}};
}

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const ip16& ip) noexcept {
  return std::memcmp(ip.data(), mapped_prefix.data(), mapped_prefix.size()) == 0;
}

// Octets in network order as a number.
template <class N>
N load(const std::uint8_t* from) noexcept {
  N out = 0;
  for (std::size_t i = 0; i < sizeof(N); ++i) out = static_cast<N>(out << 8U | from[i]);
  return out;
}

// The bits after a prefix of `bits`.
template <class N>
N host_mask(std::uint64_t bits) noexcept {
  constexpr std::uint64_t width = sizeof(N) * 8;
  return bits == 0 ? static_cast<N>(~N{0}) : static_cast<N>((N{1} << (width - bits)) - 1);
}

}  // namespace

result<cidr_set> cidr_set::parse(std::span<const std::string> networks) {
  cidr_set out;
  for (const std::string& network : networks) {
    if (auto added = out.add(network); !added) return failure{added.error()};
  }
  join(out.v4_);
  join(out.v6_);
  return out;
}

result<> cidr_set::add(std::string_view network) {
  const std::size_t slash = network.find('/');
  if (network.contains('\0')) return invalid("a network must not contain U+0000");
  const std::string host(network.substr(0, slash));
  ip16 ip{};
  std::uint64_t width = 128;
  if (inet_pton(AF_INET, host.c_str(), ip.data() + 12) == 1) {
    std::ranges::copy(mapped_prefix, ip.begin());
    width = 32;
  } else if (inet_pton(AF_INET6, host.c_str(), ip.data()) != 1) {
    return invalid("not an IP network such as 10.0.0.0/8 or 2001:db8::/32");
  }
  std::uint64_t bits = width;
  if (slash != std::string_view::npos) {
    const auto written = parse_u64(network.substr(slash + 1));
    if (!written || *written > width) return invalid("the prefix is longer than the address");
    bits = *written;
  }
  const bool v4 = is_mapped(ip);
  if (v4 && width == 128) {
    if (bits < 96) return invalid("a mapped IPv4 network has a prefix of 96 or more");
    bits -= 96;
  }
  const auto put = [bits]<class N>(std::vector<range<N>>& ranges, N first) -> result<> {
    const N mask = host_mask<N>(bits);
    if ((first & mask) != 0) return invalid("bits after the prefix must be zero");
    ranges.push_back({first, static_cast<N>(first | mask)});
    return {};
  };
  return v4 ? put(v4_, load<std::uint32_t>(ip.data() + 12)) : put(v6_, load<u128>(ip.data()));
}

template <class N>
void cidr_set::join(std::vector<range<N>>& ranges) {
  std::ranges::sort(ranges, {}, &range<N>::first);
  std::size_t kept = 0;
  for (const range<N>& one : ranges) {
    const bool touches = kept > 0 && (ranges[kept - 1].last == static_cast<N>(~N{0}) ||
                                      one.first <= ranges[kept - 1].last + 1);
    if (touches) {
      ranges[kept - 1].last = std::max(ranges[kept - 1].last, one.last);
    } else {
      ranges[kept++] = one;
    }
  }
  ranges.resize(kept);
}

template <class N>
bool cidr_set::within(const std::vector<range<N>>& ranges, N ip) noexcept {
  const auto after = std::ranges::upper_bound(ranges, ip, {}, &range<N>::first);
  return after != ranges.begin() && ip <= std::prev(after)->last;
}

bool cidr_set::contains(const ip16& ip) const noexcept {
  return is_mapped(ip) ? within(v4_, load<std::uint32_t>(ip.data() + 12))
                       : within(v6_, load<u128>(ip.data()));
}

}  // namespace rw::config
