#include "upstream/h2_link.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "upstream/h2_stream.h"

namespace rw::upstream {
namespace {

// What leaves in one send: a full TLS record.
constexpr std::size_t send_bytes = 16U << 10U;

error no_h2() noexcept {
  return {.code = fault::unsupported,
          .from = origin::upstream,
          .text = "the server does not speak HTTP/2"};
}

error broken(const char* text) noexcept {
  return {.code = fault::malformed, .from = origin::upstream, .text = text};
}

}  // namespace

// Until flush().
struct h2_link::nothing_to_send {
  h2_link& of;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> writer) const noexcept { of.writer_ = writer; }
  void await_resume() const noexcept {}
};

h2_link::h2_link(io::loop& on, http::window_pool& windows, h2_terms terms)
    : socket_(on, -1, origin::upstream),
      windows_(windows),
      terms_(std::move(terms)),
      session_({.head = origin_limits, .streams = terms_.streams, .glitches = glitches_max}) {}

h2_link::~h2_link() { RW_ASSERT(streams_.empty()); }

io::task<> h2_link::run(std::shared_ptr<h2_link> self) {
  h2_link& link = *self;
  result<> done = co_await link.open();
  if (done) {
    link.state_ = state::open;
    link.idle_since_ = link.loop().now();
    link.wake_all();
    done = co_await link.listen();
  }
  link.state_ = state::over;
  link.why_ = done ? error{.code = fault::closed, .from = origin::upstream} : done.error();
  link.why_.may_retry = false;  // the kernel's word is not the origin's
  const std::vector<h2_stream*> left = link.streams_;
  for (h2_stream* one : left) one->lose(link.why_);
  link.session_.end(http::h2_error::no_error);  // unless it has said why already
  link.written_out_ = true;
  if (link.socket_.is_sending()) link.socket_.abort(fault::canceled);
  link.flush();
  co_await link.writing_.empty();
  if (link.socket_.tls() != nullptr) co_await link.socket_.finish(link.loop().now());
  co_await link.socket_.close();
}

io::task<result<>> h2_link::open() {
  const mono_time by = loop().now() + terms_.connect;
  const result<> connected = co_await socket_.open(terms_.address, terms_.address_bytes, by);
  if (!connected) co_return connected;
  if (terms_.tls) {
    const mono_time began = loop().now();
    const result<> agreed = co_await socket_.handshake(terms_.tls, by);
    if (!agreed) co_return socket_.tls()->found_no_protocol() ? failure(no_h2()) : agreed;
    if (socket_.tls()->protocol() != "h2") co_return failure(no_h2());
    handshake_time_ = loop().now() - began;
  }
  if (ending_) co_return failure({.code = fault::canceled, .from = origin::local});
  io::spawn(write(), writing_);
  const result<> agreed = co_await agree(by);
  co_return agreed;
}

// RFC 9113 3.4: what a server says first is SETTINGS. Nothing is asked before: how many streams it
// takes is then known, and whether it speaks HTTP/2 at all.
io::task<result<>> h2_link::agree(mono_time by) {
  forgotten_ = loop().now();
  while (!session_.is_agreed()) {
    if (!session_.goes_on()) co_return failure(no_h2());
    const result<> some = co_await socket_.receive(by);
    if (some) {
      const result<> sound = take_input();
      if (!sound) co_return failure(no_h2());
      continue;
    }
    const fault why = some.error().code;
    if (why == fault::closed || why == fault::reset) co_return failure(no_h2());
    if (why != fault::canceled || socket_.failed() || ending_) co_return some;
  }
  co_return {};
}

io::task<result<>> h2_link::listen() {
  while (!ending_) {
    if (!session_.goes_on()) {
      if (is_told_to_end() && !session_.has_failed()) break;  // nothing is under way any more
      co_return failure(broken("the server breaks the protocol of HTTP/2"));
    }
    if (socket_.input().empty()) {
      const result<> some = co_await socket_.receive(patience());
      if (!some && (socket_.failed() || some.error().code == fault::closed)) {
        // Over TLS only close_notify is an end, but whoever waits has no whole answer either way.
        co_return some;
      }
      if (!some && some.error().code == fault::timed_out) {
        session_.end(http::h2_error::enhance_your_calm);
        co_return failure(broken("a header section that does not come to its end"));
      }
      if (!some) continue;  // interrupted
    }
    const result<> sound = take_input();
    if (!sound) co_return sound;
  }
  co_return {};
}

result<> h2_link::take_input() {
  forget_glitches();
  received_at_ = loop().now();
  asked_at_ = {};
  const bool sound = session_.receive(socket_.input());
  socket_.consume(socket_.input().size());
  const std::uint64_t section = session_.open_section();
  if (section != section_ && section != 0) section_since_ = loop().now();
  section_ = section;
  flush();
  if (session_.out_of_patience()) {
    return failure(broken("the server sends frames that carry nothing"));
  }
  if (!sound) return failure(broken("the server breaks the protocol of HTTP/2"));
  return {};
}

void h2_link::forget_glitches() noexcept {
  const auto passed = std::chrono::floor<std::chrono::seconds>(loop().now() - forgotten_);
  if (passed.count() <= 0) return;
  const auto seconds = std::min<std::int64_t>(passed.count(), glitches_max);
  session_.pardon(static_cast<std::uint32_t>(seconds) * glitches_per_second);
  forgotten_ += passed;
}

mono_time h2_link::patience() const noexcept {
  return section_ != 0 ? section_since_ + section_time_max : mono_time::max();
}

io::task<> h2_link::write() {
  for (;;) {
    session_.write(out_, send_bytes);
    if (!session_.goes_on()) socket_.interrupt_receive();  // so that listen() looks
    if (!out_.empty()) {
      const result<> sent = co_await socket_.send(out_, terms_.gap);
      out_.clear();
      if (sent) continue;
      const bool late = sent.error().code == fault::timed_out;
      socket_.abort(late ? fault::timed_out : fault::reset);
      co_return;
    }
    if (written_out_) co_return;
    if (streams_.empty()) std::string().swap(out_);
    co_await nothing_to_send{*this};
  }
}

void h2_link::flush() {
  if (writer_) loop().defer(std::exchange(writer_, {}));
}

void h2_link::wake_all() noexcept {
  for (h2_stream* one : streams_) one->interrupt_receive();
}

bool h2_link::is_worn() const noexcept {
  if (draining_ || ending_) return true;
  if (terms_.requests_max != 0 && requests_ >= terms_.requests_max) return true;
  return is_open() && (!session_.may_begin() || session_.streams_max() == 0);
}

std::uint32_t h2_link::streams_max() const noexcept {
  return is_open() ? session_.streams_max() : terms_.streams;
}

bool h2_link::takes_more(std::uint32_t streams, bool sends) const noexcept {
  if (is_over() || is_worn()) return false;
  if (sends && is_open() && !session_.has_window()) return false;
  const std::uint32_t most = is_open() ? streams_max() : std::min(streams, streams_max());
  return streams_.size() < most;
}

void h2_link::drain() noexcept {
  draining_ = true;
  if (streams_.empty()) end();
}

void h2_link::end() noexcept {
  if (std::exchange(ending_, true) || is_over()) return;
  is_opening() ? socket_.abort(fault::canceled) : socket_.interrupt_receive();
}

void h2_link::suspect(nanoseconds waited) noexcept {
  if (is_open() && loop().now() - received_at_ >= waited / 2) drain();
}

void h2_link::doubt() noexcept {
  if (is_open() && asked_at_ != mono_time{} && loop().now() - asked_at_ >= silence_min) drain();
}

void h2_link::add(h2_stream& one) {
  streams_.push_back(&one);
  ++requests_;
}

void h2_link::remove(h2_stream& one) noexcept {
  std::erase(streams_, &one);
  if (!streams_.empty()) return;
  idle_since_ = loop().now();
  if (is_open() && is_worn()) end();
}

bool h2_link::has_place_for(const h2_stream& one) const noexcept {
  if (!is_open() || draining_ || ending_ || !session_.may_begin()) return false;
  const auto place = std::ranges::find(streams_, &one) - streams_.begin();
  return static_cast<std::size_t>(place) < streams_max();
}

std::int32_t h2_link::begin(std::string_view head, bool ends, h2_stream& one) {
  if (!is_open() || !session_.may_begin()) return 0;
  if (asked_at_ == mono_time{}) asked_at_ = loop().now();
  return session_.request(head, terms_.tls ? "https" : "http", ends, one);
}

void h2_link::reset(std::int32_t id, http::h2_error why) {
  session_.reset(id, why);
  flush();
  const mono_time now = loop().now();
  const auto passed = std::chrono::floor<std::chrono::seconds>(now - resets_since_);
  const auto seconds = std::clamp<std::int64_t>(passed.count(), 0, resets_max);
  const unsigned forgotten = static_cast<unsigned>(seconds) * resets_per_second;
  resets_ -= std::min(forgotten, resets_);
  if (seconds > 0) resets_since_ = now;
  if (++resets_ > resets_max) draining_ = true;
}

bool h2_link::holds_up(std::int32_t id) const noexcept {
  return writer_ != nullptr && session_.is_held_up(id);
}

nanoseconds h2_link::round_trip() noexcept { return loop().kernel().round_trip(socket_.fd()); }

}  // namespace rw::upstream
