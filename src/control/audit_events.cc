#include "control/audit_events.h"

#include <algorithm>
#include <string>

namespace rw::control {

using observe::audit_event;
using observe::audit_result;

std::string speaker_text(std::string_view gateway, std::string_view by) {
  std::string out("gateway:");
  out += gateway;
  if (!by.empty()) (out += ' ') += by;
  return out;
}

void audit_events::files(const std::vector<gateway::file_note>& read) {
  for (const gateway::file_note& one : read) {
    observe::audit_record r;
    r.what = one.is_secret ? audit_event::secret : audit_event::key_set;
    r.object = one.key;
    r.detail = one.source;
    if (!one.contents) {
      r.outcome = audit_result::failed;
      r.reason = "refused";
      emit(r);
      continue;
    }
    const auto [at, fresh] = known_.try_emplace({one.key, one.source}, *one.contents);
    if (!fresh && at->second == *one.contents) continue;
    at->second = *one.contents;
    r.reason = fresh ? "loaded" : "changed";
    emit(r);
  }
}

void audit_events::config(bool taken, std::string_view reason, std::string_view by,
                          const std::vector<std::string>& messages) {
  observe::audit_record r;
  r.what = audit_event::config;
  r.outcome = taken ? audit_result::done : audit_result::failed;
  r.reason = reason;
  r.identity = by;
  if (!taken && !messages.empty()) r.detail = messages.front();
  emit(r);
}

void audit_events::certificate(std::string_view chain, std::string_view detail) {
  observe::audit_record r;
  r.what = audit_event::config;
  r.outcome = audit_result::failed;
  r.reason = "certificate_expires";
  r.object = chain;
  r.detail = detail;
  emit(r);
}

void audit_events::admin(bool done, std::string_view command, std::string_view object,
                         std::string_view by) {
  observe::audit_record r;
  r.what = audit_event::admin;
  r.outcome = done ? audit_result::done : audit_result::failed;
  r.reason = command;
  r.object = object;
  r.identity = by;
  emit(r);
}

void audit_events::revocation(bool done, std::string_view command, std::string_view by) {
  const std::size_t tab = std::min(command.find('\t'), command.size());
  std::string object(command.substr(std::min(tab + 1, command.size())));
  std::replace(object.begin(), object.end(), '\t', ' ');
  observe::audit_record r;
  r.what = audit_event::revocation;
  r.outcome = done ? audit_result::done : audit_result::failed;
  r.reason = command.substr(0, tab);
  r.object = object;
  r.identity = by;
  emit(r);
}

void audit_events::revocation_elsewhere(bool done, std::string_view reason, std::string_view object,
                                        std::string_view from, std::string_view by) {
  const std::string speaker = speaker_text(from, by);
  observe::audit_record r;
  r.what = audit_event::revocation;
  r.outcome = done ? audit_result::done : audit_result::failed;
  r.reason = reason;
  r.object = object;
  r.identity = speaker;
  emit(r);
}

void audit_events::ban(bool done, std::string_view reason, std::string_view client,
                       std::string_view detail, std::string_view by) {
  observe::audit_record r;
  r.what = audit_event::ban;
  r.outcome = done ? audit_result::done : audit_result::failed;
  r.reason = reason;
  r.client = client;
  r.detail = detail;
  r.identity = by;
  emit(r);
}

}  // namespace rw::control
