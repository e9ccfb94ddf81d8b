// What a running gate tells of itself: `ringward status` and /metrics.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/secret.h"
#include "control/admin_page.h"
#include "control/admin_socket.h"
#include "control/json_text.h"
#include "control/machine_tree.h"
#include "control/process.h"
#include "control/tune.h"
#include "control/version.h"
#include "io/capability.h"
#include "observe/exposition.h"
#include "tls/library.h"

namespace rw::control {

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

std::size_t process::put(const std::shared_ptr<const gateway::question>& what) {
  workers_->put(loop_->kernel(), what);
  return worker_count_;
}

std::string process::log_level() const {
  const observe::level written = configured_log_level();
  std::string text(observe::name_of(log_.most()));
  if (log_.most() != written) {
    text += fmt::format("; log.level is {}", observe::name_of(written));
  }
  return text;
}

std::string process::status() const {
  std::uint64_t requests = 0;
  const auto counted = this->counted();
  for (const observe::counters* one : counted) requests += one->get(observe::counter::requests);
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
  line("log level", log_level());
  line("workers", worker_count_);
  for (const net::listening_sockets& one : listeners_.sockets()) line("listener", one.name());
  if (stale_configuration_ || stale_files_) {
    line("stale", fmt::format("what is on disk was refused: {}",
                              stale_configuration_ ? "the configuration" : "files that it names"));
  }
  for (const ledger_entry& one : ledger()) {
    line(one.what, one.cost.empty() ? one.is : fmt::format("{}; {}", one.is, one.cost));
  }
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

void process::take_stock() {
  machine_.kernel = found_.kernel;
  machine_.no_iowait = found_.no_iowait;
  machine_.kernel_tls = found_.tls;
  machine_.bounds_receive = loop_->kernel().bounds_receive();
  machine_.tls_library = tls::library_version();
  machine_.tls = tls::features();
  machine_.secrets_locked = secrets_can_be_locked();
  machine_.workers = worker_count_;
  read_bounds(machine_tree({}), machine_);
  for (const ledger_entry& one : ledger()) {
    if (!one.cost.empty()) log_.info(fmt::format("{}: {}; {}", one.what, one.is, one.cost));
  }
}

std::vector<ledger_entry> process::ledger() const {
  ledger_facts facts = machine_;
  for (const gateway::listener_plan& one : state_->listeners) {
    if (!one.tls) continue;
    for (const std::string& group : one.tls->dropped_groups()) {
      if (std::ranges::find(facts.dropped_groups, group) == facts.dropped_groups.end()) {
        facts.dropped_groups.push_back(group);
      }
    }
  }
  facts.descriptors = descriptors_;
  facts.clients_max = room_for_clients();
  for (const config::listener& one : settings().listeners)
    facts.clients_wanted += one.max_connections;
  facts.memory_bound = memory_bound_.total();
  facts.lockdown = sum_up(lockdown_);
  read_drift(tune_places{}.state, RW_TUNING_DIRECTORY, facts);
  return ledger_of(facts);
}

std::string process::status_json() const {
  const auto counted = this->counted();
  std::uint64_t requests = 0;
  for (const observe::counters* one : counted) requests += one->get(observe::counter::requests);
  const auto seconds = [](nanoseconds t) {
    return std::chrono::duration_cast<std::chrono::seconds>(t).count();
  };
  const wall_time now = loop_->wall_now();
  std::vector<std::string> places;
  places.reserve(listeners_.sockets().size());
  for (std::size_t i = 0; i < listeners_.sockets().size(); ++i) {
    places.push_back(json_object()
                         .text("name", settings().listeners[i].name)
                         .text("address", listeners_.sockets()[i].name())
                         .str());
  }
  std::vector<std::string> certificates;
  certificates.reserve(state_->certificates.size());
  for (const observe::certificate_end& one : state_->certificates) {
    certificates.push_back(json_object()
                               .text("role", one.role)
                               .text("name", one.name)
                               .text("chain", one.chain)
                               .number("seconds_left", seconds(one.at - now))
                               .str());
  }
  std::vector<std::string> machine;
  for (const ledger_entry& one : ledger()) {
    machine.push_back(
        json_object().text("what", one.what).text("is", one.is).text("cost", one.cost).str());
  }
  json_object out;
  out.text("version", version)
      .text("state", stopping_ ? "draining" : "serving")
      .number("uptime_seconds", seconds(now - started_))
      .text("configuration", from_.path)
      .number("loaded_seconds_ago", seconds(now - reloaded_))
      .number("reloads", reloads_)
      .number("reloads_refused", reloads_failed_)
      .flag("stale_configuration", stale_configuration_)
      .flag("stale_files", stale_files_)
      .text("log_level", observe::name_of(log_.most()))
      .number("workers", worker_count_)
      .put("listeners", json_array(places))
      .number("connections", workers_ ? open_now() : 0)
      .number("requests", requests)
      .put("upstreams", upstreams_json())
      .put("key_sets", json_lines(keys_ ? keys_->summary() : ""))
      .number("bans", state_->ban ? bans_.in_force() : 0)
      .put("certificates", json_array(certificates))
      .flag("access_log_failing", writer_ && writer_->failing() != 0)
      .flag("audit_log_failing", audit_ && audit_->failing() != 0)
      .number("audit_records", audit_ ? audit_->records() : 0)
      .number("audit_records_dropped", audit_ ? audit_->dropped() : 0)
      .put("machine", json_array(machine));
  return out.str();
}

std::string process::metrics() const {
  observe::process_facts facts;
  facts.version = version;
  facts.tls_library = tls::library_version();
  facts.now = loop_->wall_now();
  facts.started = started_;
  facts.reloaded = reloaded_;
  facts.reloads = reloads_;
  facts.reloads_failed = reloads_failed_;
  facts.upgrades = upgrades_.done();
  facts.upgrades_failed = upgrades_.failed();
  facts.upgrades_refused = upgrades_.refused();
  facts.memory_bound_bytes = memory_bound_.total();
  facts.resident_bytes = resident_bytes();
  if (state_ && state_->countries) facts.geo_built = state_->countries->built();
  facts.geo_stale = state_ && state_->countries_stale;
  facts.geo_refused = geo_refused_;
  facts.stale_configuration = stale_configuration_;
  facts.stale_files = stale_files_;
  if (state_) facts.certificates = state_->certificates;
  std::vector<nanoseconds> cpu;
  if (workers_) {
    cpu = workers_->cpu_time();
    facts.worker_cpu = cpu;
    facts.key_hashes = workers_->key_hashes();
  }
  if (writer_) {
    facts.access_lines_dropped = writer_->dropped();
    facts.access_log_failing = writer_->failing() != 0;
  }
  if (audit_) {
    facts.audit_records = audit_->records();
    facts.audit_records_dropped = audit_->dropped();
    facts.audit_log_failing = audit_->failing() != 0;
  }
  std::string text;
  observe::expose(counted(), labels_, facts, text);
  board_.expose(loop_->now(), text);
  if (keys_) keys_->expose(text);
  names_->expose(text);
  bans_.expose(text);
  if (sharing_) sharing_->expose(text);
  return text;
}

}  // namespace rw::control
