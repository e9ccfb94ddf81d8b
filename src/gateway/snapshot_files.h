// The files behind a configuration: keys, key sets, certificates, secrets.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/private_key.h"
#include "config/place.h"
#include "gateway/header_rules.h"
#include "gateway/snapshot.h"
#include "tls/authorities.h"
#include "tls/certificate.h"

namespace rw::gateway {

// The tables that read_headers() is asked for.
inline constexpr std::string_view request_set_key = "route.request_headers.set";
inline constexpr std::string_view response_set_key = "route.response_headers.set";

// Reads every file that `settings` names, and drops what it read: for settings that no snapshot can
// be made of, so that what is wrong with the files is said together with the rest. Blocks.
config::diagnostics check_files(const config::configuration& settings, wall_time now);
// And says which they were.
config::diagnostics check_files(const config::configuration& settings, wall_time now,
                                std::vector<std::string>& files);

// The key of the configuration that something is about, and where somebody wrote it.
struct subject {
  std::string_view key;
  config::place at;
};

struct countries_read {
  std::shared_ptr<const geo::country_table> table;
  bool is_stale = false;  // it is that of a file that was good before
};

// Reads on behalf of one snapshot: blocks on the disk; gathers what is wrong and what was read.
// What has no name, because that was refused when the configuration was read, is passed over.
class file_reader {
 public:
  // `toml_files`: what places refer to.
  file_reader(const std::vector<std::string>& toml_files, config::diagnostics& problems,
              std::vector<std::string>& files, file_notes* notes = nullptr) noexcept
      : toml_files_(toml_files), problems_(problems), files_(files), notes_(notes) {}

  // `mint`: whose tokens know the lines of the file; null: nobody's do.
  std::shared_ptr<const auth::key_store> read_keys(const config::api_keys& from,
                                                   const auth::private_key* mint = nullptr);
  std::shared_ptr<const auth::key_set> read_key_set(const config::jwt_issuer& from);
  std::shared_ptr<const auth::private_key> read_mint_key(const config::mint& from);
  // `table`: the key of the table that has both.
  std::shared_ptr<const tls::certificate> read_certificate(const config::certificate& from,
                                                           wall_time now, std::string_view table);
  // `key`: of the configuration.
  std::shared_ptr<const secret> read_password(const config::secret_source& from,
                                              std::string_view key);
  // `ca`: a path, or "system".
  std::shared_ptr<const tls::authorities> read_authorities(const std::string& ca,
                                                           const subject& about, wall_time now);
  // `before`: what the same path was read into for the snapshot before; or null. It stays where the
  // file has not changed, and, with a warning, where it is no longer good.
  countries_read read_countries(const config::geo& from,
                                const std::shared_ptr<const geo::country_table>& before);
  // `key`: of the table that they are in.
  resolved_headers read_headers(const std::vector<config::header_value>& from,
                                std::string_view key);

  void report(const subject& about, std::string text,
              config::diagnostic::level severity = config::diagnostic::level::error);

 private:
  enum class access : std::uint8_t { anybody, owner_only };

  // Whole, up to `bytes_max`; nothing and a diagnostic otherwise.
  std::optional<std::string> read(
      const std::string& path, const subject& about, std::size_t bytes_max, access allowed,
      config::diagnostic::level severity = config::diagnostic::level::error);
  std::optional<secret> read_secret(const config::secret_source& source, const subject& about);
  // For the audit log: what was read, or that it was refused.
  void note(bool is_secret, const subject& about, std::string_view source,
            std::optional<std::string_view> contents);
  // What a reader of such a file said: with the place in the file where it has one, with that of
  // the file's name otherwise.
  void pass_on(config::diagnostics found, const subject& about);

  const std::vector<std::string>& toml_files_;
  config::diagnostics& problems_;
  std::vector<std::string>& files_;
  file_notes* notes_;  // or null
};

}  // namespace rw::gateway
