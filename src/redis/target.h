// The Redis of a configuration: where it is and how it is spoken to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "config/address.h"
#include "tls/client_context.h"

namespace rw::redis {

// Immutable; of a snapshot, and of the clients that have not seen a newer one yet.
struct target {
  std::string name;                                // as configured
  std::vector<config::address> addresses;          // with a socket each; empty: the name has none
  std::shared_ptr<const tls::client_context> tls;  // null: plain
  std::string tls_name;                            // whom its certificate is for
  std::shared_ptr<const secret> password;          // null: none is sent
  nanoseconds timeout{0};                          // of one question
};

// Whether a connection to the one may serve the other.
bool is_same(const target& a, const target& b) noexcept;

}  // namespace rw::redis
