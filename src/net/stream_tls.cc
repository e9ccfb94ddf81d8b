#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "net/stream.h"
#include "tls/client_codec.h"
#include "tls/server_codec.h"

namespace rw::net {
namespace {

constexpr std::size_t control_bytes_max = 4096;
constexpr std::size_t held_back_bytes_max = 2048;  // a chain of a client's own is more
// A flight of ours fits any socket buffer: a peer that leaves it untaken this long is not there.
constexpr std::chrono::seconds handshake_send_gap{10};
constexpr std::chrono::seconds farewell_send_gap{1};
// A client that asks by then gets its tickets with the answer.
constexpr std::chrono::milliseconds ticket_patience{10};
constexpr std::byte close_notify{0};

std::string_view text_of(const tls::output& out) noexcept {
  return {reinterpret_cast<const char*>(out.data), out.size};
}

}  // namespace

error stream::tls_failure() const noexcept {
  error why = tls_->failure().what;
  why.from = side_;
  return why;
}

// Decrypts what has arrived behind end_. Nothing is read ahead of the reader: ciphertext stays in
// pending_, where the bound on what a connection may hold counts it.
bool stream::fill_tls() noexcept {
  const std::uint32_t before = end_ - begin_;
  while (!failed_ && (has_pending() || tls_->buffered() > 0) && decrypt()) {
  }
  if (begin_ == end_) {
    consume(0);
    return false;
  }
  return end_ - begin_ != before;
}

// One call of the codec. True when there is reason for another.
bool stream::decrypt() noexcept {
  if (!make_room(1)) {
    fail_with(fail(fault::too_large, "more is held than any head may have"));
    return false;
  }
  std::span<const std::byte> in;
  if (has_pending()) in = {front().bytes.data() + front().begin, front().end - front().begin};
  std::array<std::byte, 512> answer;
  tls::output out{answer.data(), 0, answer.size()};
  const std::size_t offered = in.size();
  const tls::transfer done =
      tls_->read(in, {reinterpret_cast<std::byte*>(input_) + end_, std::size_t{room_} - end_}, out);
  end_ += static_cast<std::uint32_t>(done.size);
  control_.insert(control_.end(), answer.data(), answer.data() + out.size);
  if (kernel_sends_) take_unsent();
  if (offered > 0) {
    front().begin = front().end - static_cast<std::uint32_t>(in.size());
    if (in.empty()) drop_front();
  }
  if (done.state == tls::step::closed) {
    ended_ = true;
    while (has_pending()) drop_front();
  } else if (done.state == tls::step::failed) {
    fail_with(tls_failure());
  } else if (control_.size() > control_bytes_max) {
    fail_with(fail(fault::exhausted, "the peer asks for more than it takes"));
  }
  if (done.state == tls::step::want_output) return true;
  return done.state == tls::step::want_input && offered > 0;
}

// As much of control_ as `out` has room for. An idle connection keeps nothing of it.
void stream::take_control(tls::output& out) {
  if (control_.empty()) return;
  const std::size_t size = std::min(control_.size(), out.room());
  std::copy_n(control_.begin(), size, out.data + out.size);
  out.size += size;
  control_.erase(control_.begin(), control_.begin() + static_cast<std::ptrdiff_t>(size));
  if (control_.empty()) control_ = {};
}

// What was received as text is ciphertext: it goes before what has come since.
void stream::take_back_input() {
  for (std::size_t at = pending_first_; begin_ != end_; ++at) {
    chunk made{loop_.buffers().take()};
    made.end = std::min(end_ - begin_, static_cast<std::uint32_t>(io::buffer::capacity()));
    std::memcpy(made.bytes.data(), input_ + begin_, made.end);
    consume(made.end);
    pending_.insert(pending_.begin() + static_cast<std::ptrdiff_t>(at), std::move(made));
  }
}

io::task<result<>> stream::handshake(std::shared_ptr<const tls::server_context> context,
                                     mono_time deadline, unsigned thread) {
  const bool offload =
      context->options().kernel_offload && loop_.kernel().sends_tls() != io::kernel_tls::no;
  take_back_input();
  tls_ = std::make_unique<tls::server_codec>(std::move(context), offload, thread);
  const result<> done = co_await negotiate(false, !offload, deadline);
  if (!done) co_return done;
  if (offload) let_kernel_send();
  if (!control_.empty()) {
    const result<> asked = co_await receive(loop_.now() + ticket_patience);
    if (!asked && asked.error().code == fault::timed_out) {
      const result<> sent = co_await send(std::string_view{}, handshake_send_gap);
      if (!sent) co_return sent;
    }
  }
  co_return {};
}

io::task<result<>> stream::handshake(std::shared_ptr<tls::client_target> with, mono_time deadline) {
  tls_ = std::make_unique<tls::client_codec>(std::move(with), loop_.now());
  const result<> done = co_await negotiate(true, true, deadline);
  co_return done;
}

// `holds_back`: what the handshake ends with may wait for the next send(), which then takes one
// packet and one call. That needs to be nothing the peer waits for: a client's Finished, before its
// request, or a server's tickets; TLS 1.3 ends with the client's Finished (RFC 8446 4.6.1). When
// the kernel takes over, all of ours has to be out.
io::task<result<>> stream::negotiate(bool speaks_first, bool holds_back, mono_time deadline) {
  raw_ = true;
  tls::step at = speaks_first ? tls::step::want_output : tls::step::want_input;
  for (;;) {
    // Not while it waits: clients that connect and say nothing must not hold the pool.
    io::buffer bytes = loop_.buffers().take();
    tls::output out{bytes.data(), 0, io::buffer::capacity()};
    if (at == tls::step::want_output) {
      std::span<const std::byte> nothing;
      // The first flight, or the rest of one that filled the last buffer.
      at = tls_->handshake(nothing, out);
    }
    while (has_pending() && at == tls::step::want_input) {
      std::span<const std::byte> in(front().bytes.data() + front().begin,
                                    front().end - front().begin);
      at = tls_->handshake(in, out);
      front().begin = front().end - static_cast<std::uint32_t>(in.size());
      if (in.empty()) drop_front();
    }
    const bool may_wait = speaks_first || tls_->version() == tls::protocol_version::tls13;
    if (at == tls::step::done && holds_back && may_wait && out.size <= held_back_bytes_max) {
      control_.assign(out.data, out.data + out.size);
    } else if (out.size > 0) {
      const result<> sent = co_await send(text_of(out), handshake_send_gap);
      if (!sent) co_return sent;
    }
    if (at == tls::step::failed) {
      fail_with(tls_failure());
      while (has_pending()) drop_front();
      co_return failure(why_);
    }
    if (at == tls::step::done) break;
    if (at == tls::step::want_output) continue;
    bytes.reset();
    const result<> more = co_await receive(deadline);
    if (!more) co_return more;
  }
  raw_ = false;
  co_return {};
}

io::task<result<>> stream::end_writing() {
  if (failed_) co_return failure(why_);
  if (kernel_sends_) {
    queue_alert(close_notify);
  } else if (tls_) {
    std::array<std::byte, 512> room;
    tls::output out{room.data(), 0, room.size()};
    tls_->close(out);
    control_.insert(control_.end(), room.data(), room.data() + out.size);
  }
  if (tls_) {
    const result<> sent = co_await send(std::string_view{}, farewell_send_gap);
    if (!sent) co_return sent;
  }
  loop_.kernel().shutdown_write(fd_);
  co_return {};
}

io::task<> stream::finish(mono_time deadline) {
  if (fd_ < 0 || failed_) co_return;
  if (kernel_sends_) {
    raw_ = true;
    queue_alert(close_notify);
    const result<> sent = co_await send(std::string_view{}, farewell_send_gap);
    if (!sent) co_return;
    consume(end_ - begin_);
    co_await drain_records(deadline);
  } else if (tls_ && tls_->established()) {
    io::buffer bytes = loop_.buffers().take();
    tls::output out{bytes.data(), 0, io::buffer::capacity()};
    take_control(out);
    tls_->close(out);
    raw_ = true;
    const result<> sent = co_await send(text_of(out), farewell_send_gap);
    if (!sent) co_return;
  }
  loop_.kernel().shutdown_write(fd_);
  raw_ = true;  // what still comes is not worth decrypting
  consume(end_ - begin_);
  while (!ended_ && !failed_) {
    while (has_pending()) drop_front();
    const result<> more = co_await receive(deadline);
    if (!more) break;
  }
}

}  // namespace rw::net
