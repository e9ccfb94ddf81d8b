// Small files that are read and replaced as a whole.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "base/error.h"

namespace rw::control {

// The errors of both have the errno in `os`, or 0 and a text of their own. Both block on the disk.

// A regular file of at most so many bytes.
result<std::string> read_whole(const std::string& path, std::size_t bytes_max);

// The same, of a file that must be believed although others may write to its directory: it belongs
// to root or to who asks, is no link, and nobody else may write to it.
result<std::string> read_own(const std::string& path, std::size_t bytes_max);

// What `fd` has, from the beginning; "" of what cannot be read there, as a terminal.
std::string read_open(int fd);

// Replaces the file in one step and on the disk, or leaves it as it was: a power cut finds one or
// the other.
result<> replace_whole(const std::string& path, const std::string& text, mode_t mode);

// In words for an operator: the errno's, or the error's own.
std::string explain_file(const error& why);

}  // namespace rw::control
