#include "control/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/ring.h"

namespace rw::control {
namespace {

failure last_error() { return failure(io::kernel_error(errno, origin::local)); }

failure refusal(const char* text) { return failure({.code = fault::denied, .text = text}); }

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() { close(); }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const noexcept { return fd_; }
  int close() noexcept { return fd_ >= 0 ? ::close(std::exchange(fd_, -1)) : 0; }

 private:
  int fd_;
};

result<std::string> contents(int fd, std::size_t bytes_max) {
  std::string text(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return last_error();
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > bytes_max) return failure({.code = fault::too_large, .text = "the file is too long"});
  text.resize(size);
  return text;
}

// Never waits for the writer of a FIFO.
result<std::string> read(const std::string& path, std::size_t bytes_max, bool own) {
  const int more = own ? O_NOFOLLOW : 0;
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | more));
  if (file.get() < 0) return last_error();
  struct stat what{};
  if (::fstat(file.get(), &what) != 0) return last_error();
  if (!S_ISREG(what.st_mode)) return refusal("this is no regular file");
  if (own && what.st_uid != 0 && what.st_uid != ::geteuid()) {
    return refusal("the file belongs to somebody else, who could have changed it");
  }
  if (own && (what.st_mode & 0022U) != 0) return refusal("others may write to the file");
  return contents(file.get(), bytes_max);
}

result<> fill(const descriptor& file, const std::string& text, mode_t mode) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t put = ::write(file.get(), text.data() + at, text.size() - at);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return last_error();
    at += static_cast<std::size_t>(put);
  }
  if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) return last_error();
  return {};
}

}  // namespace

result<std::string> read_whole(const std::string& path, std::size_t bytes_max) {
  return read(path, bytes_max, false);
}

result<std::string> read_own(const std::string& path, std::size_t bytes_max) {
  return read(path, bytes_max, true);
}

std::string read_open(int fd) {
  std::string all;
  std::array<char, 4096> bytes;
  for (ssize_t got = 0;
       (got = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(all.size()))) > 0;) {
    all.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return all;
}

result<> replace_whole(const std::string& path, const std::string& text, mode_t mode) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());  // of a run that was cut short; another's would make O_EXCL fail
  descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return last_error();
  result<> done = fill(file, text, mode);
  if (done && file.close() != 0) done = last_error();
  if (done && ::rename(fresh.c_str(), path.c_str()) != 0) done = last_error();
  if (!done) {
    ::unlink(fresh.c_str());
    return done;
  }
  const std::string directory = path.substr(0, path.find_last_of('/') + 1);
  const descriptor above(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (above.get() < 0 || ::fsync(above.get()) != 0) return last_error();
  return {};
}

std::string explain_file(const error& why) {
  return why.os != 0 ? std::generic_category().message(why.os) : why.text;
}

}  // namespace rw::control
