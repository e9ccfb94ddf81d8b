// Reads a secret from where the configuration says it is kept, and refuses one that others can
// read.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <optional>
#include <string>

#include "base/secret.h"
#include "config/config.h"
#include "config/diagnostic.h"

namespace rw::config {

inline constexpr std::size_t secret_bytes_max = std::size_t{64} << 10U;

// `source.prefix` and then the value, less one newline at its end. A file must be a regular file
// (links are followed) that belongs to root or the effective user and is closed to others: 0600, or
// 0640 for the effective group; below $CREDENTIALS_DIRECTORY systemd has seen to that. Blocks on
// the disk; any thread, but env needs that nobody calls setenv meanwhile. `source.from` must not be
// none.
std::expected<secret, diagnostic> read_secret(const secret_source& source);

struct file_access {
  uid_t owner;
  gid_t group;
  mode_t mode;  // the permission bits, and perhaps more
};

// What is wrong with the access to a secret's file, with the command that mends it; nothing when it
// is in order. Pure.
std::optional<std::string> refuse_access(const std::string& path, file_access file, uid_t user,
                                         gid_t group);

}  // namespace rw::config
