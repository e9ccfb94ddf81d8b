// One worker's connection to Redis: one script, asked over and over.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "io/loop.h"
#include "io/task.h"
#include "net/stream.h"
#include "observe/counters.h"
#include "redis/command.h"
#include "redis/reply.h"
#include "redis/target.h"

namespace rw::redis {

// What is asked: a Lua script, and words for EVAL with which it does nothing of consequence but
// write, so that a server that cannot is found out before anybody depends on it.
struct script {
  std::string_view text;
  command probe;               // the number of keys, the keys, their arguments
  bool answers_texts = false;  // not numbers
};

// A question, and who is told what became of it: once, on the worker's thread.
class asker {
 public:
  // `words`: the number of keys, the keys, their arguments. It stays until told() is called.
  explicit asker(const command& words) noexcept : words_(words) {}
  const command& words() const noexcept { return words_; }
  // `what`: valid during the call, an array; null when there is no answer and none will be. Asks
  // nothing.
  virtual void told(const reply* what) noexcept = 0;

 protected:
  ~asker() = default;

 private:
  const command& words_;
};

// Of one thread. Connects by itself, again and again, with pauses that grow. Only while a
// connection has shown that it works (the breaker is closed) are questions taken at all; each is
// answered, or lost, within target::timeout. All of one turn of the loop leave in one send.
class client {
 public:
  // Questions that may wait, and octets that may wait to be sent; more are not taken.
  static constexpr std::size_t waiting_max = 4096;
  static constexpr std::size_t unsent_bytes_max = std::size_t{1} << 20U;
  // Questions without an answer, in a row, after which the connection is given up.
  static constexpr unsigned misses_max = 3;
  static constexpr std::chrono::milliseconds pause_first{50};
  static constexpr std::chrono::seconds pause_longest{2};
  // Of a connection, the TLS handshake included.
  static constexpr std::chrono::seconds connect_time{2};

  // What `observe::counter::redis_state` has.
  enum class state : std::uint8_t { none, closed, half_open, open };

  // `worker`: as of tls::client_target.
  client(io::loop& on, unsigned worker, script asked, observe::counters& counted);
  ~client();  // after stop()
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  // From now on this one; null: none. A connection to the same stays.
  void adopt(std::shared_ptr<const target> to);
  // Loses what waits, and closes.
  io::task<> stop();

  bool ready() const noexcept { return state_ == state::closed; }
  // False: not taken, and nobody will be told. `who` must live until it is told.
  bool ask(asker& who);
  // The same for what no answer is wanted to.
  bool tell(const command& words);
  io::loop& loop() const noexcept { return loop_; }

 private:
  enum class kind : std::uint8_t { password, script, probe, question };
  struct waiting {
    kind what = kind::question;
    asker* who = nullptr;  // null: nobody, or told already
    mono_time asked;
    mono_time by;
    bool late = false;  // and has been counted as that
  };
  struct overdue : io::timer {
    explicit overdue(client& of) noexcept : timer(&on_overdue), owner(of) {}
    client& owner;
  };
  struct nothing_to_send;

  static void on_overdue(io::timer& timer);
  io::task<> live();
  io::task<> session(std::shared_ptr<const target> with);
  io::task<result<>> reach(net::stream& stream, const target& with);
  io::task<> read(net::stream& from);
  io::task<> write(net::stream& to);
  void greet(const target& with);
  bool take(reply_reader& from);
  bool handle(waiting& one, const reply& what);
  bool judge(waiting& one, const reply& what);
  bool may_take();
  void put(const command& first, const command& rest, waiting made);
  void load_again(const waiting& one);
  void miss(unsigned count) noexcept;
  void expire() noexcept;
  void lose_all() noexcept;
  void become(state now) noexcept;
  void wake_writer();

  io::loop& loop_;
  unsigned worker_;
  script script_;
  observe::counters& counted_;
  std::shared_ptr<const target> target_;
  state state_ = state::none;
  command evalsha_;  // the script, as the server calls it
  std::deque<waiting> waiting_;
  std::string unsent_;
  std::string sending_;
  bool secret_in_it_ = false;
  overdue overdue_{*this};
  mono_time due_;                   // what it is armed for
  std::coroutine_handle<> writer_;  // while it has nothing to send
  net::stream* stream_ = nullptr;   // of the session
  io::sleep* pause_ = nullptr;
  unsigned misses_ = 0;
  bool answered_ = false;  // a question, in this session
  bool ending_ = false;    // of the session
  bool changed_ = false;   // another target: no pause before it is tried
  std::size_t next_address_ = 0;
  nanoseconds pause_length_ = pause_first;
  io::gate living_;
};

// `co_await one`: until it is answered or lost.
class question final : public asker {
 public:
  question(client& to, const command& words) noexcept : asker(words), to_(to) {}
  bool await_ready() { return !to_.ask(*this); }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept { awaiting_ = awaiting; }
  // Null: lost. Valid as long as this.
  const reply* await_resume() const noexcept { return answered_ ? &answer_ : nullptr; }
  void told(const reply* what) noexcept override;

 private:
  client& to_;
  std::coroutine_handle<> awaiting_;
  reply answer_;
  bool answered_ = false;
};

}  // namespace rw::redis
