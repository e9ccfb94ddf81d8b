// What would be: `ringward reload --explain` and `ringward explain`.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "control/admin_page.h"
#include "control/admin_socket.h"
#include "control/process.h"
#include "observe/time_text.h"

namespace rw::control {
namespace {

std::string date(wall_time at) {
  observe::time_text text;
  return std::string(text.rfc3339(at).substr(0, 10));
}

// What the configuration names is read too: the keys and certificates that would come into force.
void add_keys(const auth::snapshot& before, const auth::snapshot& after,
              std::vector<std::string>& lines) {
  if (!before.keys || !after.keys) return;  // then the table itself has come or gone
  std::multiset<std::string> was;
  std::multiset<std::string> is;
  for (const auto& one : before.keys->list()) was.emplace(one.name);
  for (const auto& one : after.keys->list()) is.emplace(one.name);
  for (const std::string& one : was) {
    if (was.count(one) > is.count(one)) lines.push_back(fmt::format("- key of {}", one));
  }
  for (const std::string& one : is) {
    if (is.count(one) > was.count(one)) lines.push_back(fmt::format("+ key of {}", one));
  }
}

void add_certificates(const gateway::snapshot& before, const gateway::snapshot& after,
                      std::vector<std::string>& lines) {
  for (const observe::certificate_end& is : after.certificates) {
    for (const observe::certificate_end& was : before.certificates) {
      if (was.role != is.role || was.name != is.name || was.chain != is.chain || was.at == is.at) {
        continue;
      }
      lines.push_back(fmt::format("~ {} {}: certificate {} ends {} -> {}", is.role, is.name,
                                  is.chain, date(was.at), date(is.at)));
    }
  }
}

}  // namespace

io::task<reload_outcome> process::explain_reload() {
  reload_outcome outcome;
  if (stopping_) {
    outcome.messages.emplace_back("the gate is stopping");
    co_return outcome;
  }
  std::optional<config::loaded> found = co_await read_with_names(outcome.messages);
  if (found && !stopping_) {
    outcome.taken = can_take(found->settings, outcome.messages);
    std::vector<std::string> lines = config::differences(written_, found->as_written);
    // Made and dropped. Its labels are its own: those of the process are for good.
    observe::label_names labels;
    gateway::snapshot_context with = context();
    with.labels = &labels;
    with.workers = worker_count_;
    const auto known = keys_->known();
    with.known = known;
    const config::configuration asked = found->settings;
    const auto made = gateway::make_snapshot(std::move(found->settings), with);
    outcome.taken = outcome.taken && made;
    if (!made) {
      for (std::string& one : files_given_up(asked)) outcome.messages.push_back(std::move(one));
    }
    for (const config::diagnostic& one : made ? made->warnings : made.error()) {
      outcome.messages.push_back(config::to_string(one));
    }
    if (made) {
      add_keys(*keys_now(), made->state->auth, lines);
      add_certificates(*state_, *made->state, lines);
    }
    if (lines.empty()) lines.emplace_back("nothing would change");
    outcome.messages.insert(outcome.messages.end(), lines.begin(), lines.end());
  }
  names_->follow(upstream::host_names(state_->settings));
  co_return outcome;
}

explanation process::explain(const asked_request& asked) {
  if (!authenticator_) authenticator_ = std::make_unique<auth::authenticator>();
  authenticator_->revoke(revocations_.list());
  auth::snapshot keys = *keys_now();
  for (auth::issuer& one : keys.issuers) one.rules.once = false;  // to ask spends no jti
  return explain_request(asked, *state_, keys, *authenticator_, *bans_.table(), loop_->wall_now(),
                         loop_->now());
}

}  // namespace rw::control
