#include "control/service_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "net/passed_descriptors.h"

namespace rw::control {
namespace {

std::int64_t microseconds(nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

// One line is one assignment: what a file or an error said must not become another.
std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return line;
}

bool parse_number(const char* text, std::int64_t& out) {
  const char* end = text + std::strlen(text);
  const auto [at, code] = std::from_chars(text, end, out);
  return code == std::errc{} && at == end;
}

}  // namespace

bool parse_notify_socket(std::string_view text, sockaddr_un& out, socklen_t& length) {
  if (text.size() < 2 || (text[0] != '/' && text[0] != '@')) return false;
  if (text.size() >= sizeof out.sun_path) return false;
  out = {};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, text.data(), text.size());
  if (text[0] == '@') out.sun_path[0] = '\0';
  length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size());
  return true;
}

nanoseconds parse_watchdog(const char* watchdog_usec, const char* watchdog_pid, int pid) {
  std::int64_t every = 0;
  std::int64_t whose = pid;
  if (watchdog_usec == nullptr || !parse_number(watchdog_usec, every)) return {};
  if (watchdog_pid != nullptr && (!parse_number(watchdog_pid, whose) || whose != pid)) return {};
  // Beyond a year nobody waits for it, and nanoseconds would overflow.
  if (every <= 0 || every > std::int64_t{365} * 86'400 * 1'000'000) return {};
  return std::chrono::microseconds{every};
}

service_manager service_manager::from_environment() {
  const char* where = std::getenv("NOTIFY_SOCKET");
  service_manager made =
      at(where == nullptr ? "" : where,
         parse_watchdog(std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID"), ::getpid()));
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  return made;
}

service_manager service_manager::at(std::string_view address, nanoseconds watchdog) {
  service_manager made;
  if (!parse_notify_socket(address, made.to_, made.to_length_)) return made;
  made.socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const timeval patience{1, 0};
  ::setsockopt(made.socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  made.address_ = address;
  made.watchdog_ = watchdog;
  return made;
}

service_manager::service_manager(service_manager&& other) noexcept { *this = std::move(other); }

service_manager& service_manager::operator=(service_manager&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(address_, other.address_);
  std::swap(to_, other.to_);
  std::swap(to_length_, other.to_length_);
  std::swap(watchdog_, other.watchdog_);
  std::swap(witness_, other.witness_);
  return *this;
}

service_manager::~service_manager() {
  if (socket_ >= 0) ::close(socket_);
  if (witness_ >= 0) ::close(witness_);
}

void service_manager::ready(std::string_view status) const {
  tell(fmt::format("READY=1\nSTATUS={}", one_line(status)));
}

// The manager holds MONOTONIC_USEC against the time when it asked for a reload, so it is
// CLOCK_MONOTONIC, which mono_time is.
void service_manager::reloading(mono_time now) const {
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading",
                   microseconds(now.time_since_epoch())));
}

void service_manager::stopping(std::string_view status) const {
  tell(fmt::format("STOPPING=1\nSTATUS={}", one_line(status)));
}

void service_manager::still_stopping(nanoseconds more, std::string_view status) const {
  tell(fmt::format("EXTEND_TIMEOUT_USEC={}\nSTATUS={}", microseconds(more), one_line(status)));
}

// FDPOLL=0: systemd would drop a socket on which it sees an error or a hang-up; a listening one has
// neither, and is not to be watched for them.
void service_manager::store(int fd, std::string_view name) const {
  send(fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name), fd);
}

void service_manager::forget(std::string_view name) const {
  tell(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name));
}

void service_manager::store_witness() {
  std::array<int, 2> ends{};
  if (!there() || witness_ >= 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  // Watched, unlike the sockets: it leaves the store by itself when this process has gone.
  send(fmt::format("FDSTORE=1\nFDNAME={}", witness_name), ends[1]);
  ::close(ends[1]);
  witness_ = ends[0];
}

void service_manager::forget_witness() {
  if (witness_ < 0) return;
  forget(witness_name);
  ::close(std::exchange(witness_, -1));
}

bool service_manager::keeps_sockets() const noexcept {
  pollfd at{witness_, POLLIN, 0};
  return witness_ >= 0 && ::poll(&at, 1, 0) == 0;
}

// The pipe first: a message of who is not the main process is not heard.
void service_manager::hand_to(int pid) {
  forget_witness();
  tell(fmt::format("MAINPID={}", pid));
  *this = service_manager();
}

void service_manager::send(std::string_view lines, int fd) const {
  if (!there()) return;
  net::send_passing(socket_, lines, std::span(&fd, fd >= 0 ? 1 : 0), 0,
                    reinterpret_cast<const sockaddr*>(&to_), to_length_);
}

}  // namespace rw::control
