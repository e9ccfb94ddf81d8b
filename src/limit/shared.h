// What several gateways share of a limit: one bucket per key in Redis, by one script.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "limit/key.h"
#include "limit/pace.h"

namespace rw::limit {

// The generic cell rate algorithm of limit/set.h in Lua. A key's value is its theoretical arrival
// time in microseconds of the server's own clock, so that no gateway's matters, and goes when its
// budget is full again. KEYS and, for each, five ARGV: write_arguments(). Answers two numbers for
// each: how many it is granted, and the microseconds until its budget is full, as they are now.
// Nothing is taken unless each key that is not in shadow mode is granted its least.
std::string_view shared_script() noexcept;

inline constexpr std::size_t arguments_per_key = 5;

// What one key is asked for. A negative `want` gives back.
struct shared_demand {
  limit::pace pace;
  std::int64_t want = 1;
  std::int64_t least = 1;  // less than that is nothing
  bool shadow = false;
};

// Text of the arguments, in order.
struct shared_arguments {
  std::array<std::array<char, 24>, arguments_per_key> text;
  std::array<std::size_t, arguments_per_key> size{};
  std::string_view at(std::size_t i) const noexcept { return {text[i].data(), size[i]}; }
};
shared_arguments write_arguments(const shared_demand& what) noexcept;

// Of one key.
struct shared_answer {
  std::int64_t granted = 0;  // by itself; the script says whether all were
  nanoseconds debt{0};       // until the budget is full
};
// False: that is no answer to `what`.
bool read_answer(const shared_demand& what, std::int64_t granted, std::int64_t debt_us,
                 shared_answer& out) noexcept;

// What keys are hashed with: the same for all who know the password of the Redis, so that nobody
// who sees its keys alone can try out addresses and names. Without a password anybody can.
using shared_secret = std::array<unsigned char, 32>;
shared_secret make_shared_secret(std::string_view password) noexcept;

// "rw:NAME:" and 32 digits, the same on every gateway whose limit, routes and issuers have the same
// names. `route`: the name of the caller's. Replaces `out`.
void write_shared_key(std::string_view limit, const key_recipe& recipe, const caller& who,
                      std::string_view route, const shared_secret& secret, std::string& out);

// "rw:jti:" and 32 digits: a token that counts once, likewise.
void write_once_key(std::string_view issuer, std::string_view jti, const shared_secret& secret,
                    std::string& out);

}  // namespace rw::limit
