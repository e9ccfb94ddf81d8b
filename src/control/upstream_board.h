// Upstreams as people see them: the table of `ringward upstreams`, lines of the log, metrics; and
// what an operator does to a server.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/origin_names.h"
#include "gateway/snapshot.h"
#include "observe/log.h"
#include "upstream/health.h"

namespace rw::control {

// Of the control thread. Reads what the workers write.
class upstream_board {
 public:
  static constexpr std::chrono::milliseconds look_every{200};

  // The snapshot in force from now on.
  void adopt(std::shared_ptr<const gateway::snapshot> state, mono_time now);
  // Says in the log what has changed since the last time. Often.
  void look(mono_time now, const observe::log& log);

  // `names`: who knows why a server has no address; null: nobody.
  std::string table(mono_time now, const origin_names* names = nullptr) const;
  // The same as an array of objects; what the table has as "-" is null.
  std::string json(mono_time now, const origin_names* names = nullptr) const;
  // For `ringward status`.
  std::string summary(mono_time now, const origin_names* names = nullptr) const;
  std::string deadlines() const;  // likewise: those that servers have missed
  void expose(mono_time now, std::string& out) const;

  struct outcome {
    bool done = false;
    std::string text;
  };
  // `server` as the table has it, or as the configuration does; in every upstream that has it.
  outcome drain(std::string_view server, bool drained, mono_time now);

 private:
  // Totals over the workers.
  struct sums {
    std::uint64_t under_way = 0;
    std::uint64_t requests = 0;
    std::uint64_t failed = 0;
    std::uint64_t idle = 0;
    std::array<std::uint64_t, observe::histogram::buckets> first_byte{};
  };
  struct sample {
    mono_time at;
    sums counted;
  };
  // One server of the snapshot in force, and what was last said of it.
  struct entry {
    const gateway::upstream_plan* plan = nullptr;
    std::size_t index = 0;
    std::shared_ptr<upstream::server_health> health;
    upstream::standing said = upstream::standing::up;
    mono_time said_until;  // of the ejection
    mono_time said_vain;   // that it was tried again in vain
    mono_time out_since;   // when it last was well
    sample older;          // the rate and the quantiles are since then: 10 to 20 s
    sample newer;

    const upstream::server& server() const noexcept { return plan->servers[index]; }
    upstream::standing standing(mono_time now) const noexcept {
      return health->now(now, plan->settings->health.slow_start);
    }
  };

  // A row of headings, then one for each server.
  std::vector<std::vector<std::string>> rows(mono_time now, const origin_names* names) const;
  static sums count(const upstream::server_health& of) noexcept;
  static std::uint64_t missed(const entry& one, observe::deadline which) noexcept;
  static std::string why(const entry& one);
  static std::size_t usable(const gateway::upstream_plan& plan) noexcept;
  void expose_handshakes(std::string& out) const;
  void say(entry& one, mono_time now, const observe::log& log) const;

  std::shared_ptr<const gateway::snapshot> state_;
  std::vector<entry> entries_;
  std::vector<bool> without_any_;  // by upstream: said to have no server left
};

}  // namespace rw::control
