#include "control/ban_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>

#include "config/values.h"
#include "control/admin_commands.h"

namespace rw::control {
namespace {

int refuse(std::string_view text) {
  fmt::print(stderr, "ringward: error: {}\n", text);
  return 2;
}

// The gate cuts at tabs and at the end of the line.
bool is_plain(const std::string& address) {
  return address.find_first_of("\t\n\r") == std::string::npos;
}

int ban(const ban_options& from, const gate_at& gate) {
  const auto lasts = from.time.empty() ? std::uint64_t{0} : config::parse_seconds(from.time);
  if (!lasts) {
    return refuse(fmt::format("{}: a time is a whole number and a unit: 90s, 24h", from.time));
  }
  if (!is_plain(from.address)) return refuse("an address has no control character");
  return tell(gate, fmt::format("ban\t{}\t{}", *lasts, from.address));
}

int unban(const ban_options& from, const gate_at& gate) {
  if (!is_plain(from.address)) return refuse("an address has no control character");
  return tell(gate, "unban\t" + from.address);
}

}  // namespace

void add_ban(CLI::App& app, ban_options& options, gate_at& gate, int& status) {
  constexpr const char* address = "An IPv4 address, an IPv6 one or its /64, which is who is meant";
  auto* it = app.add_subcommand("ban", "Shut a client out, whatever it shows");
  it->add_option("ADDRESS", options.address, address)->required();
  it->add_option("TIME", options.time, "How long, as 24h; without, `for` of the table [ban]");
  add_gate_options(*it, gate);
  it->footer("Example: ringward ban 192.0.2.1 24h");
  it->callback([&] { status = ban(options, gate); });

  auto* back = app.add_subcommand("unban", "Let a banned client in again, and forget its repeats");
  back->add_option("ADDRESS", options.address, address)->required();
  add_gate_options(*back, gate);
  back->footer("Example: ringward unban 192.0.2.1");
  back->callback([&] { status = unban(options, gate); });

  auto* list = app.add_subcommand("bans", "Who is banned, since when, until when and what for");
  add_gate_options(*list, gate);
  list->footer("Example: ringward bans");
  list->callback([&] { status = tell(gate, "bans"); });
}

}  // namespace rw::control
