// The certificate and the keys that a machine needs once, and that no two machines may share: made
// at the first start of an installed gate, never when a package is installed, since images are
// cloned after that.
#pragma once

#include <string>

namespace rw::control {

struct setup_options {
  std::string config = "/etc/ringward";  // a directory of TOML files, or one file in it
  std::string group;                     // the service's; empty: the owner alone may read
};

// Makes, in the configuration's directory and only where the configuration names exactly these:
//   tls/cert.pem, tls/key.pem   a self-signed certificate (P-256), when there is no tls/ or an
//   empty
//                               one
//   api-keys, first-api-key     one API key, hashed and in the clear, when there is no api-keys
//   mint.jwk                    the key of [auth.mint]
// and says on stderr what it made and where. What is there is never touched; each step appears
// whole or not at all, so that a power failure leaves something the next start completes. Two at
// once wait for each other. Blocks on the disk. The exit status: 0 also when there was nothing to
// do.
int run_setup(const setup_options& options);

}  // namespace rw::control
