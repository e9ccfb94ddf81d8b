// `ringward audit`: verify a log, show the public key.
#pragma once

#include <string>
#include <vector>

namespace rw::control {

struct audit_verify_options {
  std::vector<std::string> files;  // oldest first; "-" is stdin
  std::string public_key;          // a file
  std::string since;               // a checkpoint's line, or a file that ends with one
  bool running = false;
};

// 0: all as it was written. 1: something was changed, or files cannot be read. 3: nothing was
// changed, and what is here is not known to be all.
int run_audit_verify(const audit_verify_options& options);

// Prints the public key of `log.audit.sign`. The exit status.
int run_audit_public_key(const std::string& config);

}  // namespace rw::control
