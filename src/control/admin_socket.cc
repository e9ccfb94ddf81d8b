#include "control/admin_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/process.h"

namespace rw::control {
namespace {

// As the audit log names them.
std::string who_asks(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  return known ? fmt::format("uid:{}", peer.uid) : std::string{};
}

}  // namespace

admin_socket::admin_socket(process& of, io::loop& on, net::listening_sockets socket)
    : small_server(on, std::move(socket), connections_max), process_(of) {}

io::task<> admin_socket::serve(net::stream& client) {
  const mono_time by = loop().now() + std::chrono::seconds{5};
  std::size_t end = client.input().find('\n');
  while (end == std::string_view::npos && client.input().size() < command_bytes_max) {
    const result<> more = co_await client.receive(by);
    if (!more) co_return;
    end = client.input().find('\n');
  }
  const std::string command(client.input().substr(0, end));
  const std::string asker = who_asks(client.fd());
  std::string answer = "failed\nno such command\n";
  if (command == "status") answer = "ok\n" + process_.status();
  if (command == "upstreams") answer = "ok\n" + process_.upstreams();
  for (const bool drained : {true, false}) {
    const std::string_view verb = drained ? "drain " : "undrain ";
    if (!command.starts_with(verb)) continue;
    const auto done = process_.drain(std::string_view(command).substr(verb.size()), drained);
    answer = (done.done ? "ok\n" : "failed\n") + done.text;
    process_.audit().admin(done.done, drained ? "drain" : "undrain",
                           std::string_view(command).substr(verb.size()), asker);
  }
  if (command == "reopen") {
    answer = "ok\n" + process_.reopen();
    process_.audit().admin(true, "reopen", {}, asker);
  }
  if (command == "revoked") answer = "ok\n" + process_.revoked();
  if (command.starts_with("revoke\t") || command.starts_with("unrevoke\t")) {
    const auto done = process_.revoke(command, asker);
    answer = (done.done ? "ok\n" : "failed\n") + done.text;
    process_.audit().revocation(done.done, command, asker);
  }
  if (command == "bans") answer = "ok\n" + process_.bans();
  if (command.starts_with("ban\t") || command.starts_with("unban\t")) {
    const auto done = process_.ban(command, asker);
    answer = (done.done ? "ok\n" : "failed\n") + done.text;
  }
  if (command == "reload") {
    const reload_outcome done = co_await process_.reload(asker);
    answer = done.taken ? "ok\n" : "failed\n";
    for (const std::string& line : done.messages) answer += line + "\n";
  }
  co_await client.send(answer, std::chrono::seconds{5});
}

// True when it answered "ok"; `text` is the rest.
static bool ask(const std::string& path, std::string_view command, std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    text = "the admin socket's path is too long\n";
    return false;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    text = fmt::format("no gate answers at {}: {}\n", path, std::strerror(errno));
    if (fd >= 0) ::close(fd);
    return false;
  }
  const std::string line = std::string(command) + "\n";
  std::string answer;
  if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size())) {
    char bytes[4096];
    for (ssize_t got = 0; (got = ::recv(fd, bytes, sizeof bytes, 0)) > 0;) {
      answer.append(bytes, static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  const std::size_t first = answer.find('\n');
  text = first == std::string::npos ? "" : answer.substr(first + 1);
  return answer.starts_with("ok\n");
}

int tell(const std::string& path, std::string_view command) {
  std::string text;
  const bool done = ask(path, command, text);
  fmt::print(done ? stdout : stderr, "{}", text);
  return done ? 0 : 1;
}

}  // namespace rw::control
