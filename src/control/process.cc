#include "control/process.h"

#include <fmt/format.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/secret.h"
#include "control/admin_page.h"
#include "control/admin_socket.h"
#include "control/descriptors.h"
#include "control/takeover.h"
#include "control/version.h"
#include "io/capability.h"
#include "io/read.h"
#include "limit/table.h"
#include "observe/exposition.h"
#include "tls/library.h"

namespace rw::control {
namespace {

constexpr unsigned control_ring_entries = 256;
constexpr std::size_t control_buffers_bytes = 4U << 20U;
constexpr std::chrono::seconds tending{60};
// New connections wait this long at most for a gate that is started anew. docs/systemd.md
constexpr nanoseconds restart_drain = std::chrono::seconds{2};
// How often the service manager hears of a drain, and how long it then waits for the next word.
constexpr std::chrono::seconds drain_report{1};
constexpr std::chrono::seconds drain_patience{10};
constexpr nanoseconds stall = std::chrono::seconds{5};  // before a worker is asked what it does

sigset_t heard_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int one : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1}) sigaddset(&set, one);
  return set;
}

const char* describe_failure(const error& why) {
  return why.os != 0 ? std::strerror(why.os) : why.text;
}

}  // namespace

void hold_signals() {
  const sigset_t set = heard_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_IGN);  // it has no children, unless it is PID 1: then nobody waits for them
}

process::process(configuration_source from) : process(std::move(from), nullptr) {}
process::process(configuration_source from, std::unique_ptr<takeover> before)
    : from_(std::move(from)), before_(std::move(before)) {}

process::~process() {
  if (names_ && names_->busy()) end_names();
  if (signals_ >= 0) ::close(signals_);
}

bool process::start() {
  net::inherited_sockets passed;
  find_manager(passed);
  if (!limit::wide_swap_supported()) {
    log_.error("this processor cannot swap 16 bytes at once (cx16): the limits cannot work on it");
    return false;
  }
  const sigset_t set = heard_signals();
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  auto kernel = io::ring::create(control_ring_entries);
  if (!kernel) {
    log_.error(io::explain_refusal(kernel.error()));
    return false;
  }
  loop_ = std::make_unique<io::loop>(std::move(*kernel), control_buffers_bytes);
  started_ = reloaded_ = loop_->wall_now();
  tickets_ = std::make_shared<tls::ticket_keys>(loop_->now());

  names_ = std::make_unique<origin_names>(*loop_, log_, [this] { take_addresses(); });
  std::vector<std::string> messages;
  state_ = load_first(messages);
  for (const std::string& line : messages) {
    log_.write(state_ ? observe::level::warning : observe::level::error, line);
  }
  if (!state_) return false;
  log_.set_level(configured_log_level());
  worker_count_ = worker_count(settings().server.workers);
  if (!before_ && !open_boards()) return false;
  if (!listeners_.open(settings().listeners, worker_count_, std::move(passed), helper_, log_)) {
    return false;
  }
  if (!open_control()) return false;
  listeners_.store(manager_);

  bound_memory(resident_bytes());
  take_stock();
  for (std::size_t i = 0; i < settings().listeners.size(); ++i) {
    log_.info(fmt::format("listener {} on {}", settings().listeners[i].name,
                          listeners_.sockets()[i].name()));
  }
  if (admin_page_) log_.info(fmt::format("admin on {}", admin_page_->name()));
  log_.info("ready");
  manager_.ready("serving");
  return true;
}

std::uint32_t process::room_for_clients() const {
  return clients_max(descriptors_, worker_count_, state_->upstreams);
}

void process::bound_memory(std::uint64_t resident) {
  const std::uint64_t before = memory_bound_.total();
  memory_bound_ = control::bound_memory(settings(), worker_count_, room_for_clients(), resident);
  if (memory_bound_.total() != before) log_.info(describe(memory_bound_));
}

bool process::open_control() {
  if (!open_admin_socket() || !open_admin_page()) return false;
  descriptors_ = raise_descriptor_limit();
  lock_down();
  const std::uint32_t clients = room_for_clients();
  std::uint64_t wanted = 0;
  for (const config::listener& one : settings().listeners) wanted += one.max_connections;
  if (wanted > clients) {
    log_.warning(
        fmt::format("{} descriptors (RLIMIT_NOFILE) are enough for {} clients at once, "
                    "fewer than max_connections: raise LimitNOFILE= or `ulimit -Hn`",
                    descriptors_, clients));
  }
  if (!secrets_can_be_locked()) {
    log_.warning(
        "no room to lock secrets in memory (RLIMIT_MEMLOCK): they may be written to swap; raise "
        "LimitMEMLOCK= or `ulimit -l`");
  }
  if (!open_workers(clients)) return false;
  if (admin_socket_) admin_socket_->socket().own_path();
  if (admin_socket_) admin_socket_->start();
  if (admin_page_) admin_page_->start();
  files_ = std::make_unique<file_watch>(*loop_);
  checker_ = std::make_unique<upstream::checker>(*loop_);
  keys_ = std::make_unique<key_sources>(*loop_, log_, keys_for_workers());
  sharing_ = std::make_unique<sharing>(
      *loop_, worker_count_, gateway_name(listeners_.sockets().front().name()),
      sharing_parts{bans_, revocations_, audit_events_, log_,
                    [this] { workers_->revoke(loop_->kernel(), revocations_.list()); }});
  take_up();
  return true;
}

bool process::open_workers(std::uint32_t clients) {
  const std::string& access = settings().log.access_path;
  const log_choice logs{access != "off", !settings().log.audit.path.empty()};
  if (logs.access) {
    auto writing = writer::start(access, {});
    if (!writing) {
      log_.error(fmt::format("log.access: {}: {}", access, std::strerror(writing.error().os)));
      return false;
    }
    writer_ = std::move(*writing);
  }
  if (!claim()) return false;
  if (logs.audit && !open_audit()) return false;
  listeners_.listen();
  auto started = workers::start(worker_count_, state_, revocations_.list(), bans_.table(),
                                listeners_.sockets(), logs, clients, *loop_);
  if (!started) {
    log_.error(io::explain_refusal(started.error()));
    return false;
  }
  workers_ = std::move(*started);
  if (writer_) writer_->take(workers_->queues());
  if (audit_) audit_->take(workers_->audit_queues());
  return confirm();
}

result<net::listening_sockets> process::open_for_admin(const std::string& where) {
  const result<config::address> parsed = config::parse_address(where);
  if (!parsed) return failure(parsed.error());
  std::vector<int> there;
  for (const net::inherited_socket& one : passed_admin_.take(*parsed, {})) there.push_back(one.fd);
  if (!there.empty()) return net::listening_sockets::adopt(*parsed, 1, std::move(there));
  return net::listening_sockets::open(*parsed, 1, 0660, net::after_a_kill, helper_);
}

bool process::open_admin_socket() {
  const config::admin& admin = settings().admin;
  if (admin.socket == "off") return true;
  const std::string folder = std::filesystem::path(admin.socket).parent_path();
  // The default has to work on a machine that nobody prepared; what somebody wrote has to be right.
  if (!admin.socket_written) ::mkdir(folder.c_str(), 0755);
  auto opened = open_for_admin("unix:" + admin.socket);
  if (opened) {
    admin_socket_ = std::make_unique<admin_socket>(*this, *loop_, std::move(*opened));
    return true;
  }
  std::string why =
      fmt::format("admin.socket: {}: {}", admin.socket, describe_failure(opened.error()));
  if (opened.error().os != EADDRINUSE) {
    why += fmt::format(
        "; `mkdir {}` for the gate's user, or RuntimeDirectory= in its unit, mends it", folder);
  }
  if (admin.socket_written) {
    log_.error(why);
    return false;
  }
  log_.warning(why + "; until then `ringward status` and `ringward reload` do not reach this gate");
  return true;
}

bool process::open_admin_page() {
  const std::string& where = settings().admin.address;
  if (where == "off") return true;
  auto opened = open_for_admin(where);
  if (!opened) {
    log_.error(fmt::format("admin.address: {}: {}", where, describe_failure(opened.error())));
    return false;
  }
  admin_page_ = std::make_unique<admin_page>(*this, *loop_, std::move(*opened));
  return true;
}

int process::run() {
  lock_rings();
  io::spawn(serve_signals(), chores_);
  io::spawn(watch_files(), chores_);
  io::spawn(tend(), chores_);
  io::spawn(answer_watchdog(), chores_);
  io::spawn(watch_upstreams(), chores_);
  if (before_) io::spawn(take_audit_records(), chores_);
  while (!stopped_ || chores_.inside() > 0) {
    loop_->turn();
    take_messages();
  }
  return 0;
}

// From workers: which keys they want, and what they were asked for.
void process::take_messages() {
  for (io::message* one = loop_->posted(); one != nullptr;) {
    io::message* next = one->next;
    static_cast<gateway::control_message*>(one)->run();
    delete one;
    one = next;
  }
}

io::task<> process::serve_signals() {
  signalfd_siginfo heard{};
  while (!stopped_) {
    io::read_some reading(*loop_, signals_, std::as_writable_bytes(std::span(&heard, 1)));
    hearing_ = &reading;
    const std::int32_t got = co_await reading;
    hearing_ = nullptr;
    if (got != static_cast<std::int32_t>(sizeof heard)) continue;
    if (heard.ssi_signo == SIGHUP) {
      io::spawn(reload_by_signal(fmt::format("uid:{}", heard.ssi_uid)), chores_);
    } else if (heard.ssi_signo == SIGUSR1) {
      reopen();
      audit_events_.admin(true, "reopen", {}, fmt::format("uid:{}", heard.ssi_uid));
    } else if (replaced_ && !std::exchange(told_, true)) {
      log_.info("this gate ends as soon as what is under way has, or at another signal");
    } else if (stopping_) {
      log_.warning("stopped at once, at the second signal");
      if (workers_) workers_->hurry_hashes();
      ::_exit(0);
    } else {
      stopping_ = true;
      // As systemd's restart is told from its stop: docs/systemd.md.
      io::spawn(stop(heard.ssi_signo == SIGQUIT ? ending::stop : ending::restart), chores_);
    }
  }
}

io::task<> process::watch_files() {
  for (;;) {
    const bool some = co_await files_->changed();
    if (!some) co_return;
    log_.info("a file that the configuration names has changed");
    reread();
  }
}

io::task<> process::tend() {
  while (!stopping_) {
    tickets_->rotate(loop_->now());
    for (const auto& one : certificates_.look(state_->certificates, loop_->wall_now())) {
      if (!one.is_new) log_.warning(one.text);
      audit_events_.certificate(one.chain, one.text);
    }
    io::sleep pause(*loop_, loop_->now() + tending);
    pause_ = &pause;
    co_await pause;
    pause_ = nullptr;
  }
}

// Workers leave marks when they take a server out, and when TLS with one fails; the lines about it
// are written here, for as long as there are workers.
io::task<> process::watch_upstreams() {
  while (workers_) {
    names_->look();
    board_.look(loop_->now(), log_);
    handshakes_.look(*state_, loop_->now(), log_);
    bans_.look(clocks(), log_, audit_events_);
    sharing_->look(clocks());
    follow_revocations();
    redis_.look(*state_, workers_->counters(), loop_->now(), log_);
    io::sleep pause(*loop_, loop_->now() + upstream_board::look_every);
    glance_ = &pause;
    co_await pause;
    glance_ = nullptr;
  }
}

// The manager, where it asks, hears that this process is alive while every worker is: a message now
// and then wakes each, so that one asleep costs nothing in between and one that hangs is noticed.
io::task<> process::answer_watchdog() {
  const nanoseconds asked = manager_.watchdog() / 2;
  const nanoseconds half = asked > nanoseconds{0} ? std::min(asked, stall) : stall;
  nanoseconds pause = half;
  while (!stopping_) {
    if (pause == half) workers_->ask(loop_->kernel());
    io::sleep until(*loop_, loop_->now() + pause);
    watchdog_pause_ = &until;
    co_await until;
    watchdog_pause_ = nullptr;
    if (stopping_) co_return;
    const bool answered = workers_->answered();
    if (answered && asked > nanoseconds{0}) manager_.alive();
    if (!answered && pause == half) workers_->report_silent(half, log_);
    // Late is not dead: the manager's other half has yet to pass.
    pause = answered ? half : half / 8;
  }
}

// A worker that cannot end must not have the manager wait for ever: its own time-out then counts.
io::task<> process::wait_for_workers(mono_time deadline) {
  mono_time report = loop_->now();
  while (workers_->running() > 0) {
    if (loop_->now() >= report && loop_->now() < deadline + drain_patience) {
      manager_.still_stopping(drain_patience, fmt::format("draining: {} connections", open_now()));
      report = loop_->now() + drain_report;
    }
    io::sleep pause(*loop_, loop_->now() + std::chrono::milliseconds{10});
    co_await pause;
  }
}

io::task<> process::stop(ending how) {
  profile_.end();
  if (how == ending::stop) listeners_.forget(manager_);
  const bool outlived = how == ending::restart && listeners_.outlive_us(manager_);
  nanoseconds limit = settings().server.drain_timeout;
  if (outlived) limit = std::min(limit, restart_drain);
  log_.info(fmt::format("stopping: requests under way have {} s to finish{}",
                        std::chrono::duration_cast<std::chrono::seconds>(limit).count(),
                        outlived ? "; new connections wait for the next process" : ""));
  manager_.stopping("draining");
  co_await sharing_->stop();
  keys_->end();  // no worker hears of anything once it is told to go
  const mono_time deadline = loop_->now() + limit;
  workers_->drain(loop_->kernel(), limit, how != ending::upgrade);
  if (watchdog_pause_ != nullptr) watchdog_pause_->cut();
  // Once the workers have stopped accepting, nobody shall wait in a backlog for them.
  io::sleep moment(*loop_, loop_->now() + std::chrono::milliseconds{50});
  co_await moment;
  how == ending::upgrade ? listeners_.leave() : listeners_.close(manager_);
  co_await wait_for_workers(deadline);
  while (handing_on_) {
    io::sleep pause(*loop_, loop_->now() + std::chrono::milliseconds{10});
    co_await pause;
  }
  if (earlier_ != nullptr) earlier_->abort(fault::canceled);
  if (admin_page_) co_await admin_page_->stop();
  if (admin_socket_) co_await admin_socket_->stop();
  bans_.look(clocks(), log_, audit_events_);
  bans_.keep(clocks(), log_);
  writer_.reset();
  audit_events_.use(nullptr);
  audit_.reset();
  workers_.reset();
  co_await checker_->stop();
  co_await keys_->ended();
  names_->end();
  co_await names_->ended();
  stopped_ = true;
  files_->end();
  if (glance_ != nullptr) glance_->cut();
  if (pause_ != nullptr) pause_->cut();
  if (hearing_ != nullptr) loop_->kernel().cancel(*hearing_);
  log_.info("stopped");
}

}  // namespace rw::control
