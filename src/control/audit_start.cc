// The audit log of a gate that starts: its key, its file.
#include <fmt/format.h>

#include <cstring>

#include "config/secret_file.h"
#include "control/process.h"

namespace rw::control {

// Nothing with `right` when there is to be none.
std::optional<observe::audit_key> process::audit_key(bool& right) {
  const config::secret_source& from = settings().log.audit.sign;
  right = true;
  if (from.from == config::secret_source::kind::none) return {};
  std::optional<observe::audit_key> key;
  const auto seed = config::read_secret(from);
  if (seed) key = observe::audit_key::from_seed(seed->view());
  if (!seed) log_.error("log.audit.sign: " + config::to_string(seed.error()));
  if (seed && !key) {
    log_.error(
        fmt::format("log.audit.sign: {}: an Ed25519 seed is 32 octets as 64 hexadecimal digits or "
                    "in base64; `openssl rand -hex 32` makes one",
                    from.name));
  }
  right = key.has_value();
  if (right) notes_.add(true, "log.audit.sign", from.name, seed->view());
  return key;
}

bool process::open_audit() {
  audit_options options;
  options.path = settings().log.audit.path;
  options.keep = settings().log.audit.keep;
  bool right = false;
  options.key = audit_key(right);
  if (!right) return false;
  auto opened = audit_log::start(std::move(options));
  if (!opened) {
    log_.error(fmt::format("log.audit: {}: {}", settings().log.audit.path,
                           std::strerror(opened.error().os)));
    return false;
  }
  audit_ = std::move(*opened);
  audit_events_.use(audit_.get());
  audit_events_.files(notes_.take());
  return true;
}

}  // namespace rw::control
