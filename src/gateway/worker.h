// One pinned thread: its loop, its connections, its pools, its counters.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "auth/authenticate.h"
#include "gateway/audit.h"
#include "gateway/balance.h"
#include "gateway/connection.h"
#include "gateway/epoch.h"
#include "gateway/exchange.h"
#include "gateway/snapshot.h"
#include "gateway/top_callers.h"
#include "gateway/waiting_list.h"
#include "http/date.h"
#include "http/h2_window.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/task.h"
#include "observe/access_line.h"
#include "observe/counters.h"
#include "observe/log_queue.h"
#include "redis/client.h"
#include "upstream/pool.h"

namespace rw::gateway {

class hash_pool;
struct hash_inbox;

// What a worker is given; all of it outlives the worker.
struct worker_parts {
  unsigned index = 0;
  unsigned workers = 1;
  std::shared_ptr<const snapshot> state;
  struct accepting {
    int fd = -1;
    std::uint32_t listener = 0;  // by its place in snapshot::listeners
  };
  std::vector<accepting> listening;
  observe::counters* counters = nullptr;
  std::shared_ptr<const auth::revocation_list> revoked;  // null: nothing is
  observe::log_queue* access = nullptr;                  // null: no access log
  observe::log_queue* audit = nullptr;                   // null: no audit log
  std::shared_ptr<connection_bound> clients = std::make_shared<connection_bound>();
  std::shared_ptr<limit::ban_table> bans;  // null: nobody is ever banned
  io::loop* control = nullptr;             // outlives the worker; null: nobody fetches keys
  std::shared_ptr<hash_pool> hashes;       // null: keys with slow hashes are nobody's
  std::shared_ptr<worker_loads> loads;     // null: the only worker, which keeps what it accepts
};

class worker {
 public:
  worker(io::loop& on, worker_parts parts);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  // Accepts and serves until finish() has come to its end.
  void run();

  // ---- by message from the control thread, on this one
  // From the next request on; connections stay.
  void adopt(std::shared_ptr<const snapshot> state);
  // From now on, requests under way included: they end at once. Null: nothing is revoked.
  void revoke(std::shared_ptr<const auth::revocation_list> list);
  // The keys in force, from the next request on, with the snapshot that came last.
  void adopt_keys(std::shared_ptr<const auth::snapshot> keys) noexcept;
  // A fetch has come to its end: whoever waits for it goes on.
  void keys_settled(const key_source& of) noexcept;
  // A connection that another worker has accepted, its place taken: closed when this one drains.
  // `surplus`: one too many, see make_room().
  void take_over(int fd, std::uint32_t listener, bool surplus);
  // Stops accepting, lets what is under way finish for `at_most`, then cuts it. Who has nothing
  // under way is hurried: nobody is to wait for this worker's end. Where nobody does, a connection
  // stays open for its next request for most of that time, so that its client is told with an
  // answer.
  void drain(nanoseconds at_most, bool hurried = true);

  // ---- for connections and exchanges
  io::loop& loop() noexcept { return loop_; }
  const snapshot& state() const noexcept { return *epoch_->state; }
  bool draining() const noexcept { return draining_; }
  unsigned index() const noexcept { return parts_.index; }
  exchange& begin(connection& client);
  void end(exchange& done) noexcept;
  // The same for one that never was a request.
  void withdraw(exchange& one) noexcept;
  hash_pool* hashes() noexcept { return parts_.hashes.get(); }
  const std::shared_ptr<gateway::hash_inbox>& hash_inbox() noexcept { return hash_inbox_; }
  // Of jobs that the pool has.
  // What a hash has said. A match is told to the other workers too: its key is known from now on,
  // and neither charged nor hashed, wherever its next connection goes.
  void learn(const auth::slow_answer& what, nanoseconds right_for);
  void hash_begun() noexcept { ++hash_jobs_; }
  void hash_done() noexcept { --hash_jobs_; }
  auth::authenticator& authenticator() noexcept { return authenticator_; }
  observe::counters& counters() noexcept { return *parts_.counters; }
  observe::log_queue* access_log() noexcept { return parts_.access; }
  auditor& audit() noexcept { return auditor_; }
  top_callers& callers() noexcept { return callers_; }
  observe::access_formatter& access_format() noexcept { return access_format_; }
  upstream::pools& pools() noexcept { return pools_; }
  redis::client& redis() noexcept { return redis_; }
  unsigned& bulk_receives() noexcept { return bulk_receives_; }
  unsigned& h2_streams() noexcept { return h2_streams_; }
  http::window_pool& h2_windows() noexcept { return h2_windows_; }
  unsigned workers() const noexcept { return parts_.workers; }
  limit::ban_table* bans() const noexcept { return parts_.bans.get(); }
  io::loop* control() noexcept { return parts_.control; }
  // Until the fetch under way for `of` has come to its end, at most key_source::wait_max.
  io::task<> wait_for_keys(const key_source& of);
  std::string_view date() noexcept;  // of this second, for Date
  std::uint64_t random() noexcept;   // unpredictable: it is in request ids, which clients see
  void add(connection& one) noexcept;
  void remove(connection& one) noexcept;
  // The ends of their list, in the order in which they came.
  const connection* newest_client() const noexcept { return first_; }
  const connection* oldest_client() const noexcept { return last_; }
  // One that it accepts from; -1: none. Its address says which port was given.
  int listening_fd(std::uint32_t listener) const noexcept;
  // Those of a listener that have nothing under way.
  waiting_list& waiting(std::uint32_t listener) noexcept { return waiting_[listener]; }
  // For a client of `listener` that is one too many there, or in the process: whoever has waited
  // longest of this worker's clients, there or anywhere, gives way. False: nobody waits.
  bool make_room(std::uint32_t listener) noexcept;

 private:
  struct acceptor;
  enum class place : std::uint8_t { free, surplus, none };

  static void on_accepted(io::operation& op, io::completion what);
  static void on_accept_again(io::timer& timer);
  void accept(acceptor& at);
  place take_place(std::uint32_t listener) noexcept;
  void give_place_back(std::uint32_t listener) noexcept;
  void admit(int fd, std::uint32_t listener, bool surplus);
  void hand_over(int fd, std::uint32_t listener, bool surplus, std::size_t to);
  worker_load& load() noexcept { return (*parts_.loads)[parts_.index]; }
  void make_waiting_lists(std::size_t listeners);
  bool accepting() const noexcept;
  void run_all(io::message* first);
  void give_up_idle_exchanges();
  io::task<> keep_house();
  io::task<> finish(nanoseconds at_most, bool hurried);
  static void cut(connection& one) noexcept;
  void release(epoch* one) noexcept;

  io::loop& loop_;
  worker_parts parts_;
  std::unique_ptr<epoch> epoch_;
  std::vector<std::unique_ptr<epoch>> past_;
  std::vector<std::unique_ptr<acceptor>> acceptors_;
  std::vector<waiting_list> waiting_;  // by listener
  upstream::pools pools_;
  redis::client redis_;
  auth::authenticator authenticator_;
  observe::access_formatter access_format_;
  http::date_text date_{};
  std::int64_t date_second_ = -1;
  std::array<std::uint64_t, 512> random_;  // drawn from the kernel a page at a time
  std::size_t random_used_ = std::tuple_size_v<decltype(random_)>;
  auditor auditor_;
  top_callers callers_;
  http::window_pool h2_windows_;
  std::vector<std::unique_ptr<exchange>> free_exchanges_;  // last in, first out: the warm ones
  std::size_t idle_exchanges_ = 0;  // of those, not taken since keep_house() looked
  connection* first_ = nullptr;     // the newest
  connection* last_ = nullptr;      // that has been open longest
  unsigned bulk_receives_ = 0;      // under way
  unsigned h2_streams_ = 0;         // likewise
  struct key_wait {
    const key_source* of;
    io::sleep* pause;
  };
  std::vector<key_wait> key_waits_;
  unsigned hash_jobs_ = 0;  // at the pool
  std::shared_ptr<gateway::hash_inbox> hash_inbox_;
  saturation saturation_;
  io::gate connections_;
  io::gate chores_;
  io::sleep* pause_ = nullptr;  // of keep_house()
  bool draining_ = false;
  bool closed_ = false;  // serves nobody new, and nobody is left
  bool finished_ = false;
};

// A message to a worker.
struct command : io::message {
  virtual void run(worker& on) = 0;
};

// A connection on its way to another worker, with its place, that worker's among them. When it is
// never run it closes the connection and gives the place back.
class handed_over : public command {
 public:
  handed_over(io::loop& to, int fd, std::uint32_t listener, client_place its) noexcept
      : to_(to), fd_(fd), listener_(listener), place_(std::move(its)) {}
  ~handed_over() override;
  void run(worker& on) override;

 private:
  io::loop& to_;  // on its thread it is run and deleted
  int fd_;
  std::uint32_t listener_;
  client_place place_;
};

}  // namespace rw::gateway
