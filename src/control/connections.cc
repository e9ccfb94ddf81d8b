#include "control/connections.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "base/text.h"
#include "control/admin_commands.h"
#include "control/census.h"
#include "control/json_text.h"
#include "control/process.h"
#include "control/text_table.h"
#include "gateway/client_rows.h"

namespace rw::control {
namespace {

using gateway::client_row;

struct client_list {
  std::vector<client_row> rows;  // of all workers
  std::size_t silent = 0;        // workers that have yet to answer
};

std::string place_of(const client_row& row) {
  const net::endpoint_text address(row.peer.ip, row.peer.is_unix);
  if (row.peer.is_unix) return std::string(address.view());
  const bool six = address.view().contains(':');
  return fmt::format("{}{}{}:{}", six ? "[" : "", address.view(), six ? "]" : "", row.peer.port);
}

std::string protocol_of(const client_row& row) {
  if (row.protocol.empty() && row.tls.empty()) return "-";
  return fmt::format("{}{}{}", row.protocol.empty() ? "?" : row.protocol,
                     row.tls.empty() ? "" : " ", row.tls);
}

std::string state_text(const client_row& row) {
  std::string text(row.state);
  if (!row.upstream.empty()) text += " " + row.upstream;
  if (row.under_way > 1) text += fmt::format(" ({} streams)", row.under_way);
  return text;
}

std::string table_of(const client_list& found, const config::configuration& settings, mono_time now,
                     std::uint64_t open) {
  text_rows rows = {
      {"LISTENER", "CLIENT", "PROTOCOL", "STATE", "IDENTITY", "AGE", "REQUESTS", "IN", "OUT"}};
  for (const client_row& row : found.rows) {
    rows.push_back({settings.listeners[row.listener].name, place_of(row), protocol_of(row),
                    state_text(row), row.identity.empty() ? "-" : row.identity,
                    age_text(now - row.opened), fmt::format("{}", row.requests),
                    bytes_text(row.received), bytes_text(row.sent)});
  }
  std::string text = rows.size() > 1 ? align(rows, 5) : "";
  text += fmt::format("{} of {} connections\n", found.rows.size(), open);
  if (found.silent > 0) text += fmt::format("{} workers have not answered\n", found.silent);
  return text;
}

std::string json_of(const client_list& found, const config::configuration& settings, mono_time now,
                    std::uint64_t open) {
  const auto optional = [](std::string_view text) {
    return text.empty() ? std::string("null") : json_string(text);
  };
  std::vector<std::string> rows;
  rows.reserve(found.rows.size());
  for (const client_row& row : found.rows) {
    const net::endpoint_text address(row.peer.ip, row.peer.is_unix);
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - row.opened);
    rows.push_back(json_object()
                       .text("listener", settings.listeners[row.listener].name)
                       .number("worker", row.worker)
                       .text("client", address.view())
                       .number("port", row.peer.port)
                       .put("protocol", optional(row.protocol))
                       .put("tls", optional(row.tls))
                       .number("age_ms", age.count())
                       .number("requests", row.requests)
                       .number("bytes_in", row.received)
                       .number("bytes_out", row.sent)
                       .text("state", row.state)
                       .number("under_way", row.under_way)
                       .put("upstream", optional(row.upstream))
                       .put("identity", optional(row.identity))
                       .str());
  }
  return json_object()
      .number("open", open)
      .number("silent_workers", found.silent)
      .put("connections", json_array(rows))
      .str();
}

io::task<client_list> list(process& of, std::size_t most, bool oldest) {
  const auto told = std::make_shared<std::vector<client_row>>();
  gateway::question asked;
  asked.look = [told, most, oldest](gateway::worker& on) -> std::function<void()> {
    return [told, rows = gateway::client_rows(on, most, oldest)]() mutable {
      std::ranges::move(rows, std::back_inserter(*told));
    };
  };
  client_list found;
  found.silent = co_await ask_workers(of, std::move(asked));
  found.rows = std::move(*told);
  std::vector<client_row>& rows = found.rows;
  std::ranges::sort(rows, [oldest](const client_row& a, const client_row& b) {
    return oldest ? a.opened < b.opened : a.opened > b.opened;
  });
  if (rows.size() > most) rows.resize(most);
  co_return found;
}

}  // namespace

void add_connections(CLI::App& app, connections_options& options, gate_at& gate, int& status) {
  auto* it = app.add_subcommand("connections", "The clients' connections, and what each waits for");
  it->add_option("--limit", options.limit, "So many of them at most")
      ->check(CLI::Range(std::size_t{1}, gateway::client_rows_max))
      ->capture_default_str();
  it->add_flag("--oldest", options.oldest, "Those that have been open longest, not the newest");
  add_gate_options(*it, gate);
  it->footer("Example: ringward connections --limit 10");
  it->callback([&] {
    status = tell(gate, fmt::format("connections\t{}\t{}", options.limit,
                                    options.oldest ? "oldest" : "newest"));
  });
}

io::task<admin_answer> list_connections(process& of, std::string_view command) {
  const std::size_t first = std::min(command.find('\t'), command.size() - 1) + 1;
  const std::size_t second = std::min(command.find('\t', first), command.size());
  const auto most = parse_u64(command.substr(first, second - first));
  const bool oldest = command.substr(second) == "\toldest";
  admin_answer a;
  if (!most || *most == 0 || (!oldest && command.substr(second) != "\tnewest")) {
    a.text = "no such command\n";
    co_return a;
  }
  if (!of.ready()) {
    a.text = "the gate is stopping\n";
    co_return a;
  }
  const client_list found = co_await list(of, *most, oldest);
  a.done = true;
  a.text = table_of(found, of.settings(), of.loop().now(), of.open_now());
  a.json = json_of(found, of.settings(), of.loop().now(), of.open_now());
  co_return a;
}

}  // namespace rw::control
