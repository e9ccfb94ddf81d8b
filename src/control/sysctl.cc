#include "control/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "io/ring.h"

namespace rw::control {
namespace {

constexpr std::size_t value_bytes_max = std::size_t{16} << 10U;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

failure last_error() { return failure(io::kernel_error(errno, origin::local)); }

// Closed when it goes; -1 when it could not be opened.
class opened {
 public:
  opened(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~opened() {
    if (fd_ >= 0) ::close(fd_);
  }
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::optional<std::string> sysctl_path(std::string_view name) {
  if (!is_visible_ascii(name) || name.find_first_of("*?[]\\\"'=#;") != std::string_view::npos) {
    return std::nullopt;
  }
  std::string path(name);
  const std::size_t first = name.find_first_of("./");
  if (first != std::string_view::npos && name[first] == '.') {
    for (char& c : path) {
      if (c == '.' || c == '/') c = c == '.' ? '/' : '.';
    }
  }
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view word = std::string_view(path).substr(at, end - at);
    if (word.empty() || word == "." || word == "..") return std::nullopt;
    at = end + 1;
  }
  return path;
}

std::string normal_value(std::string_view text) {
  std::string out;
  bool apart = false;
  for (const char c : text) {
    if (is_space(c)) {
      apart = true;
      continue;
    }
    if (apart && !out.empty()) out += ' ';
    apart = false;
    out += c;
  }
  return out;
}

result<std::string> sysctl_tree::read(const std::string& path) const {
  const opened file(base_ + path, O_RDONLY);
  if (file.fd() < 0) return last_error();
  std::string text;
  std::array<char, 4096> some{};
  while (text.size() < value_bytes_max) {
    const ssize_t got = ::read(file.fd(), some.data(), some.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return last_error();
    if (got == 0) break;
    text.append(some.data(), static_cast<std::size_t>(got));
  }
  return normal_value(text);
}

// In one call: the kernel takes each write(2) for a whole value.
result<> sysctl_tree::write(const std::string& path, const std::string& value) const {
  const opened file(base_ + path, O_WRONLY | O_TRUNC);
  if (file.fd() < 0) return last_error();
  const std::string line = value + "\n";
  ssize_t put = -1;
  do {
    put = ::write(file.fd(), line.data(), line.size());
  } while (put < 0 && errno == EINTR);
  if (put < 0) return last_error();
  return {};
}

}  // namespace rw::control
