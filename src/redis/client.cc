#include "redis/client.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/random.h"

namespace rw::redis {
namespace {

using observe::counter;

constexpr std::size_t sha_bytes = 40;
constexpr std::chrono::seconds send_gap{2};
// Nobody says anything on a quiet connection; its end is noticed without a deadline.
constexpr std::chrono::hours quiet{1};

bool is_sha(std::string_view text) noexcept {
  return text.size() == sha_bytes && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Between three quarters of it and all: many workers and gates lose one server at one moment.
nanoseconds jittered(nanoseconds pause) noexcept {
  std::uint32_t drawn = 0;
  random_bytes(std::as_writable_bytes(std::span(&drawn, 1)));
  const nanoseconds quarter = pause / 4;
  return pause - quarter * (drawn % 1024) / 1024;
}

}  // namespace

struct client::nothing_to_send {
  client& of;
  bool await_ready() const noexcept { return !of.unsent_.empty() || of.ending_; }
  void await_suspend(std::coroutine_handle<> awaiting) const noexcept { of.writer_ = awaiting; }
  void await_resume() const noexcept {}
};

void question::told(const reply* what) noexcept {
  if (what != nullptr) {
    answer_ = *what;
    answered_ = true;
  }
  to_.loop().defer(awaiting_);
}

client::client(io::loop& on, unsigned worker, script asked, observe::counters& counted)
    : loop_(on), worker_(worker), script_(std::move(asked)), counted_(counted) {}

client::~client() { RW_ASSERT(living_.inside() == 0); }

void client::become(state now) noexcept {
  state_ = now;
  counted_.set(counter::redis_state, static_cast<std::uint64_t>(now));
}

void client::adopt(std::shared_ptr<const target> to) {
  const bool same = target_ && to && is_same(*target_, *to);
  target_ = std::move(to);
  if (same) return;
  changed_ = true;
  if (stream_ != nullptr) stream_->abort(fault::canceled);
  if (pause_ != nullptr) pause_->cut();
  if (target_ && living_.inside() == 0) io::spawn(live(), living_);
}

io::task<> client::stop() {
  adopt(nullptr);
  co_await living_.empty();
}

io::task<> client::live() {
  while (target_) {
    changed_ = false;
    const mono_time began = loop_.now();
    co_await session(target_);
    if (!target_) break;
    if (changed_) {
      pause_length_ = pause_first;
      continue;
    }
    become(state::open);
    if (answered_ && loop_.now() - began > pause_longest) pause_length_ = pause_first;
    io::sleep pause(loop_, loop_.now() + jittered(pause_length_));
    pause_length_ = std::min<nanoseconds>(pause_length_ * 2, pause_longest);
    pause_ = &pause;
    co_await pause;
    pause_ = nullptr;
  }
  become(state::none);
}

io::task<> client::session(std::shared_ptr<const target> with) {
  become(state::half_open);
  misses_ = 0;
  answered_ = ending_ = false;
  net::stream stream(loop_, -1, origin::upstream);
  stream_ = &stream;
  const result<> reached = co_await reach(stream, *with);
  if (reached) {
    counted_.add(counter::redis_connections);
    greet(*with);
    io::gate writing;
    io::spawn(write(stream), writing);
    co_await read(stream);
    ending_ = true;
    stream.abort(fault::canceled);
    wake_writer();
    co_await writing.empty();
  } else {
    counted_.add(counter::redis_unreachable);
  }
  if (state_ == state::closed) become(state::open);
  lose_all();
  stream_ = nullptr;
  co_await stream.close();
}

io::task<result<>> client::reach(net::stream& stream, const target& with) {
  if (with.addresses.empty()) {
    co_return failure({.code = fault::unreachable, .from = origin::upstream});
  }
  const mono_time by = loop_.now() + connect_time;
  const config::address& at = with.addresses[next_address_++ % with.addresses.size()];
  const result<> opened = co_await stream.open(at.socket, at.length, by);
  if (!opened || !with.tls) co_return opened;
  auto spoken = std::make_shared<tls::client_target>(with.tls, worker_, with.tls_name);
  const result<> agreed = co_await stream.handshake(std::move(spoken), by);
  co_return agreed;
}

// All in one send; the breaker closes when the probe is answered.
void client::greet(const target& with) {
  const command nothing;
  waiting made{.asked = loop_.now(), .by = loop_.now() + with.timeout};
  if (with.password) {
    command auth;
    auth.add("AUTH").add(with.password->view());
    append(unsent_, auth, nothing, true);
    auth.wipe();
    secret_in_it_ = true;
    made.what = kind::password;
    waiting_.push_back(made);
  }
  command load;
  load.add("SCRIPT").add("LOAD").add(script_.text);
  made.what = kind::script;
  put(load, nothing, made);
  command eval;
  eval.add("EVAL").add(script_.text);
  made.what = kind::probe;
  put(eval, script_.probe, made);
}

void client::put(const command& first, const command& rest, waiting made) {
  append(unsent_, first, rest);
  if (!overdue_.armed() || made.by < due_) {
    due_ = made.by;
    loop_.timers().arm(overdue_, due_);
  }
  waiting_.push_back(made);
  wake_writer();
}

bool client::may_take() {
  if (!ready()) return false;
  const bool room = waiting_.size() < waiting_max && unsent_.size() < unsent_bytes_max;
  counted_.add(room ? counter::redis_questions : counter::redis_overflows);
  return room;
}

bool client::ask(asker& who) {
  if (!may_take()) return false;
  const mono_time now = loop_.now();
  put(evalsha_, who.words(), {.who = &who, .asked = now, .by = now + target_->timeout});
  return true;
}

bool client::tell(const command& words) {
  if (!may_take()) return false;
  const mono_time now = loop_.now();
  put(evalsha_, words, {.asked = now, .by = now + target_->timeout});
  return true;
}

void client::wake_writer() {
  if (writer_) loop_.defer(std::exchange(writer_, {}));
}

io::task<> client::write(net::stream& to) {
  while (!ending_) {
    if (unsent_.empty()) {
      co_await nothing_to_send{*this};
      continue;
    }
    std::swap(unsent_, sending_);
    const bool secret = std::exchange(secret_in_it_, false);
    counted_.add(counter::redis_sends);
    const result<> sent = co_await to.send(sending_, send_gap);
    if (secret) wipe(sending_.data(), sending_.size());
    sending_.clear();
    if (!sent) {
      to.abort(fault::reset);  // so that read() ends
      break;
    }
  }
}

io::task<> client::read(net::stream& from) {
  reply_reader replies(script_.answers_texts);
  for (;;) {
    const result<> some = co_await from.receive(loop_.now() + quiet);
    if (!some) {
      const bool goes_on = some.error().code == fault::timed_out && !from.failed();
      if (goes_on) continue;
      counted_.add(counter::redis_disconnects);
      co_return;
    }
    replies.feed(from.input());
    from.consume(from.input().size());
    if (!take(replies)) co_return;
  }
}

// False: the connection is good for nothing more.
bool client::take(reply_reader& from) {
  for (;;) {
    const reply_reader::outcome got = from.next();
    if (got == reply_reader::outcome::partial) return true;
    if (got == reply_reader::outcome::garbage || waiting_.empty()) {
      counted_.add(counter::redis_garbage);
      return false;
    }
    waiting one = waiting_.front();
    waiting_.pop_front();
    if (handle(one, from.reply())) continue;
    if (one.who != nullptr) one.who->told(nullptr);
    return false;
  }
}

// Likewise; then nobody has been told.
bool client::handle(waiting& one, const reply& what) {
  if (one.what == kind::question) return judge(one, what);
  if (what.what == reply::kind::error) {
    counted_.add(counter::redis_errors);
    return false;
  }
  bool good = true;
  if (one.what == kind::script) {
    good = is_sha(what.text());
    evalsha_.clear();
    if (good) evalsha_.add("EVALSHA").add(what.text());
  } else if (one.what == kind::probe) {
    good = what.what == reply::kind::array && evalsha_.size() > 0;
    if (good && state_ == state::half_open && !one.late) become(state::closed);
  }
  if (!good) counted_.add(counter::redis_garbage);
  return good;
}

bool client::judge(waiting& one, const reply& what) {
  if (what.what == reply::kind::array) {
    counted_.redis_answers.record(loop_.now() - one.asked);
    if (!one.late) {
      misses_ = 0;
      answered_ = true;
    }
    if (one.who != nullptr) one.who->told(&what);
    return true;
  }
  if (what.what != reply::kind::error) {
    counted_.add(counter::redis_garbage);
    return false;
  }
  if (what.text().starts_with("NOSCRIPT")) {
    load_again(one);
    return true;
  }
  counted_.add(counter::redis_errors);
  if (one.who != nullptr) one.who->told(nullptr);
  miss(1);
  return true;
}

// Somebody has emptied the server's cache of scripts.
void client::load_again(const waiting& one) {
  command first;
  if (one.who == nullptr) {
    first.add("SCRIPT").add("LOAD").add(script_.text);
    put(first, {},
        {.what = kind::script, .asked = loop_.now(), .by = loop_.now() + target_->timeout});
    return;
  }
  first.add("EVAL").add(script_.text);
  put(first, one.who->words(), one);
}

// Gives up a connection that has answered nothing for too long.
void client::miss(unsigned count) noexcept {
  misses_ += count;
  if (misses_ < misses_max || stream_ == nullptr) return;
  if (state_ == state::closed) become(state::open);
  stream_->abort(fault::timed_out);
}

void client::on_overdue(io::timer& timer) { static_cast<overdue&>(timer).owner.expire(); }

// What is late keeps its place: its answer would be taken for another's.
void client::expire() noexcept {
  unsigned late = 0;
  bool greeting = false;
  due_ = mono_time::max();
  for (waiting& one : waiting_) {
    if (one.late) continue;
    if (one.by > loop_.now()) {
      due_ = std::min(due_, one.by);
      continue;
    }
    one.late = true;
    ++late;
    greeting = greeting || one.what != kind::question;
    counted_.add(counter::redis_timeouts);
    if (one.who != nullptr) std::exchange(one.who, nullptr)->told(nullptr);
  }
  if (due_ != mono_time::max()) loop_.timers().arm(overdue_, due_);
  if (late > 0) miss(greeting ? misses_max : late);
}

void client::lose_all() noexcept {
  overdue_.disarm();
  for (waiting& one : waiting_) {
    if (one.who != nullptr) one.who->told(nullptr);
  }
  waiting_.clear();
  if (std::exchange(secret_in_it_, false)) wipe(unsent_.data(), unsent_.size());
  unsent_.clear();
}

}  // namespace rw::redis
