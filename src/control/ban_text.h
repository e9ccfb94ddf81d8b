// Bans as text: in their file, in what gateways tell each other, and for people.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "limit/ban_table.h"

namespace rw::control {

// Both clocks, read at once: bans are kept by the one that never jumps, and told by the other.
struct two_clocks {
  mono_time mono;
  wall_time wall;
};

// "192.0.2.1", "2001:db8::1", either with the only prefix that it can have.
bool parse_client(std::string_view text, config::ip16& out);

// To the nearest second, for people and in the file: a restart changes nothing that is shown.
std::chrono::sys_seconds second_of(wall_time at);
std::string moment(wall_time at);

wall_time until_of(const limit::ban& one, two_clocks now);

// By hand when it is none that is known.
limit::ban_cause find_ban_cause(std::string_view text) noexcept;

}  // namespace rw::control
