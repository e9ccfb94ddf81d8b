#include "control/revoke_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "config/values.h"
#include "control/admin_commands.h"

namespace rw::control {
namespace {

int revoke(const revoke_options& from, const gate_at& gate) {
  const auto last = from.time.empty() ? std::uint64_t{0} : config::parse_seconds(from.time);
  if (!last) {
    fmt::print(stderr, "ringward: error: --for {}: a time is a whole number and a unit: 90s, 24h\n",
               from.time);
    return 2;
  }
  // The gate cuts at tabs and at the end of the line.
  if ((from.id + from.issuer).find_first_of("\t\n\r") != std::string::npos) {
    fmt::print(stderr, "ringward: error: neither an id nor an issuer has a control character\n");
    return 2;
  }
  return tell(gate, fmt::format("revoke\t{}\t{}\t{}\t{}", from.what, *last, from.issuer, from.id));
}

int unrevoke(const revoke_options& from, const gate_at& gate) {
  return tell(gate, fmt::format("unrevoke\t{}\t{}\t{}", from.what, from.issuer, from.id));
}

void add_words(CLI::App& it, revoke_options& options, gate_at& gate) {
  it.add_option("KIND", options.what, "identity, jti or kid")
      ->required()
      ->check(CLI::IsMember({"identity", "jti", "kid"}));
  it.add_option("ID", options.id, "The caller's name, the token's jti or the key's kid")
      ->required();
  it.add_option("--issuer", options.issuer, "Only tokens of this iss; without, of any");
  add_gate_options(it, gate);
}

}  // namespace

void add_revoke(CLI::App& app, revoke_options& options, gate_at& gate, int& status) {
  auto* it = app.add_subcommand("revoke", "Let a caller, a token or a key in no longer");
  add_words(*it, options, gate);
  it->add_option("--for", options.time, "How long, as 24h; without, until `ringward unrevoke`");
  it->footer("Example: ringward revoke identity alice --for 24h");
  it->callback([&] { status = revoke(options, gate); });

  auto* back = app.add_subcommand("unrevoke", "Take a revocation back");
  add_words(*back, options, gate);
  back->footer("Example: ringward unrevoke identity alice");
  back->callback([&] { status = unrevoke(options, gate); });

  auto* list = app.add_subcommand("revoked", "What is revoked, since when and until when");
  add_gate_options(*list, gate);
  list->footer("Example: ringward revoked");
  list->callback([&] { status = tell(gate, "revoked"); });
}

}  // namespace rw::control
