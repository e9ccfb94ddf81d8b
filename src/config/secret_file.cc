#include "config/secret_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace rw::config {
namespace {

constexpr const char* credentials_variable = "CREDENTIALS_DIRECTORY";

std::unexpected<diagnostic> refuse(std::string file, std::string text) {
  return std::unexpected(diagnostic{.file = std::move(file), .text = std::move(text)});
}

std::string reason(int code) { return std::generic_category().message(code); }

std::string user_name(uid_t user) {
  std::array<char, 1024> space{};
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(user, &entry, space.data(), space.size(), &found);
  return found != nullptr ? entry.pw_name : std::to_string(user);
}

std::string group_name(gid_t group) {
  std::array<char, 4096> space{};
  struct group entry{};
  struct group* found = nullptr;
  getgrgid_r(group, &entry, space.data(), space.size(), &found);
  return found != nullptr ? entry.gr_name : std::to_string(group);
}

// As a shell takes it for one word.
std::string quoted(const std::string& path) {
  std::string out = "'";
  for (const char c : path) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// Holds a secret on its way into guarded memory.
class buffer {
 public:
  buffer() = default;
  buffer(const buffer&) = delete;
  buffer& operator=(const buffer&) = delete;
  ~buffer() { wipe(bytes_.data(), bytes_.size()); }

  char* data() noexcept { return bytes_.data() + used_; }
  std::size_t room() const noexcept { return bytes_.size() - used_; }
  void filled(std::size_t size) noexcept { used_ += size; }
  std::string_view view() const noexcept { return {bytes_.data(), used_}; }

 private:
  std::vector<char> bytes_ = std::vector<char>(secret_bytes_max + 1);
  std::size_t used_ = 0;
};

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::expected<secret, diagnostic> finish(std::string_view value, const std::string& prefix,
                                         const std::string& where) {
  if (value.ends_with('\n')) value.remove_suffix(1);
  if (value.empty()) return refuse(where, "the secret is empty");
  if (value.size() > secret_bytes_max) return refuse(where, "a secret has at most 64 KiB");
  if (prefix.empty()) return secret(value);
  std::string joined;
  joined.reserve(prefix.size() + value.size());  // no copy is left behind by growth
  joined.append(prefix).append(value);
  secret out(joined);
  wipe(joined.data(), joined.size());
  return out;
}

// Whether systemd put the file there, and so has seen to who may read it.
bool is_below_credentials(const std::string& path) {
  const char* root = std::getenv(credentials_variable);
  if (root == nullptr || *root == '\0') return false;
  return path.starts_with(std::string(root) + "/") && !path.contains("/../") &&
         !path.ends_with("/..");
}

std::expected<secret, diagnostic> read_file(const std::string& path, const std::string& prefix,
                                            bool is_credential) {
  // Never waits for the writer of a FIFO.
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (file.get() < 0) {
    const int code = errno;
    if (code != EACCES) return refuse(path, "cannot open the secret: " + reason(code));
    return refuse(path, fmt::format("user {0} may not read the secret; chown {0} {1} && chmod 0600 "
                                    "{1} mends it, if its folder lets them in",
                                    user_name(::geteuid()), quoted(path)));
  }
  struct stat what{};
  if (::fstat(file.get(), &what) != 0) return refuse(path, reason(errno));
  if (!S_ISREG(what.st_mode)) return refuse(path, "a secret is kept in a regular file");
  if (!is_credential) {
    const file_access access{.owner = what.st_uid, .group = what.st_gid, .mode = what.st_mode};
    if (auto why = refuse_access(path, access, ::geteuid(), ::getegid())) {
      return refuse(path, std::move(*why));
    }
  }
  buffer bytes;
  while (bytes.room() > 0) {
    const ssize_t size = ::read(file.get(), bytes.data(), bytes.room());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return refuse(path, "cannot read the secret: " + reason(errno));
    if (size == 0) break;
    bytes.filled(static_cast<std::size_t>(size));
  }
  return finish(bytes.view(), prefix, path);
}

}  // namespace

std::optional<std::string> refuse_access(const std::string& path, file_access file, uid_t user,
                                         gid_t group) {
  constexpr mode_t group_may_read = 0040;
  const std::string name = quoted(path);
  if (file.owner != 0 && file.owner != user) {
    return fmt::format("belongs to {}, who could change it; chown {} {} mends it",
                       user_name(file.owner), user_name(user), name);
  }
  const mode_t open = file.mode & 0077U;
  if (open == 0) return {};
  if (open == group_may_read && file.group == group) return {};
  if (open == group_may_read) {
    return fmt::format("group {} may read it; chgrp {} {} or chmod 0600 {} mends it",
                       group_name(file.group), group_name(group), name, name);
  }
  return fmt::format("others may reach it (mode {:04o}); chmod 0600 {} mends it",
                     static_cast<unsigned>(file.mode & 07777U), name);
}

std::expected<secret, diagnostic> read_secret(const secret_source& source) {
  RW_ASSERT(source.from != secret_source::kind::none);
  if (source.from == secret_source::kind::file) {
    return read_file(source.name, source.prefix, is_below_credentials(source.name));
  }
  if (source.from == secret_source::kind::credential) {
    const char* root = std::getenv(credentials_variable);
    if (root != nullptr && *root != '\0') {
      return read_file(std::string(root) + "/" + source.name, source.prefix, true);
    }
    return refuse("credential " + source.name,
                  fmt::format("${} is not set; LoadCredential={}:/path in the systemd unit sets it",
                              credentials_variable, source.name));
  }
  std::string where = "environment variable " + source.name;
  const char* value = std::getenv(source.name.c_str());
  if (value == nullptr) return refuse(std::move(where), "is not set");
  return finish(value, source.prefix, where);
}

}  // namespace rw::config
