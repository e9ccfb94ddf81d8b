// What a gate gets at once it is locked down, by what its configuration names: files are replaced
// by renaming others over them, so it is directories that count.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"

namespace rw::control {

struct reach {
  // Directories with all that is below them, absolute and without a link; and single files, where
  // their directory is too much.
  std::vector<std::string> reads;
  std::vector<std::string> writes;   // and reads, makes and removes files there
  std::vector<std::string> sockets;  // directories; their unix sockets are removed at the end
  std::vector<std::uint16_t> ports;  // of TCP, to connect to
  // By name, as the configuration has them: what is read, and the logs.
  std::vector<std::string> files;
  std::vector<std::string> logs;
};

// `source`: the file or directory the configuration came from, empty for none. `files`: what it
// names to be read (gateway::snapshot::files). Blocks on the disk.
reach reach_of(const std::string& source, const config::configuration& settings,
               const std::vector<std::string>& files);

// The ports that servers, Redis and key servers are connected to, and that of names. Sorted.
std::vector<std::uint16_t> ports_of(const config::configuration& settings);

// What is out of `within`, one line each for an operator. The first one blocks on the disk.
std::vector<std::string> files_out_of_reach(const reach& within,
                                            const std::vector<std::string>& files);
std::vector<std::string> ports_out_of_reach(const reach& within,
                                            const std::vector<std::uint16_t>& ports);

}  // namespace rw::control
