// A gate takes over from another one: both sides of it. docs/systemd.md
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "control/admin_page.h"
#include "control/admin_socket.h"
#include "control/process.h"
#include "control/takeover.h"
#include "control/version.h"

namespace rw::control {
namespace {

using kind = handed_descriptor::kind;

// Commands that are under way when another gate is to answer them.
constexpr std::chrono::seconds commands_patience{6};
constexpr std::chrono::seconds line_patience{10};
constexpr std::size_t word_bytes_max = 8192;

// One line, without its end; "" when none came in time.
io::task<std::string> next_word(net::stream& from, mono_time by) {
  std::size_t end = from.input().find('\n');
  while (end == std::string_view::npos) {
    if (from.input().size() > word_bytes_max) co_return {};
    const result<> more = co_await from.receive(by);
    if (!more) co_return {};
    end = from.input().find('\n');
  }
  std::string word(from.input().substr(0, end));
  from.consume(end + 1);
  co_return word;
}

bool is_same_file(const std::string& one, const std::string& other) {
  std::error_code failed;
  return !one.empty() && (one == other || std::filesystem::equivalent(one, other, failed));
}

std::string line_of(bool done, std::string_view text) {
  return fmt::format("{}\n{}\n", done ? "ok" : "failed", text);
}

}  // namespace

// ---- the earlier gate

handover process::to_hand_over() const {
  handover all;
  std::error_code failed;
  all.configuration = std::filesystem::absolute(from_.path, failed);
  all.directory = std::filesystem::current_path(failed);
  all.manager = manager_.address();
  all.watchdog = manager_.watchdog();
  all.upgrades = upgrades_.done();
  all.descriptors = listeners_.handed();
  if (admin_socket_) {
    all.descriptors.push_back({kind::admin, "socket", admin_socket_->socket().fd(0)});
  }
  if (admin_page_) {
    all.descriptors.push_back({kind::admin, "address", admin_page_->socket().fd(0)});
  }
  all.descriptors.push_back({kind::output, "output", STDOUT_FILENO});
  all.descriptors.push_back({kind::output, "error", STDERR_FILENO});
  return all;
}

std::string process::why_no_upgrade(const asker& who) {
  if (!who.known || (who.uid != 0 && who.uid != ::geteuid())) {
    upgrades_.refuse();
    audit_events_.admin(false, "upgrade", {}, who.name());
    log_.warning(fmt::format("an upgrade was refused: {} is not the gate's user, nor root",
                             who.known ? who.name() : "who asked"));
    return "only root and the gate's own user can replace it";
  }
  if (stopping_) return "the gate is stopping";
  if (from_.path.empty()) return "a demo has no configuration that another gate could serve by";
  return {};
}

io::task<> process::serve_upgrade(net::stream& with, std::string command, asker who) {
  const mono_time now = loop_->now();
  std::string_view rest = command;
  cut(rest, '\t');
  const std::string_view what = cut(rest, '\t');
  std::string answer;
  if (what == "about") {
    answer = line_of(true, fmt::format("{}\t{}", ::getpid(), manager_.there() ? "managed" : ""));
  } else if (what == "said") {
    answer = line_of(true, upgrades_.said());
  } else if (std::string why = why_no_upgrade(who); !why.empty()) {
    answer = line_of(false, why);
  } else if (what == "ask") {
    upgrades_.ask(who.name(), now);
    answer = line_of(true, {});
  } else if (what == "due") {
    // For the process that the manager of this very gate has started.
    answer = line_of(upgrades_.asked(now) && rest == std::to_string(::getpid()), {});
  } else if (what == "failed") {
    upgrades_.take_words(std::string(rest));
    answer = line_of(true, {});
  } else if (what == "take") {
    if (upgrades_.begin()) {
      co_await hand_over(with, who);
      co_return;
    }
    answer = line_of(false, "another upgrade is under way");
  } else {
    answer = line_of(false, "no such command");
  }
  co_await with.send(answer, std::chrono::seconds{5});
}

// Until the other gate serves it can fail in any way, and this one goes on.
io::task<> process::hand_over(net::stream& to, asker who) {
  const std::string by = upgrades_.on_behalf_of(who, loop_->now());
  to.consume(to.input().size());
  std::string heard;
  if (send_handover(to.fd(), to_hand_over())) {
    std::string word = co_await next_word(to, loop_->now() + upgrades::patience);
    heard = std::move(word);
  }
  std::string_view words = heard;
  if (stopping_ || cut(words, '\t') != "ready") {
    end_failed_upgrade(by);
    co_return;
  }
  const std::string its_version(cut(words, '\t'));
  const std::string its_audit(cut(words, '\t'));
  const bool takes_audit = audit_ && is_same_file(its_audit, settings().log.audit.path);
  const bool takes_path = words == settings().admin.socket;
  co_await rest_for_upgrade();
  bans_.look(clocks(), log_, audit_events_);
  bans_.keep(clocks(), log_);
  const std::string about = fmt::format("ringward {}, process {}", its_version, who.pid);
  if (takes_audit) {
    audit_events_.admin(true, "upgrade", about, by);
    audit_events_.use(nullptr);
    audit_.reset();
  }
  const result<> told = co_await to.send("go\n", line_patience);
  heard.clear();
  if (told) {
    std::string word = co_await next_word(to, loop_->now() + upgrades::patience);
    heard = std::move(word);
  }
  if (stopping_ || heard != "serving") {
    take_back(takes_audit);
    end_failed_upgrade(by);
    co_return;
  }
  if (!takes_audit) audit_events_.admin(true, "upgrade", about, by);
  log_.info(about + " has taken over");
  bans_.keep_no_more(clocks(), log_);
  if (admin_socket_ && takes_path) admin_socket_->socket().leave_path();
  if (admin_page_) admin_page_->socket().leave_path();
  manager_.hand_to(who.pid);
  stopping_ = replaced_ = true;
  handing_on_ = true;
  co_await to.send("yours\n", line_patience);
  io::spawn(stop(ending::upgrade), chores_);
  if (takes_audit) co_await hand_on_audit(to);
  handing_on_ = false;
}

io::task<> process::rest_for_upgrade() {
  profile_.end();
  if (admin_page_) co_await admin_page_->rest(0, std::chrono::seconds{1});
  if (admin_socket_) co_await admin_socket_->rest(1, commands_patience);  // this is one
}

// A revocation ends streams that this gate still has, and is the other one's to hear of.
void process::follow_revocations() {
  if (replaced_ && revocations_.reread()) workers_->revoke(loop_->kernel(), revocations_.list());
}

void process::take_back(bool audit) {
  if (audit && !stopping_) {
    if (open_audit()) audit_->take(workers_->audit_queues());
  }
  if (admin_page_) admin_page_->resume();
  if (admin_socket_) admin_socket_->resume();
}

void process::end_failed_upgrade(const std::string& by) {
  upgrades_.fail();
  audit_events_.admin(false, "upgrade", {}, by);
  log_.error("an upgrade failed, and this gate serves on: the process that was to take over ended");
}

// What workers write down until they have ended goes into the other gate's chain: a file has one
// writer.
io::task<> process::hand_on_audit(net::stream& to) {
  const std::vector<observe::log_queue*> queues = workers_->audit_queues();
  for (bool last = false; !last;) {
    last = workers_->running() == 0;
    for (observe::log_queue* one : queues) {
      for (auto lines = one->readable(); !lines.empty(); lines = one->readable()) {
        const result<> sent = co_await to.send({lines.data(), lines.size()}, line_patience);
        if (!sent) {
          log_.error("the gate that has taken over does not take audit records: some are lost");
          co_return;
        }
        one->release(lines.size());
      }
    }
    io::sleep pause(*loop_, loop_->now() + std::chrono::milliseconds{20});
    co_await pause;
  }
  co_await to.finish(loop_->now() + std::chrono::seconds{1});
}

// ---- the one that comes after it

void process::find_manager(net::inherited_sockets& passed) {
  helper_ = net::bind_helper::from_environment();
  manager_ = service_manager::from_environment();
  passed = net::inherited_sockets::from_environment();
  if (!before_) return;
  manager_ = before_->manager();
  passed = before_->take(kind::listener);
  passed_admin_ = before_->take(kind::admin);
  upgrades_.follow(before_->given().upgrades + 1);
}

void process::open_bans() {
  if (const result<> kept = bans_.open(settings().server.state, clocks()); !kept) {
    log_.error(bans_.explain(kept.error()));
  }
}

bool process::open_boards() {
  if (const result<> kept = revocations_.open(settings().server.state); !kept) {
    log_.error(revocations_.explain(kept.error()));
    return false;
  }
  open_bans();
  return true;
}

// The earlier gate writes nothing more to what both know.
bool process::claim() {
  if (!before_) return true;
  if (before_->ready(settings().log.audit.path, settings().admin.socket)) return open_boards();
  log_.error("the gate that was to be replaced does not answer any more");
  return false;
}

bool process::confirm() {
  if (!before_) return true;
  if (before_->serving()) {
    open_bans();  // with those of the last moment
    for (const net::inherited_socket& one : passed_admin_.take_rest()) ::close(one.fd);
    return true;
  }
  log_.error("the gate that was to be replaced serves on, or is gone");
  workers_->drain(loop_->kernel(), std::chrono::seconds{2});
  io::gate waiting;
  io::spawn(wait_for_workers(loop_->now() + std::chrono::seconds{2}), waiting);
  while (waiting.inside() > 0) loop_->turn();
  return false;
}

// What the earlier gate's workers still write down, in this one's chain.
io::task<> process::take_audit_records() {
  net::stream from(*loop_, before_->take_connection(), origin::local);
  earlier_ = &from;
  for (;;) {
    const result<> more = co_await from.receive(mono_time::max());
    if (!more) break;
    for (std::size_t end = from.input().find('\n'); end != std::string_view::npos;) {
      while (audit_ && !audit_->take_line(from.input().substr(0, end + 1))) {
        io::sleep pause(*loop_, loop_->now() + std::chrono::milliseconds{5});
        co_await pause;
      }
      from.consume(end + 1);
      end = from.input().find('\n');
    }
  }
  earlier_ = nullptr;
  co_await from.close();
}

}  // namespace rw::control
