// Bans and revocations, shared with the other gateways on the same Redis: what is said here is told
// there, and what others say comes into force here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/audit_events.h"
#include "control/ban_board.h"
#include "control/revocation_board.h"
#include "control/shared_words.h"
#include "gateway/snapshot.h"
#include "io/loop.h"
#include "io/task.h"
#include "observe/counters.h"
#include "observe/log.h"
#include "redis/client.h"

namespace rw::control {

// How others hear of this one: the machine's name and the port of `listening_on`, where it has one.
std::string gateway_name(std::string_view listening_on);

// What it works on; all of it outlives it.
struct sharing_parts {
  ban_board& bans;
  revocation_board& revocations;
  audit_events& audit;
  const observe::log& log;
  std::function<void()> revoked;  // the list is another one: workers are to hear of it
};

// Of the control thread. Asks Redis one script, again and again: it takes what is new here, and
// answers what is new to this gateway. After each new connection, and when Redis has begun anew,
// all is compared: what Redis lost, a gateway brings back.
class sharing {
 public:
  // How often it asks, and the time of one question: nobody waits for it.
  static constexpr std::chrono::milliseconds every{400};
  static constexpr std::chrono::seconds patience{1};
  // Words in one question, and in its answer.
  static constexpr std::size_t words_max = 24;
  // Without an answer for so long a line says so.
  static constexpr std::chrono::seconds silence{5};

  // `thread`: as of tls::client_target. `name`: of this gateway, as others hear it.
  sharing(io::loop& on, unsigned thread, std::string name, sharing_parts with);
  ~sharing();  // after stop()
  sharing(const sharing&) = delete;
  sharing& operator=(const sharing&) = delete;

  // With [redis] or without, from now on.
  void adopt(const gateway::snapshot& state);
  // Asks at once where something has been said; writes what is to be kept. Cheap when nothing has.
  void look(two_clocks now);
  io::task<> stop();
  void expose(std::string& out) const;  // for /metrics; nothing without [redis]

 private:
  void begin(const gateway::snapshot& state);
  void end();
  void read_lifted();
  io::task<> live();
  io::task<bool> exchange();
  void write(redis::command& out, const std::vector<const shared_word*>& told) const;
  bool take(const redis::reply& what, bool& more);
  void hear(std::string_view sealed);
  void say_whether_in_step(mono_time now);
  void keep_lifted();

  io::loop& loop_;
  std::string name_;
  sharing_parts with_;
  observe::counters counted_;
  redis::client client_;
  std::shared_ptr<const redis::target> target_;  // as the snapshot has it; null: not shared
  std::optional<word_seal> seal_;
  shared_words words_;
  std::string lifted_path_;
  std::uint64_t lifted_kept_ = 0;  // of words_.lifted_changes()
  bool lifted_failing_ = false;
  mono_time tidied_at_;
  std::uint64_t session_ = 0;  // of the client, that `since_` is of
  std::string epoch_;          // of what Redis holds; empty: not known
  std::string since_ = "0";    // what of it has been heard
  bool heard_all_ = false;
  bool lost_ = false;  // and that was said
  mono_time in_step_at_;
  std::uint64_t exchanges_ = 0;
  std::uint64_t told_ = 0;
  std::uint64_t heard_ = 0;
  std::uint64_t unreadable_ = 0;
  io::sleep* pause_ = nullptr;
  io::gate living_;
};

}  // namespace rw::control
