#include "control/admin_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/secret.h"
#include "control/connections.h"
#include "control/json_text.h"
#include "control/limits_command.h"
#include "control/log_command.h"
#include "control/process.h"
#include "control/profile_command.h"
#include "control/request_explain.h"
#include "control/top_callers.h"

namespace rw::control {
namespace {

constexpr std::string_view json_prefix = "json\t";

std::string in_json(bool done, std::string_view text) {
  return json_object().flag("done", done).put("messages", json_lines(text)).str();
}

asker who_asks(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  return {.known = known, .uid = peer.uid, .pid = peer.pid};
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
  std::string_view command = client.input().substr(0, end);
  const bool wants_json = command.starts_with(json_prefix);
  if (wants_json) command.remove_prefix(json_prefix.size());
  const struct asker who = who_asks(client.fd());
  const std::string asker = who.name();  // as the audit log names them
  if (command.starts_with("upgrade\t")) {
    co_await process_.serve_upgrade(client, std::string(command), who);
    co_return;
  }
  admin_answer a;
  if (command == "reload") {
    const reload_outcome done = co_await process_.reload(asker);
    a = answer_of(done);
  } else if (command == "reload\texplain") {
    const reload_outcome done = co_await process_.explain_reload();
    a = answer_of(done);
  } else if (command.starts_with("connections\t")) {
    admin_answer listed = co_await list_connections(process_, command);
    a = std::move(listed);
  } else if (command == "callers") {
    const std::vector<top_row> rows = co_await find_top_callers(process_);
    a = {.done = true, .text = callers_text(rows), .json = {}};
  } else if (command.starts_with("profile\t")) {
    admin_answer taken = co_await take_profile(process_, client, command);
    a = std::move(taken);
  } else if (command == "limits" || command.starts_with("limits\t")) {
    admin_answer listed = co_await list_limits(process_, command);
    a = std::move(listed);
  } else {
    a = decide(command, asker, wants_json);
  }
  std::string text = a.done ? "ok\n" : "failed\n";
  if (wants_json && a.json.empty()) a.json = in_json(a.done, a.text);
  text += wants_json ? a.json + "\n" : a.text;
  co_await client.send(text, std::chrono::seconds{5});
}

admin_answer admin_socket::answer_of(const reload_outcome& done) {
  admin_answer a{.done = done.taken, .text = {}, .json = {}};
  for (const std::string& line : done.messages) a.text += line + "\n";
  return a;
}

admin_answer admin_socket::explain(asked_request& asked) {
  const explanation found = process_.explain(asked);
  wipe(asked.api_key.data(), asked.api_key.size());
  wipe(asked.authorization.data(), asked.authorization.size());
  admin_answer a{.done = true, .text = {}, .json = {}};
  std::vector<std::string> lines;
  for (const auto& [what, is] : found.lines) {
    a.text += fmt::format("{:<12}{}\n", what, is);
    lines.push_back(json_object().text("what", what).text("is", is).str());
  }
  a.json = json_object().number("status", found.status).put("lines", json_array(lines)).str();
  return a;
}

admin_answer admin_socket::decide(std::string_view command, const std::string& asker,
                                  bool wants_json) {
  if (command == "status") {
    if (wants_json) return {true, {}, process_.status_json()};
    return {true, process_.status(), {}};
  }
  if (command == "metrics") return {true, process_.metrics(), {}};  // for `ringward top`
  if (command == "upstreams") return {true, process_.upstreams(), process_.upstreams_json()};
  for (const bool drained : {true, false}) {
    const std::string_view verb = drained ? "drain " : "undrain ";
    if (!command.starts_with(verb)) continue;
    const std::string_view server = command.substr(verb.size());
    auto done = process_.drain(server, drained);
    process_.audit().admin(done.done, drained ? "drain" : "undrain", server, asker);
    return {done.done, std::move(done.text), {}};
  }
  if (auto asked = from_command(command)) return explain(*asked);
  if (command == "reopen") {
    std::string text = process_.reopen();
    process_.audit().admin(true, "reopen", {}, asker);
    return {true, std::move(text), {}};
  }
  if (command == "revoked") return {true, process_.revoked(), process_.revoked_json()};
  if (command.starts_with("revoke\t") || command.starts_with("unrevoke\t")) {
    auto done = process_.revoke(command, asker);
    process_.audit().revocation(done.done, command, asker);
    return {done.done, std::move(done.text), {}};
  }
  if (command == "log level" || command.starts_with("log level\t")) {
    return log_level(process_, command, asker);
  }
  if (command.starts_with("limits reset\t")) return reset_limit(process_, command, asker);
  if (command == "bans") return {true, process_.bans(), process_.bans_json()};
  if (command.starts_with("ban\t") || command.starts_with("unban\t")) {
    auto done = process_.ban(command, asker);
    return {done.done, std::move(done.text), {}};
  }
  return {false, "no such command\n", {}};
}

bool ask(const std::string& path, std::string_view command, std::string& text) {
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

int tell(const gate_at& gate, std::string_view command) {
  std::string text;
  const bool done =
      ask(gate.socket, (gate.json ? std::string(json_prefix) : "") + std::string(command), text);
  // Who reads JSON gets JSON, also when nobody has answered.
  if (gate.json && !text.starts_with('{') && !text.starts_with('['))
    text = in_json(done, text) + "\n";
  fmt::print(done || gate.json ? stdout : stderr, "{}", text);
  return done ? 0 : 1;
}

}  // namespace rw::control
