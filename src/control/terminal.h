// A terminal that a program has to itself for a while.
#pragma once

#include <termios.h>

#include <chrono>
#include <csignal>
#include <string_view>

namespace rw::control {

// Of a program of one thread: the signals that would end it are held, and whoever has the terminal
// asks for them by ended(). Its destructor gives everything back as it was.
class terminal {
 public:
  struct size {
    unsigned rows = 24;
    unsigned columns = 80;
  };
  // False: standard input or output is none.
  static bool there_is() noexcept;

  terminal() noexcept;
  ~terminal();
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  size now() const noexcept;
  // Shows the text from the top left, cut at the right and below.
  void show(std::string_view text) const;
  // The next key, as its octet; arrow keys as '<' and '>'. 0: none came in time, or the size has
  // changed.
  char key(std::chrono::milliseconds within) noexcept;
  // Somebody wants it to end, or is gone.
  bool ended() const noexcept { return ended_; }

 private:
  termios before_{};
  sigset_t held_before_{};
  int signals_ = -1;
  bool ended_ = false;
};

}  // namespace rw::control
