// A connected byte stream, plain or TLS alike: what HTTP is read from and written to.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/loop.h"
#include "io/task.h"
#include "net/kernel_tls.h"
#include "net/send_gap.h"
#include "tls/client_context.h"
#include "tls/codec.h"
#include "tls/context.h"

namespace rw::net {

class carried_stream;

// Of one thread. At most one receive() and one send() wait at a time. Everything that waits ends by
// its deadline, by abort() or by the peer. Must be closed (close()) before it is destroyed.
class stream {
 public:
  // `fd` is owned from here on, -1 where open() follows; errors carry `side` as their origin.
  stream(io::loop& on, int fd, origin side) noexcept;
  ~stream();
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  // ---- receiving
  // Bytes received and not yet consumed, in one piece. Valid until the next consume() or receive().
  std::string_view input() const noexcept { return {input_ + begin_, end_ - begin_}; }
  void consume(std::size_t bytes) noexcept;
  // The same bytes, to be decoded in place.
  std::span<char> writable_input() noexcept {
    return {input_ + begin_, std::size_t{end_} - begin_};
  }
  // `co_await s.receive(deadline)`: until input() has grown. fault::closed at the end of the
  // stream, fault::timed_out, fault::too_large when more is held than any head may have.
  class receive_awaiter;
  receive_awaiter receive(mono_time deadline) noexcept;
  // Takes the first `bytes` of input() out of the stream: they stay where they are for as long as
  // what is returned, whatever is received meanwhile. When more is behind them they are copied
  // instead of it, and `moved_to` says where they are now.
  struct held {
    io::buffer bytes;
    std::unique_ptr<char[]> spill;
    const char* moved_to = nullptr;
  };
  held hold(std::size_t bytes);
  // Moves the deadline of the receive() under way, if there is one.
  void receive_by(mono_time deadline) noexcept;
  // The receive() under way, if there is one, fails with fault::canceled; the stream goes on.
  void interrupt_receive() noexcept;
  // How bytes are received. TLS ignores all but `pooled`.
  enum class receive_mode : std::uint8_t {
    pooled,  // as they come, into the loop's buffers: an idle stream holds none
    single,  // the same, one buffer at a time: for a stream that is likely to bring another long
             // body, so that its head does not come with half a MiB of copied bytes
    bulk,    // up to bulk_bytes into memory of the stream's own, while receive() waits: for a body
             // that flows, where the size of a receive decides what a byte costs
    readiness  // not at all: receive() ends when splice_to() has something to move
  };
  static constexpr std::size_t bulk_bytes = 256U << 10U;
  void receive_as(receive_mode how) noexcept;
  // The peer has ended its side, and nothing is left to read.
  bool ended() const noexcept;
  // One of many in a connection: a carried_stream. It carries one request and its answer.
  bool is_carried() const noexcept { return carried_; }
  // Of one that is: no more comes than what is in input(). It is not ended() by that.
  bool complete() const noexcept { return complete_ && !has_pending(); }

  // ---- sending
  static constexpr std::size_t pieces_max = 3;
  // `co_await s.send(pieces, gap)`: until the kernel has all of it; a peer that acknowledges
  // nothing for `gap`, up to a quarter longer, ends it with fault::timed_out. The bytes must stay
  // until then. TLS puts the pieces into as few records as it can.
  class send_awaiter;
  send_awaiter send(std::string_view first, nanoseconds gap) noexcept;
  send_awaiter send(std::array<std::string_view, pieces_max> pieces, nanoseconds gap) noexcept;

  // From here on, or no more: the peer may leave unread what it is sent for as long as send()'s gap
  // lets it. Otherwise the kernel has its own bound too (liveness.h).
  void let_reader_pause(bool may) noexcept;

  // The next send() has the last bytes of all: over TLS, close_notify goes with them instead of in
  // a send of its own. finish() still has to come.
  void end_with_next_send() noexcept { last_send_ = true; }

  // ---- from a plain socket to one that sends_plain(), past user space
  // Moves up to `most` bytes into the pipe, which is empty, without waiting; 0 when there are none
  // yet, or some that receive() has to bring first. In receive_mode::readiness only. Errors as of
  // receive().
  result<std::size_t> splice_to(io::pipe& to, std::size_t most) noexcept;
  // `co_await s.send(pipe, gap)`: until the kernel has all that the pipe holds; as send() else.
  class splice_awaiter;
  splice_awaiter send(io::pipe& from, nanoseconds gap) noexcept;

  // ---- the connection
  // Opens a socket and connects. `address` must stay until then.
  io::task<result<>> open(const sockaddr_storage& address, socklen_t size, mono_time deadline);
  // The server side of a TLS handshake; what was agreed is then in tls(). Waits a moment
  // for the client's first bytes, so that session tickets need no send of their own. `thread`: as
  // for tls::server_codec. What is in input() already, behind a PROXY header, is its beginning.
  io::task<result<>> handshake(std::shared_ptr<const tls::server_context> context,
                               mono_time deadline, unsigned thread = 0);
  // The client's side, which speaks first. What the server sends without being asked, such as
  // session tickets, is read with the rest, or while the stream rests.
  io::task<result<>> handshake(std::shared_ptr<tls::client_target> with, mono_time deadline);
  const tls::codec* tls() const noexcept { return tls_.get(); }
  // As of tls::codec, after the handshake.
  std::unique_ptr<tls::peer_certificate> take_peer() noexcept { return tls_->take_peer(); }
  // TLS: the stream has ended without the peer's close_notify, so somebody may have cut it short
  // (RFC 8446 6.1).
  bool truncated() const noexcept { return tls_ && ended_ && !tls_->peer_closed(); }
  // What is sent goes to the kernel as it is: no TLS, or TLS whose records the kernel makes.
  bool sends_plain() const noexcept { return !tls_ || kernel_sends_; }
  // Of TLS's own, with the kernel making records; the next send() of pieces takes them along.
  bool owes_records() const noexcept {
    return kernel_sends_ && (new_keys_due_ || !control_.empty());
  }
  // The kernel's keys should not be used for long, and it takes no others: to be ended after the
  // answer under way.
  bool worn_out() const noexcept { return worn_out_; }
  // Everything that waits, and everything after, fails with `why`; close() then resets the
  // connection, so that nobody takes what was cut off for complete. Never resumes anyone itself.
  void abort(fault why) noexcept;
  // While set, the end of this stream, abort() included, aborts `other`. nullptr ends it.
  void abort_on_hangup(stream* other) noexcept;
  // Sends what says that nothing more comes (close_notify, FIN). What the peer still sends is read
  // as before. Nothing may be sent any more.
  io::task<result<>> end_writing();
  // Sends what says the end (close_notify, FIN) and reads what the peer still sends, up to
  // `deadline`: closing with bytes unread would reset the connection and could take our last answer
  // with it.
  io::task<> finish(mono_time deadline);
  // Ends everything in flight and closes the descriptor.
  io::task<> close();

  // Before it waits for another request: whether it is fit for one. That it is quiet() and that the
  // kernel holds nothing either; from here on what comes is noticed.
  bool rest() noexcept;
  // Open, nothing failed or ended, nothing received that nobody has read.
  bool quiet() const noexcept {
    return fd_ >= 0 && !failed_ && !ended_ && !has_pending() && begin_ == end_;
  }
  bool failed() const noexcept { return failed_; }
  bool is_sending() const noexcept;  // a send() waits
  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  origin side() const noexcept { return side_; }
  io::loop& loop() const noexcept { return loop_; }
  std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }

 private:
  friend class carried_stream;
  struct chunk {
    io::buffer bytes;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  template <class Base>
  struct owned : Base {
    template <class... A>
    explicit owned(stream& s, A... a) : Base(a...), owner(s) {}
    stream& owner;
  };

  static void on_received(io::operation& op, io::completion what);
  static void on_buffer(io::buffer_waiter& waiter);
  static void on_receive_deadline(io::timer& timer);
  void arm_receive() noexcept;
  void arm_bulk() noexcept;
  void arm_readiness() noexcept;
  void keep(io::buffer bytes, std::uint32_t size);
  void forget_read_chunks();
  bool take_completion(io::completion what) noexcept;
  bool fill() noexcept;
  bool fill_plain() noexcept;
  bool fill_tls() noexcept;
  bool decrypt() noexcept;
  bool make_room(std::size_t bytes);
  chunk& front() noexcept { return pending_[pending_first_]; }
  bool has_pending() const noexcept { return pending_first_ < pending_.size(); }
  void drop_front() noexcept;
  void fail_with(error why) noexcept;
  error fail(fault code, const char* text) const noexcept { return {code, side_, false, 0, text}; }
  error tls_failure() const noexcept;
  io::task<result<>> negotiate(bool speaks_first, bool holds_back, mono_time deadline);
  void take_back_input();
  void let_kernel_send();
  void want_new_keys() noexcept;
  void take_unsent();
  void queue_alert(std::byte number);
  const msghdr* next_record();
  bool record_sent();
  void count_records(std::size_t bytes) noexcept;
  io::task<> drain_records(mono_time deadline);

  io::loop& loop_;
  int fd_;
  origin side_;
  bool raw_ = false;      // handshake or farewell: what is received and sent is ciphertext
  bool ended_ = false;    // the peer's FIN, or its close_notify
  bool paused_ = false;   // receiving was stopped: enough is held
  bool resting_ = false;  // see rest(); TLS: what comes is read although nobody waits for it
  bool unseen_ = false;   // what receiving_ was started for may have lain in the kernel before
  bool failed_ = false;
  bool cut_ = false;           // by abort()
  bool kernel_sends_ = false;  // records of TLS are the kernel's work
  bool new_keys_due_ = false;  // kernel_sends_: a KeyUpdate goes before what is sent next
  bool worn_out_ = false;
  bool last_send_ = false;  // see end_with_next_send()
  bool carried_ = false;    // see carried_stream.h, here and below
  bool complete_ = false;
  receive_mode mode_ = receive_mode::pooled;
  receive_mode under_way_ = receive_mode::pooled;  // of receiving_; bulk: the kernel has
                                                   // input_spill_ to write into, from end_ on
  error why_;                                      // when failed_

  char* input_ = nullptr;  // into input_buffer_ or input_spill_
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t room_ = 0;
  io::buffer input_buffer_;
  std::unique_ptr<char[]> input_spill_;  // a head larger than a buffer; dropped when consumed

  std::vector<chunk> pending_;  // received, not yet in input_
  std::size_t pending_first_ = 0;

  owned<io::operation> receiving_{*this, &on_received};
  owned<io::buffer_waiter> starving_{*this, &on_buffer};
  owned<io::timer> receive_timer_{*this, &on_receive_deadline};
  std::coroutine_handle<> reader_;
  enum class wake : std::uint8_t { state, grown, deadline, interrupt } reader_wake_ = wake::state;
  std::coroutine_handle<> closer_;

  io::operation* sending_ = nullptr;  // of the send_awaiter under way
  stream* hangup_target_ = nullptr;
  std::unique_ptr<tls::codec> tls_;
  // TLS: what goes before the next send(), tickets and answers to key updates; kernel_sends_:
  // alerts, 2 bytes each.
  std::vector<std::byte> control_;
  void take_control(tls::output& out);
  std::unique_ptr<control_record> record_;  // being sent by the send_awaiter under way
  std::uint32_t records_sent_ = 0;          // with the kernel's present keys, at least
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
};

class stream::receive_awaiter {
 public:
  receive_awaiter(stream& s, mono_time deadline) noexcept : stream_(s), deadline_(deadline) {}
  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> awaiting) noexcept;
  result<> await_resume() noexcept;

 private:
  stream& stream_;
  mono_time deadline_;
  bool grown_ = false;
};

// The operation lives here, in the frame that awaits.
class stream::send_awaiter {
 public:
  send_awaiter(stream& s, std::array<std::string_view, pieces_max> pieces,
               nanoseconds gap) noexcept;
  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> awaiting) noexcept;
  result<> await_resume() noexcept;

 private:
  friend class carried_stream;
  static void on_sent(io::operation& op, io::completion what);
  template <class Base>
  struct owned : Base {
    template <class... A>
    explicit owned(send_awaiter& s, A... a) : Base(a...), owner(s) {}
    send_awaiter& owner;
  };
  bool start() noexcept;  // false: nothing left to send, or outcome_ says why not
  tls::output room();
  bool encrypt() noexcept;
  void advance(std::size_t bytes) noexcept;

  stream& stream_;
  std::array<std::string_view, pieces_max> pieces_;
  bool encrypted_;
  result<> outcome_;
  std::coroutine_handle<> awaiting_;
  std::array<iovec, pieces_max> vectors_{};
  msghdr message_{};
  io::buffer records_;  // TLS: what is to be sent of pieces_ already encrypted
  std::unique_ptr<std::byte[]> many_records_;  // in its place, for much at a time
  std::uint32_t records_begin_ = 0;
  std::uint32_t records_end_ = 0;
  owned<io::operation> op_{*this, &on_sent};
  send_gap gap_;
};

class stream::splice_awaiter {
 public:
  splice_awaiter(stream& s, io::pipe& from, nanoseconds gap) noexcept
      : stream_(s), from_(from), op_(*this), gap_(s.loop_, s.fd_, op_, gap) {}
  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> awaiting) noexcept;
  result<> await_resume() const noexcept { return outcome_; }

 private:
  struct readiness : io::operation {
    explicit readiness(splice_awaiter& of) noexcept : operation(&on_writable), owner(of) {}
    splice_awaiter& owner;
  };
  static void on_writable(io::operation& op, io::completion what);
  bool move() noexcept;  // false: it has to wait until the socket takes more

  stream& stream_;
  io::pipe& from_;
  result<> outcome_;
  std::coroutine_handle<> awaiting_;
  readiness op_;
  send_gap gap_;
};

inline stream::receive_awaiter stream::receive(mono_time deadline) noexcept {
  return {*this, deadline};
}
inline stream::send_awaiter stream::send(std::string_view first, nanoseconds gap) noexcept {
  return {*this, {first, {}, {}}, gap};
}
inline stream::splice_awaiter stream::send(io::pipe& from, nanoseconds gap) noexcept {
  return {*this, from, gap};
}
inline stream::send_awaiter stream::send(std::array<std::string_view, pieces_max> pieces,
                                         nanoseconds gap) noexcept {
  return {*this, pieces, gap};
}

}  // namespace rw::net
