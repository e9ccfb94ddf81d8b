// The key sets that are fetched: when, from where, what came of it, and who hears of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/https_client.h"
#include "control/resolver.h"
#include "gateway/key_source.h"
#include "gateway/snapshot.h"
#include "io/loop.h"
#include "io/task.h"
#include "observe/audit_record.h"
#include "observe/log.h"

namespace rw::control {

// Of the thread of its loop. Each source is fetched by a coroutine of its own, so that one that
// hangs is in nobody's way. The last good set stays in force until it is older than max_stale.
class key_sources {
 public:
  static constexpr std::chrono::seconds fetch_time_max{5};

  struct listeners {
    std::function<void()> changed;  // fill() would now give other keys
    std::function<void(const std::shared_ptr<gateway::key_source>&)> settled;  // after a fetch
    // For the audit log: what became of an issuer's keys.
    std::function<void(const observe::audit_record&)> happened;
  };
  key_sources(io::loop& on, const observe::log& log, listeners to);
  ~key_sources();
  key_sources(const key_sources&) = delete;
  key_sources& operator=(const key_sources&) = delete;

  // From now on the sources of this snapshot and no others. One that was known keeps its keys and
  // when it is due; it is fetched at once where it is to be trusted otherwise than before.
  void adopt(const std::shared_ptr<const gateway::snapshot>& state);
  // For the next snapshot.
  std::vector<gateway::known_keys> known() const;
  // The keys in force, into what decides by the snapshot adopted last.
  void fill(auth::snapshot& keys) const;

  std::string summary() const;  // for `ringward status`
  void expose(std::string& out) const;

  // Nobody is told of anything from here on; what is under way is cut off.
  void end() noexcept;
  // After end(): until nothing is under way.
  io::task<> ended();

 private:
  struct source;

  io::task<> watch(std::shared_ptr<source> one);
  io::task<https_outcome> fetch(source& one);
  void take(source& one, const https_outcome& got);
  bool take_keys(source& one, const https_answer& got);
  void fail(source& one, std::string why);
  void lapse(source& one);
  void happened(const source& one, observe::audit_result how, const char* reason,
                std::string_view detail) const;
  void settle(source& one);
  void ask(source& one);
  static void end(source& one) noexcept;

  io::loop& loop_;
  resolver names_;
  const observe::log& log_;
  listeners to_;
  std::vector<std::shared_ptr<source>> sources_;  // in the order of the issuers that have one
  io::gate under_way_;
  bool ended_ = false;
};

}  // namespace rw::control
