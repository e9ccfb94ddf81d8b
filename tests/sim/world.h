// A world in memory for the gateway: virtual time, descriptors, connections with latency, and peers
// that a test invents. Everything that happens is an event at a time drawn from one seed, so a run
// is repeated exactly by its seed.
#pragma once

#include <fmt/format.h>
#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace rw::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class world;

// One end of a connection. Owned by its world, to the end of the run.
class socket {
 public:
  socket(world& w, std::size_t capacity_bytes) : world_(w), capacity_(capacity_bytes) {}
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;

  // What the other end has sent and this one not yet read.
  std::string_view readable() const noexcept { return readable_; }
  void consume(std::size_t bytes);
  bool ended() const noexcept { return ended_ && readable_.empty(); }  // in order, all read
  bool was_reset() const noexcept { return reset_; }

  // How many bytes send() takes now.
  std::size_t room() const noexcept;
  bool is_writable() const noexcept { return room() >= sent_to_capacity() / 3; }
  std::size_t unread_by_peer() const noexcept;  // sent, and not yet taken
  bool may_send() const noexcept { return open_ && !finished_ && !reset_; }
  void send(std::string_view bytes);  // at most room()

  void end_writing();  // FIN
  void close();        // FIN; a reset when something is unread, as the kernel does it
  void reset();        // RST
  void cut();          // RST, and the other end knows it at once
  void stop_reading() noexcept { ended_ = true; }  // shutdown(SHUT_RD)
  bool is_open() const noexcept { return open_; }
  // When the other end last took bytes, and when it closed: the world's beginning for never.
  mono_time peer_took_at() const noexcept { return peer_->took_at_; }
  mono_time peer_closed_at() const noexcept { return peer_->closed_at_; }

  // Called when something has come, gone or ended. Of scripts, or of the ring.
  std::function<void()> on_change;
  sockaddr_storage peer_address{};
  std::string label;     // for reports
  mono_time last_moved;  // when a byte came or went

 private:
  friend class world;
  std::size_t sent_to_capacity() const noexcept { return peer_ == nullptr ? 0 : peer_->capacity_; }
  void arrive(const std::string& bytes);
  void arrive_end();
  void arrive_reset();
  mono_time next_arrival();
  void changed();

  world& world_;
  socket* peer_ = nullptr;
  std::size_t capacity_;
  std::string readable_;
  std::size_t in_transit_ = 0;  // towards this end
  mono_time last_arrival_;
  mono_time took_at_;
  mono_time closed_at_;
  microseconds latency_{50};
  bool open_ = true;
  bool finished_ = false;  // this end has sent its FIN
  bool ended_ = false;
  bool reset_ = false;
};

// What becomes of a connect() to a server's address.
enum class reception : std::uint8_t { accept, refuse, unreachable, silence };

class world {
 public:
  explicit world(std::uint64_t seed) : random_(seed) {}
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  // ---- chance
  std::uint64_t random(std::uint64_t below) { return below == 0 ? 0 : random_() % below; }
  bool chance(double probability) {
    return static_cast<double>(random_() >> 11U) * 0x1p-53 < probability;
  }
  // Mostly near `low`, sometimes near `high`: sizes and delays have long tails.
  std::uint64_t skewed(std::uint64_t low, std::uint64_t high);
  microseconds delay(microseconds low, microseconds high) {
    return microseconds{static_cast<std::int64_t>(
        skewed(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count())))};
  }
  // What the kernel may do at any time and nobody should notice: short transfers, empty pools.
  double mischief = 1.0;
  // What it does when it has nothing left, and clients get to see.
  double exhaustion = 1.0;

  // ---- time
  mono_time now() const noexcept { return now_; }
  void after(nanoseconds delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  void at(mono_time when, std::function<void()> what);
  // Runs what is due; up to `until`, or until `enough` says so. True when it did.
  bool run(mono_time until, const std::function<bool()>& enough);
  // The same for a thread of the gateway: it may be another one's turn meanwhile.
  void wait(mono_time until, const std::function<bool()>& enough) {
    if (wait_instead) return wait_instead(until, enough);
    run(until, enough);
  }
  std::function<void(mono_time, const std::function<bool()>&)> wait_instead;
  std::uint64_t events() const noexcept { return events_run_; }
  void pass(nanoseconds time) { now_ += time; }

  // ---- connections
  struct ends {
    socket* near;  // of whoever asked
    socket* far;
  };
  ends connect(std::string_view label);
  // Servers that the gateway connects to, by port of 127.0.0.1.
  struct server {
    std::function<reception()> receive;
    std::function<void(socket&)> serve;
  };
  std::map<std::uint16_t, server> servers;
  // Clients: the far end waits in a listener's queue, see ring::accept.
  socket* connect_to(int listener, const sockaddr_storage& from, std::string_view label);

  // ---- the gateway's descriptors
  int add(socket* one);  // the lowest free number, as the kernel does it
  void attach(int fd, socket* one) { sockets_.at(fd) = one; }
  int add_listener();
  socket* at(int fd) const;
  std::deque<socket*>& queue_of(int listener);
  std::function<void()>& on_queue(int listener);
  void forget(int fd);
  void close_listener(int fd);
  std::size_t open_descriptors() const noexcept { return sockets_.size(); }
  // Those on which nothing has moved since `since` although something should have.
  std::vector<std::string> stuck(mono_time since) const;

  // ---- verdicts
  void violation(std::string text);
  const std::vector<std::string>& violations() const noexcept { return violations_; }
  // Prints what is known and ends the process: the run cannot go on.
  [[noreturn]] void give_up(std::string_view why) const;
  // ---- what rings report
  std::uint64_t completions = 0;
  std::function<void()> on_completion;  // before each is handled
  std::size_t buffers_offered = 0;      // and not filled

  std::uint64_t seed = 0;
  mono_time latest = mono_time::max();  // the run is over by then, or something hangs
  std::function<std::string()> describe;
  template <class... A>
  void trace(fmt::format_string<A...> what, A&&... with) const {
    if (tracing) print(fmt::format(what, std::forward<A>(with)...));
  }
  bool tracing = false;

 private:
  void print(const std::string& what) const;

  struct event {
    mono_time when;
    std::uint64_t order;
    std::function<void()> what;
  };
  struct later {
    bool operator()(const event& a, const event& b) const noexcept {
      return a.when != b.when ? a.when > b.when : a.order > b.order;
    }
  };
  struct listener {
    std::deque<socket*> queue;
    std::function<void()> on_queue;
  };

  std::mt19937_64 random_;
  mono_time now_{std::chrono::hours{1}};
  std::uint64_t order_ = 0;
  std::uint64_t events_run_ = 0;
  std::vector<event> events_;  // a heap
  std::deque<std::unique_ptr<socket>> all_;
  std::map<int, socket*> sockets_;
  std::map<int, listener> listeners_;
  std::vector<std::string> violations_;
};

}  // namespace rw::sim
