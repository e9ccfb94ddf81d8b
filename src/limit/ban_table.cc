#include "limit/ban_table.h"

#include <sodium.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "limit/strikes.h"

namespace rw::limit {

namespace {

using std::chrono::milliseconds;

// Failures are told apart by 10 ms: 2^35 of those are ten years.
constexpr nanoseconds tick = milliseconds{10};
// What was over before the machine started has a time as well.
constexpr std::uint64_t origin_ms = 1ULL << 40U;

std::uint64_t ticks_of(mono_time at) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(at.time_since_epoch() / tick, 0));
}

// Rounded up: a ban is never shorter than was said.
std::uint64_t ms_of(mono_time at) noexcept {
  const auto since = std::chrono::ceil<milliseconds>(at.time_since_epoch()).count();
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(since + static_cast<std::int64_t>(origin_ms), 1));
}

mono_time time_of(std::uint64_t ms) noexcept {
  return mono_time(
      milliseconds(static_cast<std::int64_t>(ms) - static_cast<std::int64_t>(origin_ms)));
}

std::uint64_t ms_of(nanoseconds time) noexcept {
  return static_cast<std::uint64_t>(std::chrono::ceil<milliseconds>(time).count());
}

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// IPv4 stands where IPv6 has ffff:ffff::/32: multicast, from which nobody connects.
constexpr std::uint64_t ipv4_tags = 0xffff'ffff'0000'0000U;

std::uint64_t tag_of(const config::ip16& ip) noexcept {
  std::uint64_t tag = 0;
  if (std::memcmp(ip.data(), mapped_prefix.data(), mapped_prefix.size()) == 0) {
    for (std::size_t i = 12; i < 16; ++i) tag = tag << 8U | ip[i];
    return ipv4_tags | tag;
  }
  for (std::size_t i = 0; i < 8; ++i) tag = tag << 8U | ip[i];
  return std::max<std::uint64_t>(tag, 1);
}

config::ip16 network_of(std::uint64_t tag) noexcept {
  config::ip16 ip{};
  if (tag == 1) return ip;
  const bool is_ipv4 = (tag & ipv4_tags) == ipv4_tags;
  if (is_ipv4) std::copy(mapped_prefix.begin(), mapped_prefix.end(), ip.begin());
  const std::size_t first = is_ipv4 ? 12 : 0;
  const std::size_t size = is_ipv4 ? 4 : 8;
  for (std::size_t i = 0; i < size; ++i) {
    ip[first + i] = static_cast<std::uint8_t>(tag >> (8 * (size - 1 - i)));
  }
  return ip;
}

ban describe(std::uint64_t tag, const sentence& what) noexcept {
  return {.client = network_of(tag),
          .until = time_of(what.until_ms),
          .repeat = what.repeat,
          .cause = static_cast<ban_cause>(
              std::min(what.why, static_cast<std::uint8_t>(ban_cause::by_hand)))};
}

}  // namespace

std::string_view name(ban_cause what) noexcept {
  static constexpr std::array<std::string_view, 6> names = {
      "unauthorized", "expired", "forbidden", "malformed", "handshake", "by_hand"};
  static_assert(names.size() == static_cast<std::size_t>(ban_cause::end));
  return names[static_cast<std::size_t>(what)];
}

config::ip16 banned_network(const config::ip16& ip) noexcept { return network_of(tag_of(ip)); }

ban_table::ban_table(std::uint32_t places) : failures_(places, 1), bans_(places, 1) {
  random_bytes(std::as_writable_bytes(std::span(secret_)));
}

// SipHash-2-4: nobody outside can aim at another's places.
std::uint64_t ban_table::hash(std::uint64_t tag) const noexcept {
  std::array<unsigned char, crypto_shorthash_BYTES> out;
  std::array<unsigned char, sizeof tag> in;
  std::memcpy(in.data(), &tag, sizeof tag);
  crypto_shorthash(out.data(), in.data(), in.size(), secret_.data());
  std::uint64_t made = 0;
  std::memcpy(&made, out.data(), sizeof made);
  return made;
}

bool ban_table::holds(const config::ip16& ip, mono_time now) const noexcept {
  const std::uint64_t at = ms_of(now);
  if (last_end_ms_.load(std::memory_order_acquire) <= at) return false;
  const std::uint64_t tag = tag_of(ip);
  cells::view set = bans_.locate(hash(tag));
  return find_sentence(set, tag).until_ms > at;
}

void ban_table::changed(std::uint64_t until_ms) noexcept {
  std::uint64_t last = last_end_ms_.load(std::memory_order_relaxed);
  while (last < until_ms && !last_end_ms_.compare_exchange_weak(last, until_ms)) {
  }
  changes_.fetch_add(1, std::memory_order_release);
}

ban_table::effect ban_table::fail(const config::ip16& ip, std::uint32_t weight, ban_cause cause,
                                  const ban_rule& rule, mono_time now, ban& made) noexcept {
  if (weight == 0) return effect::noted;
  const std::uint64_t tag = tag_of(ip);
  const std::uint64_t where = hash(tag);
  const strike_rule counting{
      .most = rule.failures,
      .quarter = std::max<std::uint64_t>(
          static_cast<std::uint64_t>(rule.within / tick) / tally::quarters, 1)};
  cells::view tallies = failures_.locate(where);
  if (!strike(tallies, tag, weight, ticks_of(now), counting)) return effect::noted;

  const sentence_rule punishing{.first_ms = ms_of(rule.lasts),
                                .longest_ms = ms_of(longest),
                                .forgotten_ms = ms_of(forgotten_after)};
  cells::view sentences = bans_.locate(where);
  sentence result;
  switch (
      shut_out(sentences, tag, ms_of(now), static_cast<std::uint8_t>(cause), punishing, result)) {
    case sentenced::unchanged:
      return effect::noted;
    case sentenced::full:
      refused_.fetch_add(1, std::memory_order_relaxed);
      return effect::full;
    case sentenced::done:
      break;
  }
  changed(result.until_ms);
  made = describe(tag, result);
  return effect::banned;
}

bool ban_table::set(const ban& one, mono_time now) noexcept {
  const std::uint64_t tag = tag_of(one.client);
  const sentence wanted{.until_ms = ms_of(one.until),
                        .repeat = static_cast<std::uint8_t>(std::clamp(one.repeat, 1U, 255U)),
                        .why = static_cast<std::uint8_t>(one.cause)};
  cells::view set = bans_.locate(hash(tag));
  sentence result;
  const auto change = [&](const sentence& before) {
    sentence after = wanted;
    after.repeat = std::max(before.repeat, wanted.repeat);
    return after;
  };
  if (resentence(set, tag, ms_of(now), change, result) == sentenced::full) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  changed(result.until_ms);
  return true;
}

bool ban_table::lift(const config::ip16& ip, mono_time now) noexcept {
  const std::uint64_t tag = tag_of(ip);
  cells::view set = bans_.locate(hash(tag));
  const std::uint64_t at = ms_of(now);
  if (!forget(set, tag, [at](const sentence& s) { return s.until_ms > at; })) return false;
  changed(0);
  return true;
}

std::vector<ban> ban_table::all(mono_time now) {
  std::vector<ban> found;
  const std::uint64_t at = ms_of(now);
  const auto over = [at](const sentence& s) { return s.until_ms + ms_of(forgotten_after) <= at; };
  for (std::size_t number = 0; number < bans_.sets(); ++number) {
    cells::view set = bans_.at(number);
    for (unsigned i = 0; i < cells::view::ways; ++i) {
      const std::uint64_t tag = set.tag(i);
      if (tag == 0) continue;
      const sentence what = find_sentence(set, tag);
      if (what.repeat == 0) continue;  // on its way in, or gone meanwhile
      if (over(what)) {
        forget(set, tag, over);
      } else {
        found.push_back(describe(tag, what));
      }
    }
  }
  std::ranges::sort(found, {}, &ban::client);
  return found;
}

}  // namespace rw::limit
