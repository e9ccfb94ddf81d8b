#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

#include "config/load.h"
#include "control/admin_page.h"
#include "control/admin_socket.h"
#include "control/process.h"

namespace rw::control {
namespace {

// How long a start or a reload waits for names: a name server that is slow costs that, one that is
// gone must not keep the gate from what it can do.
constexpr std::chrono::seconds names_patience{5};

void append(std::vector<std::string>& messages, const config::diagnostics& list) {
  for (const config::diagnostic& one : list) messages.push_back(config::to_string(one));
}

void append(std::vector<std::string>& messages, const std::vector<std::string>& lines) {
  messages.insert(messages.end(), lines.begin(), lines.end());
}

// What a running gate cannot take over: sockets, threads and memory it was started with.
void refuse_fixed(const config::configuration& before, const config::configuration& after,
                  std::vector<std::string>& messages) {
  const auto fixed = [&messages](std::string_view key) {
    messages.push_back(fmt::format("{} has changed: that takes `ringward upgrade`", key));
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

bool process::can_take(const config::configuration& settings,
                       std::vector<std::string>& messages) const {
  const std::size_t before = messages.size();
  if (state_) refuse_fixed(state_->settings, settings, messages);
  append(messages, ports_given_up(settings));
  return messages.size() == before;
}

std::optional<config::loaded> process::read(std::vector<std::string>& messages) const {
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
  return std::move(*loaded);
}

io::task<std::optional<config::loaded>> process::read_with_names(
    std::vector<std::string>& messages) {
  auto found = read(messages);
  if (!found) co_return found;
  names_->follow_also(upstream::host_names(found->settings));
  if (names_->settled()) co_return found;
  co_await names_->settle(loop_->now() + names_patience);
  // Another reload may have come and gone while this one waited: what is written now counts.
  messages.clear();
  found = read(messages);
  co_return found;
}

// Before anything is served: the loop turns for the names alone.
std::shared_ptr<const gateway::snapshot> process::load_first(std::vector<std::string>& messages) {
  auto found = read(messages);
  if (!found) return nullptr;
  names_->follow(upstream::host_names(found->settings));
  io::gate waiting;
  io::spawn(names_->settle(loop_->now() + names_patience), waiting);
  while (waiting.inside() > 0) loop_->turn();
  written_ = std::move(found->as_written);
  return make(std::move(found->settings), messages);
}

gateway::snapshot_context process::context() {
  gateway::snapshot_context with;
  with.tickets = tickets_;
  with.labels = &labels_;
  with.previous = state_.get();
  with.keys_before = keys_now();
  with.generation = ++generation_;
  with.now = loop_->wall_now();
  with.names = &names_->book();
  return with;
}

std::shared_ptr<const gateway::snapshot> process::make(config::configuration settings,
                                                       std::vector<std::string>& messages) {
  gateway::snapshot_context with = context();
  // What asks for another number is refused; what else is wrong with it is said all the same.
  with.workers = state_ ? worker_count_ : worker_count(settings.server.workers);
  const auto known = keys_ ? keys_->known() : std::vector<gateway::known_keys>{};
  with.known = known;
  with.notes = &notes_;
  const config::configuration asked = settings;
  auto made = gateway::make_snapshot(std::move(settings), with);
  if (audit_) audit_events_.files(notes_.take());
  if (!made) {
    append(messages, files_given_up(asked));
    append(messages, made.error());
    return nullptr;
  }
  append(messages, made->warnings);
  return made->state;
}

// A snapshot as it is, with other keys: what was read from files stays as it was.
key_sources::listeners process::keys_for_workers() {
  return {.changed =
              [this] {
                auto made = std::make_shared<auth::snapshot>(state_->auth);
                keys_->fill(*made);
                auth::number_issuers(*made, keys_now(), ++generation_);
                keys_in_force_ = made;
                workers_->adopt_keys(loop_->kernel(), std::move(made));
              },
          .settled =
              [this](const std::shared_ptr<gateway::key_source>& of) {
                workers_->keys_settled(loop_->kernel(), of);
              },
          .happened = [this](const observe::audit_record& what) { audit_events_.emit(what); }};
}

io::task<reload_outcome> process::reload(std::string by) {
  reload_outcome outcome;
  std::optional<config::loaded> found;
  if (!stopping_) {
    manager_.reloading(loop_->now());
    found = co_await read_with_names(outcome.messages);
  }
  if (stopping_) {
    outcome.messages.assign(1, "the gate is stopping");
    log_.warning(outcome.messages.back());
    co_return outcome;
  }
  // Whatever else is wrong is said along with what cannot be taken over.
  const bool can = found && can_take(found->settings, outcome.messages);
  auto made = found ? make(std::move(found->settings), outcome.messages) : nullptr;
  outcome.taken = adopt(can ? std::move(made) : nullptr, outcome.messages);
  if (outcome.taken) written_ = std::move(found->as_written);
  names_->follow(upstream::host_names(state_->settings));
  stale_configuration_ = !outcome.taken;
  if (outcome.taken) {
    stale_files_ = false;
    log_.info("the configuration was reloaded");
  }
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
  stale_files_ = !taken;
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
  const bool other_level = state_->settings.log.level != made->settings.log.level;
  state_ = std::move(made);
  geo_refused_ += state_->countries_stale ? 1 : 0;
  keys_in_force_ = nullptr;
  workers_->bound_clients(room_for_clients());
  workers_->adopt(loop_->kernel(), state_);
  take_up();
  if (other_level) log_.set_level(configured_log_level());
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

// In the log by whichever of the two levels shows it.
void process::set_log_level(observe::level to) {
  log_.set_level(std::max(log_.most(), to));
  log_.info(fmt::format("log level {}, by the admin socket", observe::name_of(to)));
  log_.set_level(to);
}

std::string process::reopen() {
  if (!writer_ && !audit_) return "there is no access log\n";
  if (writer_) writer_->reopen();
  if (audit_) audit_->reopen();
  return "log files are opened anew\n";
}

}  // namespace rw::control
