// What a gate gives to the one that takes over from it: words about itself, and its listening
// sockets (SCM_RIGHTS). docs/systemd.md has the conversation around it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace rw::control {

struct handed_descriptor {
  enum class kind : std::uint8_t {
    listener,  // `name` is the manager's, see listeners
    admin,     // what the admin socket and the admin address listen on
    output     // standard output and standard error, in this order
  };
  kind what = kind::listener;
  std::string name;
  int fd = -1;
};

struct handover {
  static constexpr std::size_t descriptors_max = 1U << 14U;
  static constexpr std::size_t bytes_max = 2U << 20U;

  std::string configuration;  // absolute: what it was started with
  std::string directory;      // that it works in
  std::string manager;        // NOTIFY_SOCKET; empty: there is none
  nanoseconds watchdog{0};    // that the manager asked for
  std::uint64_t upgrades = 0;
  std::vector<handed_descriptor> descriptors;
};

// A line for each member and an empty one at the end; descriptors by kind and name.
std::string text_of(const handover& what);
// The other way, without the descriptors themselves. Nothing for a text that is no such.
std::optional<handover> parse_handover(std::string_view text);

// Over a connected unix stream socket. Blocks for a second at most while the other side does not
// read. False: it has not got all of it.
bool send_handover(int to, const handover& what);
// Blocks, for as long as SO_RCVTIMEO of `from` says. The caller closes the descriptors, which are
// close-on-exec. Nothing: what came was something else; `text` has it.
std::optional<handover> receive_handover(int from, std::string& text);

}  // namespace rw::control
