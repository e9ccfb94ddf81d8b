// A stream that has no socket: one of many that a connection carries, such as HTTP/2's. To those
// who read and write it is a stream like others.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "net/stream.h"

namespace rw::net {

// It is never open: there is no descriptor, and nothing to close. What it holds is bounded by
// whoever carries it, who lets the peer send no more than that.
class carried_stream : public stream {
 public:
  carried_stream(io::loop& on, origin side) noexcept;

  static carried_stream& of(stream& one) noexcept { return static_cast<carried_stream&>(one); }

  // ---- for who carries it; none of these resumes anybody before the end of the loop's turn
  // Makes input() longer by so many octets, which the caller writes to what is returned. Before
  // anything else comes; null when it is more than any head may have.
  char* extend(std::size_t bytes);
  // `bytes` have come.
  void feed(std::string_view bytes);
  // Nothing more comes.
  void feed_end() noexcept;
  // The peer has broken the protocol: as abort(), with `text`, a literal, for the log.
  void break_off(const char* text) noexcept;
  // As abort(), with a reason of its own: `why` is what everything that waits fails with.
  void end_with(const error& why) noexcept;
  // The peer takes nothing more: what is being sent, and is sent from now on, fails with `why`, and
  // what has come, to its end, can still be read.
  void end_sending_with(const error& why) noexcept;
  // That text; null where that is not what has ended it.
  const char* flaw() const noexcept {
    return failed_ && why_.code == fault::malformed ? why_.text : nullptr;
  }
  // What has come and was not consumed yet.
  std::size_t held() const noexcept;

  // Moves to `room` what fits of what is being sent; at its end the sender goes on.
  std::size_t take(std::span<char> room) noexcept;

 protected:
  using pieces = std::array<std::string_view, pieces_max>;
  ~carried_stream() = default;

  // receive() is called, so what was consumed until now is done with.
  virtual void on_receive() noexcept = 0;
  // send() is called. Takes from the front of `what` what it likes; the rest is for take(). `last`:
  // nothing is sent after it. True: there is nothing to wait for.
  virtual bool on_send(pieces& what, bool last) = 0;
  // Nothing was taken for as long as send() was given. False: not for want of the peer's doing.
  virtual bool is_stuck() noexcept = 0;
  // abort() was called.
  virtual void on_abort(fault why) noexcept = 0;

 private:
  friend class stream;
  static void on_gap(io::timer& timer);
  bool has_sender() const noexcept { return sender_ != nullptr; }
  bool begin_send(send_awaiter& by);
  void end_send(result<> how) noexcept;
  void give_up(fault why) noexcept;
  void wake_reader() noexcept;
  void look_again() noexcept;

  send_awaiter* sender_ = nullptr;
  struct gap_timer : io::timer {
    explicit gap_timer(carried_stream& s) noexcept : timer(&on_gap), owner(s) {}
    carried_stream& owner;
  } gap_timer_{*this};
};

}  // namespace rw::net
