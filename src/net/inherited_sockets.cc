#include "net/inherited_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace rw::net {
namespace {

constexpr int first_descriptor = 3;        // SD_LISTEN_FDS_START
constexpr int descriptors_max = 1U << 16;  // more than any store keeps; bounds what is allocated

bool parse_number(const char* text, int& out) {
  if (text == nullptr) return false;
  const char* end = text + std::strlen(text);
  const auto [at, code] = std::from_chars(text, end, out);
  return code == std::errc{} && at == end;
}

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

template <class T>
const T& as(const sockaddr_storage& address) {
  return reinterpret_cast<const T&>(address);
}

// The address it was asked for, or any of its ports when that was 0. `listen(2)` at [::] is for
// IPv4 too, unless the socket says otherwise, and that cannot be changed any more.
bool is_at(int fd, const sockaddr_storage& at, const sockaddr_storage& wanted) {
  if (at.ss_family != wanted.ss_family) return false;
  if (at.ss_family == AF_UNIX) {
    const char* path = as<sockaddr_un>(at).sun_path;
    struct stat file{};
    // Somebody may have removed the file: then nobody could reach this socket.
    return std::strcmp(path, as<sockaddr_un>(wanted).sun_path) == 0 && ::lstat(path, &file) == 0 &&
           S_ISSOCK(file.st_mode);
  }
  if (at.ss_family == AF_INET) {
    const auto& is = as<sockaddr_in>(at);
    const auto& want = as<sockaddr_in>(wanted);
    return is.sin_addr.s_addr == want.sin_addr.s_addr &&
           (want.sin_port == 0 || is.sin_port == want.sin_port);
  }
  const auto& is = as<sockaddr_in6>(at);
  const auto& want = as<sockaddr_in6>(wanted);
  return std::memcmp(&is.sin6_addr, &want.sin6_addr, sizeof is.sin6_addr) == 0 &&
         (want.sin6_port == 0 || is.sin6_port == want.sin6_port) &&
         (!IN6_IS_ADDR_UNSPECIFIED(&want.sin6_addr) || option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
}

bool listens_at(int fd, const config::address& where) {
  if (option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) return false;
  if (option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1) return false;
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0 &&
         is_at(fd, at, where.socket);
}

bool has_any_port(const config::address& where) {
  return where.what == config::address::kind::ip && where.port == 0;
}

}  // namespace

std::vector<inherited_socket> parse_listen_variables(const char* listen_pid, const char* listen_fds,
                                                     const char* names, int pid) {
  int whose = 0;
  int count = 0;
  if (!parse_number(listen_pid, whose) || whose != pid) return {};
  if (!parse_number(listen_fds, count) || count < 0 || count > descriptors_max) return {};
  std::vector<inherited_socket> all(static_cast<std::size_t>(count));
  std::string_view rest = names == nullptr ? "" : names;
  for (int i = 0; i < count; ++i) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    all[static_cast<std::size_t>(i)] = {first_descriptor + i, std::string(rest.substr(0, end))};
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return all;
}

inherited_sockets inherited_sockets::from_environment() {
  std::vector<inherited_socket> all =
      parse_listen_variables(std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"),
                             std::getenv("LISTEN_FDNAMES"), ::getpid());
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  // A number that is not open would be closed later, when it has become something else.
  std::erase_if(
      all, [](const inherited_socket& one) { return ::fcntl(one.fd, F_SETFD, FD_CLOEXEC) != 0; });
  return inherited_sockets(std::move(all));
}

inherited_sockets& inherited_sockets::operator=(inherited_sockets&& other) noexcept {
  std::swap(left_, other.left_);
  return *this;
}

inherited_sockets::~inherited_sockets() {
  for (const inherited_socket& one : left_) ::close(one.fd);
}

std::vector<inherited_socket> inherited_sockets::take(const config::address& where,
                                                      std::string_view name) {
  std::vector<inherited_socket> taken;
  std::erase_if(left_, [&](inherited_socket& one) {
    if (!listens_at(one.fd, where)) return false;
    if (has_any_port(where) && !one.name.starts_with(name)) return false;
    taken.push_back(std::move(one));
    return true;
  });
  return taken;
}

std::vector<inherited_socket> inherited_sockets::take_rest() { return std::exchange(left_, {}); }

}  // namespace rw::net
