// `ringward explain`: what would become of a request, without one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/authenticate.h"
#include "base/clock.h"
#include "gateway/snapshot.h"
#include "limit/ban_table.h"

namespace rw::control {

// What is asked about. Credentials are as their header lines have them; empty: there is none.
struct asked_request {
  std::string method = "GET";
  std::string host;
  std::string path = "/";
  std::string address;   // the client's; empty: nobody knows, so neither bans nor countries count
  std::string listener;  // empty: the first
  std::string api_key;
  std::string authorization;
};

// The words of an admin command, "explain" first and with tabs between, and back. Nothing: they are
// no such command.
std::string to_command(const asked_request& asked);
std::optional<asked_request> from_command(std::string_view command);

struct explanation {
  unsigned status = 0;  // that the gate itself would answer with; 0: an origin or an action would
  std::vector<std::pair<std::string, std::string>> lines;  // "route", "api"
};

// Decides as gateway/decide.cc does, with the same parts and in the same order, but takes nothing
// from a budget, spends no jti, waits for no key and computes no slow hash: where one of these
// would decide, it says so. `keys` are those in force. Pure but for the authenticator's cache.
explanation explain_request(const asked_request& asked, const gateway::snapshot& state,
                            const auth::snapshot& keys, auth::authenticator& authenticator,
                            const limit::ban_table& bans, wall_time now, mono_time mono_now);

}  // namespace rw::control
