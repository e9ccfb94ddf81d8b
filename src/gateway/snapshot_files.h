// The files behind a configuration: keys, key sets, certificates, secrets.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/private_key.h"
#include "gateway/header_rules.h"
#include "gateway/snapshot.h"
#include "tls/certificate.h"

namespace rw::gateway {

// Reads on behalf of one snapshot: blocks on the disk; gathers what is wrong and what was read.
class file_reader {
 public:
  file_reader(config::diagnostics& problems, std::vector<std::string>& files) noexcept
      : problems_(problems), files_(files) {}

  // Whole, up to `bytes_max`; nothing and a diagnostic otherwise.
  // `secret_of`: the key of the configuration whose secrets these are; others must not read it.
  std::optional<std::string> read(const std::string& path, std::size_t bytes_max,
                                  std::string_view secret_of = {});
  std::optional<secret> read_secret(const config::secret_source& source, std::string_view key);

  std::shared_ptr<const auth::key_store> read_keys(const config::api_keys& from);
  std::shared_ptr<const auth::key_set> read_key_set(const std::string& path);
  std::shared_ptr<const auth::private_key> read_mint_key(const config::mint& from);
  std::shared_ptr<const tls::certificate> read_certificate(const config::certificate& from,
                                                           wall_time now);
  resolved_headers read_headers(const std::vector<config::header_value>& from);

  void report(std::string_view file, std::string_view key, std::string text,
              config::diagnostic::level severity = config::diagnostic::level::error);

 private:
  config::diagnostics& problems_;
  std::vector<std::string>& files_;
};

}  // namespace rw::gateway
