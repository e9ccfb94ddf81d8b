// The configuration that an import writes.
#pragma once

#include <string>

#include "control/import_note.h"
#include "control/import_settings.h"

namespace rw::control {

// What not every build takes. The only place that decides what an import writes as keys and what as
// comments; it is found out by asking the reader of configurations, so that what gets built is
// imported from then on.
struct import_support {
  bool key_set_url = false;  // auth.jwt.NAME.jwks.url
  bool websocket = false;    // route.upgrade

  static import_support of_this_build();
};

// Names of the files beside the configuration.
inline constexpr const char* imported_toml = "ringward.toml";
inline constexpr const char* imported_keys_file = "api-keys";
inline constexpr const char* imported_key_set = "jwks.json";
inline constexpr const char* imported_mint_key = "mint.jwk";
inline constexpr const char* imported_github_token = "github-token";

struct import_plan {
  std::string from;    // the old system's folder
  std::string folder;  // where the files are going to be; absolute
  std::string origin;  // what the gate forwards to
  old_settings settings;
  bool has_key_set = false;   // imported_key_set is written
  bool has_mint_key = false;  // imported_mint_key is written
  std::string chain;          // of a certificate that loads, with its key; empty without one
  std::string chain_key;

  bool takes_tokens(const import_support& takes) const noexcept;
};

// TOML that config::parse takes, whatever the settings hold. Notes what had to be made up, and what
// is written as a comment only.
std::string write_toml(const import_plan& plan, const import_support& takes, import_notes& out);

}  // namespace rw::control
