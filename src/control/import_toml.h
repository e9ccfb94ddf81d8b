// The configuration that an import writes.
#pragma once

#include <string>

#include "control/import_note.h"
#include "control/import_settings.h"

namespace rw::control {

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

  bool takes_tokens() const noexcept;
};

// TOML that config::parse takes, whatever the settings hold. Notes what had to be made up, and what
// is written as a comment only.
std::string write_toml(const import_plan& plan, import_notes& out);

}  // namespace rw::control
