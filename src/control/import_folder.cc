#include "control/import_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace rw::control {
namespace {

constexpr mode_t folder_mode = 0755;  // what is secret in it is closed by itself
constexpr mode_t others_may_write = 0002;

std::string reason(int code) { return std::generic_category().message(code); }

std::unexpected<std::string> refuse(const std::string& path, std::string_view why) {
  return std::unexpected(fmt::format("{}: {}", in_quotes(path), why));
}

// Links may lead about below `folder`, and nowhere else (openat2(2), Linux 5.6).
int open_beneath(int folder, const std::string& name, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how));
}

bool is_empty(const std::string& path, std::error_code& why) {
  return std::filesystem::directory_iterator(path, why) == std::filesystem::directory_iterator{};
}

std::expected<void, std::string> put(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return std::unexpected(reason(size < 0 ? errno : ENOSPC));
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  if (::fsync(fd) != 0) return std::unexpected(reason(errno));
  return {};
}

}  // namespace

std::expected<old_folder, std::string> old_folder::open(const std::string& path) {
  std::error_code why;
  const std::string whole = std::filesystem::canonical(path, why).string();
  if (why) return refuse(path, why.message());
  const int fd = ::open(whole.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return refuse(path, reason(errno));
  return old_folder(fd, whole);
}

old_folder::old_folder(old_folder&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

old_folder::~old_folder() {
  if (fd_ >= 0) ::close(fd_);
}

bool old_folder::has(const std::string& name) const {
  const int fd = open_beneath(fd_, name, O_PATH);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

std::optional<std::string> old_folder::read(const std::string& name, std::size_t bytes_max,
                                            import_notes& out) const {
  const auto leave = [&](std::string_view why) {
    out.push_back({name, 0, fmt::format("{}; it was left out", why)});
    return std::nullopt;
  };
  // Never waits for the writer of a FIFO.
  const int fd = open_beneath(fd_, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    if (errno == EXDEV) return leave("this leads out of the folder");
    return leave(fmt::format("this cannot be opened: {}", reason(errno)));
  }
  const old_folder closer(fd, {});
  struct stat what{};
  if (::fstat(fd, &what) != 0 || !S_ISREG(what.st_mode)) return leave("this is no regular file");
  const std::string too_large = fmt::format("this has more than {} bytes", bytes_max);
  if (static_cast<std::uint64_t>(what.st_size) > bytes_max) return leave(too_large);
  std::string text(static_cast<std::size_t>(what.st_size) + 1, '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const ssize_t size = ::read(fd, text.data() + used, text.size() - used);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return leave(fmt::format("this cannot be read: {}", reason(errno)));
    if (size == 0) break;
    used += static_cast<std::size_t>(size);
  }
  if (used == text.size()) return leave("this grows while it is read");
  text.resize(used);
  return text;
}

std::expected<new_folder, std::string> new_folder::make(const std::string& path) {
  const bool made = ::mkdir(path.c_str(), folder_mode) == 0;
  if (!made && errno != EEXIST) return refuse(path, reason(errno));
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return refuse(path, reason(errno));
  std::error_code why;
  new_folder folder(fd, made, std::filesystem::canonical(path, why).string());
  if (why) return refuse(path, why.message());
  struct stat what{};
  if (::fstat(fd, &what) != 0) return refuse(path, reason(errno));
  if (what.st_uid != ::geteuid() && what.st_uid != 0) {
    return refuse(path, "belongs to somebody else, who could change what is written there");
  }
  if ((what.st_mode & others_may_write) != 0) {
    return refuse(path, "others may write there; chmod o-w mends it");
  }
  const bool empty = is_empty(folder.path_, why);
  if (why) return refuse(path, why.message());
  if (!empty) {
    return refuse(path, "is not empty; name a folder that is, or one that is not there yet");
  }
  return folder;
}

new_folder::new_folder(new_folder&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      made_(other.made_),
      keeps_(other.keeps_),
      path_(std::move(other.path_)),
      written_(std::move(other.written_)) {}

new_folder::~new_folder() {
  if (fd_ < 0) return;
  if (!keeps_) {
    for (const std::string& name : written_) ::unlinkat(fd_, name.c_str(), 0);
    if (made_) ::rmdir(path_.c_str());
  }
  ::close(fd_);
}

std::expected<void, std::string> new_folder::write(const std::string& name, std::string_view text,
                                                   unsigned mode) {
  const int fd = ::openat(fd_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          mode_t{mode});
  if (fd < 0) return refuse(name, reason(errno));
  written_.push_back(name);
  auto done = put(fd, text);
  if (::close(fd) != 0 && done) done = std::unexpected(reason(errno));
  if (!done) return refuse(name, done.error());
  return {};
}

}  // namespace rw::control
