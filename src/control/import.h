// `ringward import DIR`: from nginx with auth_request and a verifier to a configuration and its
// files. docs/migrating.md tells what becomes of what.
#pragma once

#include <string>

namespace rw::control {

struct import_options {
  std::string from;                        // the folder with .env, api_keys.txt, jwks.json
  std::string output = "ringward-import";  // made, or empty
  std::string origin = "127.0.0.1:5001";   // as in upstream.servers
};

// Writes ringward.toml and the files it names, says on stdout what was written and, in plain words,
// what was not carried over; the exit status. On 1 nothing was written, and stderr says why.
int run_import(const import_options& options);

}  // namespace rw::control
