#include "control/log_target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace rw::control {
namespace {

constexpr const char* syslog_socket = "/dev/log";
constexpr const char* journal_socket = "/run/systemd/journal/socket";
constexpr std::size_t datagrams_max = 32;  // in one system call
// Facility 3, daemon, and severity 6, informational (RFC 5424 6.2.1).
constexpr unsigned priority = 3 * 8 + 6;

int connect_to(const std::string& path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int why = errno;
  ::close(fd);
  errno = why;
  return -1;
}

// HOSTNAME (RFC 5424 6.2.4): visible ASCII, or "-".
std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "-";
  const std::string_view text(name.data());
  return is_visible_ascii(text) ? std::string(text) : "-";
}

bool is_gone(int os) noexcept {
  return os == ECONNREFUSED || os == ECONNRESET || os == ENOTCONN || os == EPIPE || os == ENOENT;
}

}  // namespace

log_target log_target::named(const std::string& path) {
  if (path == "syslog") return {kind::syslog, syslog_socket};
  if (path == "journal") return {kind::journal, journal_socket};
  return {kind::stream, path};
}

log_target::log_target(kind what, std::string path)
    : kind_(what), path_(std::move(path)), host_(what == kind::syslog ? host_name() : "") {}

log_target::log_target(log_target&& other) noexcept
    : kind_(other.kind_),
      path_(std::move(other.path_)),
      host_(std::move(other.host_)),
      fd_(std::exchange(other.fd_, -1)),
      lost_(std::exchange(other.lost_, 0)) {}

log_target::~log_target() {
  if (fd_ >= 0) ::close(fd_);
}

int log_target::open() noexcept {
  int opened = -1;
  if (kind_ != kind::stream) {
    opened = connect_to(path_);
  } else if (path_ == "-") {
    opened = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  } else {
    opened = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  }
  if (opened < 0) return errno;
  if (fd_ >= 0) ::close(fd_);
  fd_ = opened;
  return 0;
}

std::uint64_t log_target::take_lost() noexcept { return std::exchange(lost_, 0); }

ssize_t log_target::write(std::span<const char> lines) {
  if (kind_ == kind::stream) return ::write(fd_, lines.data(), lines.size());
  if (fd_ < 0) {
    const int why = open();
    if (why != 0) {
      errno = why;
      return -1;
    }
  }
  const ssize_t done = send(lines);
  if (done >= 0 || !is_gone(errno)) return done;
  const int why = errno;
  ::close(std::exchange(fd_, -1));
  errno = why;
  return -1;
}

// What comes before each line of a batch.
std::string log_target::heading() {
  if (kind_ == kind::journal) {
    return "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=ringward\nMESSAGE=";
  }
  const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  return fmt::format("<{}>1 {} {} ringward {} access - ", priority, time_.rfc3339(now), host_,
                     ::getpid());
}

ssize_t log_target::send(std::span<const char> lines) {
  std::string before = heading();
  std::array<mmsghdr, datagrams_max> messages{};
  std::array<std::array<iovec, 2>, datagrams_max> pieces{};
  std::array<std::size_t, datagrams_max> sizes{};  // of each line, with its end
  unsigned count = 0;
  for (std::span<const char> rest = lines; !rest.empty() && count < datagrams_max; ++count) {
    const auto end = std::find(rest.begin(), rest.end(), '\n');
    const auto size = static_cast<std::size_t>(end - rest.begin());
    // A field of the journal's ends with a line feed, a message of syslog's with the datagram.
    sizes[count] = std::min(size + 1, rest.size());
    const std::size_t sent = kind_ == kind::journal ? sizes[count] : size;
    pieces[count][0] = {before.data(), before.size()};
    pieces[count][1] = {const_cast<char*>(rest.data()), sent};  // NOLINT: it is only read
    messages[count].msg_hdr.msg_iov = pieces[count].data();
    messages[count].msg_hdr.msg_iovlen = pieces[count].size();
    rest = rest.subspan(sizes[count]);
  }
  int sent = ::sendmmsg(fd_, messages.data(), count, MSG_NOSIGNAL);
  if (sent < 0 && errno == EMSGSIZE) {
    ++lost_;
    sent = 1;  // the first: it will never fit
  }
  if (sent < 0) return -1;
  std::size_t done = 0;
  for (int i = 0; i < sent; ++i) done += sizes[static_cast<std::size_t>(i)];
  return static_cast<ssize_t>(done);
}

}  // namespace rw::control
