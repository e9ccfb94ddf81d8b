#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "config/load.h"
#include "control/admin_page.h"
#include "control/admin_socket.h"
#include "control/process.h"
#include "control/version.h"
#include "observe/exposition.h"
#include "tls/library.h"

namespace rw::control {
namespace {

// How long a start or a reload waits for names: a name server that is slow costs that, one that is
// gone must not keep the gate from what it can do.
constexpr std::chrono::seconds names_patience{5};

void append(std::vector<std::string>& messages, const config::diagnostics& list) {
  for (const config::diagnostic& one : list) messages.push_back(config::to_string(one));
}

// What a running gate cannot take over: sockets, threads and memory it was started with.
void refuse_fixed(const config::configuration& before, const config::configuration& after,
                  std::vector<std::string>& messages) {
  const auto fixed = [&messages](std::string_view key) {
    messages.push_back(fmt::format("{} has changed: that takes a restart", key));
  };
  if (before.listeners.size() != after.listeners.size()) {
    fixed("the number of listeners");
    return;
  }
  for (std::size_t i = 0; i < before.listeners.size(); ++i) {
    const config::listener& was = before.listeners[i];
    const config::listener& is = after.listeners[i];
    if (was.address != is.address || was.has_tls != is.has_tls) {
      fixed(fmt::format("the address of listener {}", is.name));
    }
  }
  if (before.server.workers != after.server.workers) fixed("server.workers");
  if (before.server.buffers_bytes != after.server.buffers_bytes) fixed("server.buffers");
  if (before.server.state != after.server.state) fixed("server.state");
  if (before.log.access_path != after.log.access_path) fixed("log.access.path");
  if (before.log.audit.path != after.log.audit.path) fixed("log.audit.path");
  const config::secret_source& was = before.log.audit.sign;
  const config::secret_source& is = after.log.audit.sign;
  if (was.from != is.from || was.name != is.name) fixed("log.audit.sign");
  if (before.admin.socket != after.admin.socket) fixed("admin.socket");
  if (before.admin.address != after.admin.address) fixed("admin.address");
}

}  // namespace

std::optional<config::configuration> process::read(std::vector<std::string>& messages) const {
  auto loaded = from_.path.empty() ? config::parse(from_.text, "demo") : config::load(from_.path);
  if (!loaded) {
    append(messages, loaded.error());
    return std::nullopt;
  }
  append(messages, loaded->warnings);
  if (readable_) {
    loaded->settings.log.access_format =
        ::isatty(STDOUT_FILENO) == 1 ? config::log_format::coloured : config::log_format::pretty;
  }
  if (state_) {
    std::vector<std::string> fixed;
    refuse_fixed(state_->settings, loaded->settings, fixed);
    if (!fixed.empty()) {
      messages.insert(messages.end(), fixed.begin(), fixed.end());
      return std::nullopt;
    }
  }
  return std::move(loaded->settings);
}

io::task<std::optional<config::configuration>> process::read_with_names(
    std::vector<std::string>& messages) {
  auto settings = read(messages);
  if (!settings) co_return settings;
  names_->follow_also(upstream::host_names(*settings));
  if (names_->settled()) co_return settings;
  co_await names_->settle(loop_->now() + names_patience);
  // Another reload may have come and gone while this one waited: what is written now counts.
  messages.clear();
  settings = read(messages);
  co_return settings;
}

// Before anything is served: the loop turns for the names alone.
std::shared_ptr<const gateway::snapshot> process::load_first(std::vector<std::string>& messages) {
  auto settings = read(messages);
  if (!settings) return nullptr;
  names_->follow(upstream::host_names(*settings));
  io::gate waiting;
  io::spawn(names_->settle(loop_->now() + names_patience), waiting);
  while (waiting.inside() > 0) loop_->turn();
  return make(std::move(*settings), messages);
}

std::shared_ptr<const gateway::snapshot> process::make(config::configuration settings,
                                                       std::vector<std::string>& messages) {
  gateway::snapshot_context with;
  with.workers = worker_count(settings.server.workers);
  with.tickets = tickets_;
  with.labels = &labels_;
  with.previous = state_.get();
  with.keys_before = keys_now();
  const auto known = keys_ ? keys_->known() : std::vector<gateway::known_keys>{};
  with.known = known;
  with.generation = ++generation_;
  with.now = loop_->wall_now();
  with.notes = &notes_;
  with.names = &names_->book();
  auto made = gateway::make_snapshot(std::move(settings), with);
  if (audit_) audit_events_.files(notes_.take());
  if (!made) {
    append(messages, made.error());
    return nullptr;
  }
  append(messages, made->warnings);
  return made->state;
}

io::task<reload_outcome> process::reload(std::string by) {
  reload_outcome outcome;
  std::optional<config::configuration> settings;
  if (!stopping_) {
    manager_.reloading(loop_->now());
    settings = co_await read_with_names(outcome.messages);
  }
  if (stopping_) {
    outcome.messages.assign(1, "the gate is stopping");
    log_.warning(outcome.messages.back());
    co_return outcome;
  }
  outcome.taken =
      adopt(settings ? make(std::move(*settings), outcome.messages) : nullptr, outcome.messages);
  names_->follow(upstream::host_names(state_->settings));
  if (outcome.taken) log_.info("the configuration was reloaded");
  audit_events_.config(outcome.taken, "reload", by, outcome.messages);
  manager_.ready(outcome.taken
                     ? "serving"
                     : "serving as before a reload that was refused: " + outcome.messages.front());
  co_return outcome;
}

io::task<> process::reload_by_signal(std::string by) {
  const reload_outcome done = co_await reload(std::move(by));
  (void)done;  // it is in the log
}

// No reload: nothing is read, and nothing but servers comes and goes.
void process::take_addresses() {
  if (!state_ || !workers_ || stopping_) return;
  auto made = gateway::with_addresses(state_, names_->book(), *keys_now(), worker_count_);
  if (!made) return;
  state_ = std::move(made);
  workers_->bound_clients(room_for_clients());
  workers_->adopt(loop_->kernel(), state_);
  take_up();
}

// After a start that has failed.
void process::end_names() {
  names_->end();
  while (names_->busy()) loop_->turn();
}

// What the TOML files say by now waits for a reload: an edit that is under way must not come into
// force, or be in the way, because a certificate was renewed.
void process::reread() {
  if (stopping_) return;
  std::vector<std::string> messages;
  const bool taken = adopt(make(state_->settings, messages), messages);
  if (taken) log_.info("the files that the configuration names were read anew");
  audit_events_.config(taken, "files_changed", {}, messages);
}

bool process::adopt(std::shared_ptr<const gateway::snapshot> made,
                    const std::vector<std::string>& messages) {
  if (!made) {
    ++reloads_failed_;
    for (const std::string& line : messages) log_.error(line);
    log_.error("the configuration in force stays");
    return false;
  }
  for (const std::string& line : messages) log_.warning(line);
  state_ = std::move(made);
  geo_refused_ += state_->countries_stale ? 1 : 0;
  keys_in_force_ = nullptr;
  workers_->bound_clients(room_for_clients());
  workers_->adopt(loop_->kernel(), state_);
  take_up();
  log_.set_level(static_cast<observe::level>(settings().log.level));
  bound_memory(memory_bound_.at_start);
  if (audit_) audit_->keep_for(settings().log.audit.keep);
  log_.debug(fmt::format("snapshot {} goes to the workers; files watched: {}", generation_,
                         fmt::join(state_->files, " ")));
  ++reloads_;
  reloaded_ = loop_->wall_now();
  return true;
}

void process::take_up() {
  files_->watch(state_->files);
  board_.adopt(state_, loop_->now());
  std::vector<upstream::check_target> targets;
  for (const gateway::upstream_plan& plan : state_->upstreams) {
    if (!plan.settings->health.is_active()) continue;
    for (std::size_t i = 0; i < plan.servers.size(); ++i) {
      // This thread comes after the workers among those that speak TLS.
      auto tls = plan.tls ? std::make_shared<tls::client_target>(plan.tls, worker_count_,
                                                                 plan.servers[i].tls_name)
                          : nullptr;
      targets.push_back({state_, &plan.health, i, &plan.servers[i], plan.settings, std::move(tls)});
    }
  }
  checker_->adopt(std::move(targets));
  keys_->adopt(state_);
  sharing_->adopt(*state_);
}

// In force first, then kept: whoever is told that it could not be kept is rid of the caller
// already.
revocation_board::outcome process::revoke(std::string_view command, std::string_view by) {
  if (stopping_) return {.done = false, .text = "the gate is stopping\n", .changed = false};
  revocation_board::outcome done = revocations_.change(command, loop_->wall_now(), by);
  if (!done.changed) return done;
  workers_->revoke(loop_->kernel(), revocations_.list());
  // The audit record has it from admin_socket.cc, which knows who asked.
  log_.info(done.event);
  sharing_->look(clocks());
  return revocations_.keep(done);
}

// In force at once, and in the file a second later.
ban_board::outcome process::ban(std::string_view command, std::string_view by) {
  if (stopping_) return {.text = "the gate is stopping\n"};
  ban_board::outcome done = bans_.change(command, *state_, clocks(), audit_events_, by);
  if (done.done) log_.info(done.text.substr(0, done.text.size() - 1));
  sharing_->look(clocks());
  return done;
}

std::string process::reopen() {
  if (!writer_ && !audit_) return "there is no access log\n";
  if (writer_) writer_->reopen();
  if (audit_) audit_->reopen();
  return "log files are opened anew\n";
}

std::uint64_t process::open_now() const {
  using observe::counter;
  std::uint64_t accepted = 0;
  std::uint64_t closed = 0;
  for (const observe::counters* one : workers_->counters()) {
    closed += one->get(counter::connections_closed);
    accepted += one->get(counter::connections_accepted);
  }
  return accepted - std::min(accepted, closed);
}

std::string process::status() const {
  std::uint64_t requests = 0;
  const auto counted = workers_ ? workers_->counters() : std::vector<const observe::counters*>{};
  for (const observe::counters* one : counted) {
    for (std::size_t i = 0; i < observe::histogram::buckets; ++i) {
      requests += one->durations.in_bucket(i);
    }
  }
  const auto seconds = [](nanoseconds t) {
    return std::chrono::duration_cast<std::chrono::seconds>(t).count();
  };
  std::string text;
  const auto line = [&text](std::string_view key, const auto& value) {
    text += fmt::format("{:<14}{}\n", key, value);
  };
  line("version", version);
  line("state", stopping_ ? "draining" : "serving");
  line("uptime", fmt::format("{} s", seconds(loop_->wall_now() - started_)));
  line("configuration", from_.path.empty() ? "the demo's" : from_.path);
  line("loaded", fmt::format("{} s ago, {} reloads, {} refused",
                             seconds(loop_->wall_now() - reloaded_), reloads_, reloads_failed_));
  line("workers", worker_count_);
  for (const net::listening_sockets& one : listeners_.sockets()) line("listener", one.name());
  line("connections", workers_ ? open_now() : 0);
  line("requests", requests);
  text += board_.summary(loop_->now(), names_.get());
  text += board_.deadlines();
  if (keys_) text += keys_->summary();
  const std::string late =
      observe::missed_text(observe::deadlines_of_clients, [&counted](observe::deadline which) {
        std::uint64_t all = 0;
        for (const observe::counters* one : counted) all += one->client_deadlines.get(which);
        return all;
      });
  if (state_->ban) line("bans", bans_.in_force());
  if (!late.empty()) line("timeouts", "clients: " + late);
  text += names_->summary(loop_->now());
  if (writer_ && writer_->failing() != 0) {
    line("access log", fmt::format("failing: {}", std::strerror(writer_->failing())));
  }
  if (audit_) {
    const int os = audit_->failing();
    line("audit log",
         os != 0 ? fmt::format("failing: {}", std::strerror(os))
                 : fmt::format("{} records, {} dropped", audit_->records(), audit_->dropped()));
  }
  return text;
}

std::string process::metrics() const {
  observe::process_facts facts;
  facts.version = version;
  facts.tls_library = tls::library_version();
  facts.started = started_;
  facts.reloaded = reloaded_;
  facts.reloads = reloads_;
  facts.reloads_failed = reloads_failed_;
  facts.memory_bound_bytes = memory_bound_.total();
  facts.resident_bytes = resident_bytes();
  if (state_ && state_->countries) facts.geo_built = state_->countries->built();
  facts.geo_stale = state_ && state_->countries_stale;
  facts.geo_refused = geo_refused_;
  if (workers_) facts.key_hashes = workers_->key_hashes();
  if (writer_) {
    facts.access_lines_dropped = writer_->dropped();
    facts.access_log_failing = writer_->failing() != 0;
  }
  if (audit_) {
    facts.audit_records = audit_->records();
    facts.audit_records_dropped = audit_->dropped();
    facts.audit_log_failing = audit_->failing() != 0;
  }
  const auto counted = workers_ ? workers_->counters() : std::vector<const observe::counters*>{};
  std::string text;
  observe::expose(counted, labels_, facts, text);
  board_.expose(loop_->now(), text);
  if (keys_) keys_->expose(text);
  names_->expose(text);
  bans_.expose(text);
  if (sharing_) sharing_->expose(text);
  return text;
}

}  // namespace rw::control
