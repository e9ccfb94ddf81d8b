// `ringward key list` and `key check`: what the key file of a configuration holds.
#pragma once

#include <string>

namespace rw::control {

// Prints a line for each key: its name, the kind of its hash, when it ends. What is wrong with the
// file, or should be better, goes to stderr. Blocks on the disk. The exit status.
int list_keys(const std::string& config);

// Reads a key from stdin and prints whose it is; 1 when it opens nothing, or no longer. Takes as
// long as the slow hashes in the file do.
int check_key(const std::string& config);

}  // namespace rw::control
