// The control thread's own audit records: what became of the configuration, of secrets and key
// sets, and what operators did.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/audit_log.h"
#include "gateway/file_notes.h"

namespace rw::control {

// Who said something on another gateway: "gateway:edge-1:8443 uid:0"; without `by` it did itself.
std::string speaker_text(std::string_view gateway, std::string_view by);

// Of the control thread; says nothing while there is no log.
class audit_events {
 public:
  void use(audit_log* log) noexcept { log_ = log; }
  bool emit(const observe::audit_record& what) { return log_ == nullptr || log_->emit(what); }

  // What was read for a snapshot: a record for each file that is new, has changed or was refused.
  void files(const std::vector<gateway::file_note>& read);
  // A reload, or that files were read anew. `by`: "uid:0"; empty: the gate itself.
  void config(bool taken, std::string_view reason, std::string_view by,
              const std::vector<std::string>& messages);
  // A certificate that is about to end, or has; `chain` is the path of the file.
  void certificate(std::string_view chain, std::string_view detail);
  // A command that changed something.
  void admin(bool done, std::string_view command, std::string_view object, std::string_view by);
  // `command`: "revoke" or "unrevoke" and what, with tabs between, as revocation_board takes it.
  void revocation(bool done, std::string_view command, std::string_view by);
  // What gateway `from` has said of it, told by `by`.
  void revocation_elsewhere(bool done, std::string_view reason, std::string_view object,
                            std::string_view from, std::string_view by);
  // A client's ban that was made or lifted by hand or elsewhere, or has come to its end.
  void ban(bool done, std::string_view reason, std::string_view client, std::string_view detail,
           std::string_view by);

 private:
  audit_log* log_ = nullptr;
  std::map<std::pair<std::string, std::string>, gateway::file_note::digest> known_;
};

}  // namespace rw::control
