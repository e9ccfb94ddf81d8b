#include "control/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace rw::control {
namespace {

constexpr std::string_view take = "\x1b[?1049h\x1b[?25l";       // another screen, no cursor
constexpr std::string_view give_back = "\x1b[?25h\x1b[?1049l";  // and back

sigset_t heard() {
  sigset_t set;
  sigemptyset(&set);
  for (const int one : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&set, one);
  return set;
}

void say(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t wrote = ::write(STDOUT_FILENO, text.data(), text.size());
    if (wrote < 0 && errno != EINTR) return;
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(wrote, 0)));
  }
}

}  // namespace

bool terminal::there_is() noexcept {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

terminal::terminal() noexcept {
  const sigset_t set = heard();
  ::pthread_sigmask(SIG_BLOCK, &set, &held_before_);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  ::tcgetattr(STDIN_FILENO, &before_);
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  say(take);
}

terminal::~terminal() {
  say(give_back);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  ::close(signals_);
  ::pthread_sigmask(SIG_SETMASK, &held_before_, nullptr);
}

terminal::size terminal::now() const noexcept {
  winsize found{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) != 0 || found.ws_row == 0 || found.ws_col == 0) {
    return {};
  }
  return {found.ws_row, found.ws_col};
}

// Each line is cleared behind its text, and what is below the last: nothing flickers.
void terminal::show(std::string_view text) const {
  const size room = now();
  std::string out = "\x1b[H";
  for (unsigned row = 0; row < room.rows && !text.empty(); ++row) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (row > 0) out += "\r\n";
    out += text.substr(0, std::min<std::size_t>(end, room.columns));
    out += "\x1b[K";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out += "\x1b[J";
  say(out);
}

char terminal::key(std::chrono::milliseconds within) noexcept {
  std::array<pollfd, 2> ready = {{{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}}};
  if (::poll(ready.data(), ready.size(), static_cast<int>(within.count())) <= 0) return 0;
  signalfd_siginfo signal{};
  while (::read(signals_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
    ended_ = ended_ || signal.ssi_signo != SIGWINCH;
  }
  if (ready[0].revents == 0) return 0;
  std::array<char, 8> octets{};
  const ssize_t got = ::read(STDIN_FILENO, octets.data(), octets.size());
  if (got <= 0) {
    ended_ = true;  // nobody is there any more
    return 0;
  }
  const std::string_view read(octets.data(), static_cast<std::size_t>(got));
  if (read == "\x1b[C" || read == "\x1bOC") return '>';
  if (read == "\x1b[D" || read == "\x1bOD") return '<';
  return octets[0];
}

}  // namespace rw::control
