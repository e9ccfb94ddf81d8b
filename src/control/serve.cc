#include "control/serve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "control/crash_report.h"
#include "control/privileges.h"
#include "control/process.h"
#include "control/takeover.h"
#include "control/whole_file.h"

namespace rw::control {
namespace {

// No core file and no other process of this user gets to see keys. Who makes one all the same, as
// root with gcore, gets one without memory in it.
void keep_out_of_cores() {
  const int filter = ::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (filter >= 0) {
    [[maybe_unused]] const ssize_t written = ::write(filter, "0", 1);
    ::close(filter);
  }
  ::prctl(PR_SET_DUMPABLE, 0);
}

void prepare() {
  keep_out_of_cores();
  report_crashes();
  hold_signals();
}

void complain(std::string_view why) { fmt::print(stderr, "ringward: error: {}\n", why); }

// Takes the identity of the gate before: root is not to serve for a user's gate.
bool become_user_of(const std::string& socket) {
  std::string why;
  const int fd = connect_to_gate(socket, why);
  ucred gate{};
  socklen_t size = sizeof gate;
  const bool known = fd >= 0 && ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &gate, &size) == 0;
  if (fd >= 0) ::close(fd);
  if (!known) {
    complain(why);
    return false;
  }
  if (::geteuid() != 0 || gate.uid == 0) return true;
  const int code = become(gate.uid, gate.gid);
  if (code != 0) {
    complain(fmt::format("cannot become user {}: {}", gate.uid, std::strerror(code)));
  }
  return code == 0;
}

// Where the process stands, and what it reads: nothing. False: it has said why.
bool stand_like(const handover& before) {
  if (::chdir(before.directory.c_str()) != 0) {
    complain(fmt::format("{}: {}", before.directory, std::strerror(errno)));
    return false;
  }
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0) {
    complain(fmt::format("/dev/null: {}", std::strerror(errno)));
    return false;
  }
  ::dup2(nothing, STDIN_FILENO);
  ::close(nothing);
  return true;
}

// What this process has said so far, into a file in memory, goes where it says the rest.
void move_words(int to) {
  const std::string all = read_open(STDERR_FILENO);
  ::dup2(to, STDERR_FILENO);
  ::close(to);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, all.data(), all.size());
}

}  // namespace

int serve(const std::string& path) {
  shed_ambient({"run", "--config=" + path});
  prepare();
  process gate({path, ""});
  return gate.start() ? gate.run() : 1;
}

int serve_after(const std::string& socket) {
  shed_ambient({"run", "--after=" + socket});
  if (!become_user_of(socket)) return 1;
  std::string why;
  auto before = takeover::begin(socket, why);
  if (!before) {
    complain(why);
    return 1;
  }
  if (!stand_like(before->given())) return 1;
  const std::vector<net::inherited_socket> outputs =
      before->take(handed_descriptor::kind::output).take_rest();
  if (outputs.size() != 2) return 1;
  const int outcome = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  ::dup2(outputs[0].fd, STDOUT_FILENO);
  ::close(outputs[0].fd);
  prepare();
  const std::string configuration = before->given().configuration;
  process gate({configuration, ""}, std::make_unique<takeover>(std::move(*before)));
  if (!gate.start()) return 1;
  move_words(outputs[1].fd);
  const pid_t pid = ::getpid();
  [[maybe_unused]] const ssize_t told = ::write(outcome, &pid, sizeof pid);
  ::close(outcome);
  return gate.run();
}

}  // namespace rw::control
