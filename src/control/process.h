// The running gate: what the control thread holds together, from the first snapshot to the last
// worker's end.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/load.h"
#include "control/audit_events.h"
#include "control/audit_log.h"
#include "control/ban_board.h"
#include "control/certificate_watch.h"
#include "control/file_watch.h"
#include "control/handshake_log.h"
#include "control/key_sources.h"
#include "control/ledger.h"
#include "control/listeners.h"
#include "control/lockdown.h"
#include "control/memory_bound.h"
#include "control/origin_names.h"
#include "control/profiler.h"
#include "control/reach.h"
#include "control/redis_log.h"
#include "control/request_explain.h"
#include "control/revocation_board.h"
#include "control/service_manager.h"
#include "control/sharing.h"
#include "control/upgrades.h"
#include "control/upstream_board.h"
#include "control/workers.h"
#include "control/writer.h"
#include "gateway/snapshot.h"
#include "io/loop.h"
#include "net/bind_helper.h"
#include "net/inherited_sockets.h"
#include "observe/log.h"
#include "observe/names.h"
#include "upstream/checker.h"

namespace rw::control {

class admin_page;
class admin_socket;
class takeover;

// Where a configuration comes from: a file or directory, or text (the demo's).
struct configuration_source {
  std::string path;
  std::string text;  // used when path is empty
};

struct reload_outcome {
  bool taken = false;
  std::vector<std::string> messages;  // errors, or warnings
};

// Before any thread starts: all inherit the mask, and the control thread alone hears of signals.
void hold_signals();

// Of the control thread.
class process {
 public:
  explicit process(configuration_source from);
  // One that comes after another gate, whose sockets `before` has.
  process(configuration_source from, std::unique_ptr<takeover> before);
  ~process();

  // Everything up to serving. False: it has said why, one line each, on stderr.
  bool start();
  // Serves until SIGTERM, SIGINT or SIGQUIT; then drains, at most 2 s when the listening sockets
  // outlive it, which SIGQUIT rules out. The exit status.
  int run();

  // Checks the configuration and everything it names, then hands it to the workers; an error keeps
  // what is in force. Waits for names that are new in it. `by`: who asked, as the audit log names
  // them: "uid:0".
  io::task<reload_outcome> reload(std::string by = {});
  // What a reload would change, or why it would be refused, for `ringward reload --explain`.
  // `taken`: it would be. Nothing comes into force, and nothing but the names of origins is looked
  // up.
  io::task<reload_outcome> explain_reload();
  std::string status() const;  // for `ringward status`
  std::string status_json() const;
  // Into the audit log, when there is one: `audit().emit({.what = …})`.
  audit_events& audit() noexcept { return audit_events_; }
  // For `ringward explain`.
  explanation explain(const asked_request& asked);
  // For `ringward upgrade`, the whole conversation: `command` is what it began with.
  io::task<> serve_upgrade(net::stream& with, std::string command, asker who);
  std::string reopen();         // for `ringward reopen`: log files that were rotated away
  std::string metrics() const;  // /metrics
  std::string upstreams() const { return board_.table(loop_->now(), names_.get()); }
  std::string upstreams_json() const { return board_.json(loop_->now(), names_.get()); }
  // For `ringward drain` and `undrain`.
  upstream_board::outcome drain(std::string_view server, bool drained) {
    return board_.drain(server, drained, loop_->now());
  }
  // For `ringward revoke`, `unrevoke` and `revoked`. `by`: who asked.
  revocation_board::outcome revoke(std::string_view command, std::string_view by);
  std::string revoked() const { return revocations_.table(loop_->wall_now()); }
  std::string revoked_json() const { return revocations_.json(loop_->wall_now()); }
  // For `ringward ban`, `unban` and `bans`. `by`: who asked.
  ban_board::outcome ban(std::string_view command, std::string_view by);
  std::string bans() const { return bans_.text(*state_, clocks()); }
  std::string bans_json() const { return bans_.json(*state_, clocks()); }
  // For `ringward log level`: what is shown of the program's own messages, and another level, until
  // a reload brings another `log.level` than the one in force.
  std::string log_level() const;
  observe::level configured_log_level() const noexcept {
    return static_cast<observe::level>(settings().log.level);
  }
  void set_log_level(observe::level to);
  bool ready() const noexcept { return !stopping_; }
  // Has each worker answer, how many of which there are; while ready().
  std::size_t put(const std::shared_ptr<const gateway::question>& what);
  std::uint64_t open_now() const;  // client connections
  // For `ringward profile`; while ready().
  profile_turn& profile() noexcept { return profile_; }
  std::vector<workers::sampled> sampled_threads() const { return workers_->sampled_threads(); }
  // The access log as lines for people, whatever the configuration says: the demo's. Before
  // start().
  void make_readable() noexcept { readable_ = true; }
  // "127.0.0.1:8443", of the first listener, with the port that was given.
  const std::string& listening_on() const noexcept { return listeners_.sockets().front().name(); }
  io::loop& loop() const noexcept { return *loop_; }
  // What is in force; there is one once start() has loaded it. Of the keys: by now, see
  // keys_for_workers().
  const std::shared_ptr<const gateway::snapshot>& state() const noexcept { return state_; }
  const auth::snapshot& keys() const noexcept { return *keys_now(); }
  std::vector<const observe::counters*> counted() const {
    return workers_ ? workers_->counters() : std::vector<const observe::counters*>{};
  }
  const config::configuration& settings() const noexcept { return state_->settings; }
  const observe::log& log() const noexcept { return log_; }
  // admin.credential; null where there is none.
  const secret* admin_credential() const noexcept {
    return state_ ? state_->admin_credential.get() : nullptr;
  }

 private:
  enum class ending : std::uint8_t { stop, restart, upgrade };
  two_clocks clocks() const { return {loop_->now(), loop_->wall_now()}; }
  std::optional<config::loaded> read(std::vector<std::string>& messages) const;
  // The configuration, once its names have been looked up or took too long.
  io::task<std::optional<config::loaded>> read_with_names(std::vector<std::string>& messages);
  // False: a running gate cannot take these over, and `messages` names what.
  bool can_take(const config::configuration& settings, std::vector<std::string>& messages) const;
  std::shared_ptr<const gateway::snapshot> load_first(std::vector<std::string>& messages);
  io::task<> reload_by_signal(std::string by);
  // Origins have other addresses: the workers hear of them.
  void take_addresses();
  void end_names();
  gateway::snapshot_context context();
  std::shared_ptr<const gateway::snapshot> make(config::configuration settings,
                                                std::vector<std::string>& messages);
  // Reads the files that the configuration in force names once more, and no TOML.
  void reread();
  // Hands `made` to the workers; false when there is none and what is in force stays.
  bool adopt(std::shared_ptr<const gateway::snapshot> made,
             const std::vector<std::string>& messages);
  bool open_control();
  bool open_workers(std::uint32_t clients);
  std::optional<observe::audit_key> audit_key(bool& right);
  bool open_audit();
  key_sources::listeners keys_for_workers();
  void take_messages();
  std::uint32_t room_for_clients() const;
  // Computes memory_bound_ for the configuration in force; `resident`: memory_bound::at_start.
  void bound_memory(std::uint64_t resident);
  // Everything is open that needs to be, and no other thread has begun: gives up the rest.
  void lock_down();
  // When every thread has its ring.
  void lock_rings();
  // What a configuration needs that the process has given up, one line each: ports; files, of one
  // that could not be taken since not all of them could be read.
  std::vector<std::string> ports_given_up(const config::configuration& asked) const;
  std::vector<std::string> files_given_up(const config::configuration& asked) const;
  // What of the machine does not change while the gate runs; says what is missing.
  void take_stock();
  std::vector<ledger_entry> ledger() const;
  result<net::listening_sockets> open_for_admin(const std::string& where);
  bool open_admin_socket();
  bool open_admin_page();
  io::task<> serve_signals();
  io::task<> watch_files();
  io::task<> tend();
  io::task<> answer_watchdog();
  io::task<> stop(ending how);
  // ---- process_upgrade.cc
  handover to_hand_over() const;
  // Empty: whoever it is may replace this gate.
  std::string why_no_upgrade(const asker& who);
  io::task<> hand_over(net::stream& to, asker who);
  io::task<> rest_for_upgrade();
  void follow_revocations();
  void take_back(bool audit);
  void end_failed_upgrade(const std::string& by);
  io::task<> hand_on_audit(net::stream& to);
  void find_manager(net::inherited_sockets& passed);
  bool open_boards();
  void open_bans();
  bool claim();
  bool confirm();
  io::task<> take_audit_records();
  io::task<> wait_for_workers(mono_time deadline);
  io::task<> watch_upstreams();
  // The snapshot in force to those of this thread who work by it.
  void take_up();

  configuration_source from_;
  std::unique_ptr<takeover> before_;     // null: this gate comes after no other
  net::inherited_sockets passed_admin_;  // of that one
  net::bind_helper helper_;              // before lock_down()
  net::stream* earlier_ = nullptr;       // in take_audit_records()
  upgrades upgrades_;
  profile_turn profile_;
  observe::log log_;
  observe::label_names labels_;
  std::shared_ptr<tls::ticket_keys> tickets_;
  std::shared_ptr<const gateway::snapshot> state_;
  config::written written_;  // what state_ was made from, as somebody wrote it
  service_manager manager_;
  listeners listeners_;
  std::unique_ptr<io::loop> loop_;
  std::unique_ptr<writer> writer_;
  std::unique_ptr<audit_log> audit_;
  audit_events audit_events_;
  gateway::file_notes notes_;
  std::unique_ptr<workers> workers_;
  std::unique_ptr<file_watch> files_;
  std::unique_ptr<admin_socket> admin_socket_;
  std::unique_ptr<admin_page> admin_page_;
  handshake_log handshakes_;
  certificate_watch certificates_;
  redis_log redis_;
  std::unique_ptr<upstream::checker> checker_;
  std::unique_ptr<key_sources> keys_;
  std::shared_ptr<const auth::snapshot> keys_in_force_;  // null: those of state_
  const auth::snapshot* keys_now() const noexcept {
    if (keys_in_force_) return keys_in_force_.get();
    return state_ ? &state_->auth : nullptr;
  }
  std::unique_ptr<origin_names> names_;
  upstream_board board_;
  revocation_board revocations_;
  ban_board bans_;
  std::unique_ptr<sharing> sharing_;
  std::unique_ptr<auth::authenticator> authenticator_;  // explain()'s; made when first asked
  io::gate chores_;
  unsigned worker_count_ = 1;
  std::uint64_t descriptors_ = 0;  // that the process may have
  memory_bound memory_bound_;
  ledger_facts machine_;
  io::capabilities found_;  // before lock_down()
  reach reach_;
  lockdown_parts lockdown_;
  std::uint64_t generation_ = 0;
  std::uint64_t reloads_ = 0;
  std::uint64_t reloads_failed_ = 0;
  std::uint64_t geo_refused_ = 0;
  wall_time started_;
  wall_time reloaded_;
  bool stale_configuration_ = false;  // the last reload was refused
  bool stale_files_ = false;          // what changed of the files it names was, since then
  bool stopping_ = false;
  bool stopped_ = false;
  bool replaced_ = false;    // by a gate that serves
  bool told_ = false;        // to end, since then
  bool handing_on_ = false;  // the audit records of the last requests
  bool readable_ = false;
  int signals_ = -1;
  io::operation* hearing_ = nullptr;  // of serve_signals()
  io::sleep* pause_ = nullptr;        // of tend()
  io::sleep* watchdog_pause_ = nullptr;
  io::sleep* glance_ = nullptr;  // of watch_upstreams()
};

}  // namespace rw::control
