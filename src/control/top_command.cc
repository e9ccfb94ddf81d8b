#include "control/top_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "control/admin_commands.h"
#include "control/terminal.h"
#include "control/top_callers.h"
#include "control/top_sample.h"
#include "control/top_view.h"

namespace rw::control {
namespace {

using std::chrono::steady_clock;

mono_time now() { return std::chrono::time_point_cast<nanoseconds>(steady_clock::now()); }

// Nothing: `why` says so.
std::optional<metric_sample> take(const gate_at& gate, std::string& why) {
  std::string text;
  if (!ask(gate.socket, "metrics", text)) {
    why = text;
    return std::nullopt;
  }
  return metric_sample(text, now());
}

// Nobody where the gate does not say: one from before an upgrade.
top_table callers(const gate_at& gate) {
  std::string text;
  if (!ask(gate.socket, "callers", text)) text.clear();
  return callers_table(read_callers(text));
}

// What is on the screen, and by which column of each table.
struct screen {
  std::size_t table = 0;
  std::string column;  // "": by name
};

// The next title to the right or to the left; the name is the first of all.
void move(screen& on, const top_table& table, int by) {
  std::vector<std::string> titles = {""};
  for (const top_column& one : table.columns) titles.emplace_back(one.title);
  const auto at = std::ranges::find(titles, on.column);
  const auto from = at == titles.end() ? 0 : static_cast<int>(at - titles.begin());
  const int count = static_cast<int>(titles.size());
  on.column = titles[static_cast<std::size_t>((from + by + count) % count)];
}

std::string frame(const metric_change& change, std::vector<top_table>& tables, const screen& on) {
  std::string text = top_summary(change);
  text += "\n[Tab] ";
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const bool shown = i == on.table;
    text += fmt::format("{}{}{} ", shown ? "<" : "", tables[i].key, shown ? ">" : "");
  }
  text += "  [< >] sort  [q] quit\n\n";
  top_table& shown = tables[on.table];
  sort_rows(shown, on.column);
  return text + top_text(shown, on.column);
}

// False: it is to end.
bool react(char key, screen& on, const std::vector<top_table>& tables) {
  if (key == 'q' || key == 'Q') return false;
  if (key == '\t' && !tables.empty()) {
    on.table = (on.table + 1) % tables.size();
    on.column = tables[on.table].columns.front().title;
  }
  if (!tables.empty() && (key == '<' || key == '>')) {
    move(on, tables[on.table], key == '<' ? -1 : 1);
  }
  return true;
}

int live(const gate_at& gate, const top_options& options, metric_sample before) {
  const auto interval =
      std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(options.interval));
  screen on{.table = 0, .column = options.sort};
  terminal shown;
  std::vector<top_table> tables;
  std::string why = "waiting for the second sample\n";
  std::optional<metric_sample> after;
  top_table who;
  mono_time next = now() + interval;
  while (!shown.ended()) {
    if (now() >= next) {
      if (auto fresh = take(gate, why)) {
        if (after) before = std::move(*after);
        after = std::move(fresh);
        who = callers(gate);
        why.clear();
      }
      next = now() + interval;
    }
    if (after) {
      const metric_change change(before, *after);
      tables = top_tables(change, who);
      shown.show(why + frame(change, tables, on));
    } else {
      shown.show(why);
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now());
    const char key = shown.key(std::max(left, std::chrono::milliseconds{1}));
    if (!react(key, on, tables)) break;
  }
  return 0;
}

int once(const gate_at& gate, const top_options& options, const metric_sample& before) {
  std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
  std::string why;
  const auto after = take(gate, why);
  if (!after) {
    fmt::print(stderr, "{}", why);
    return 1;
  }
  const metric_change change(before, *after);
  std::vector<top_table> tables = top_tables(change, callers(gate));
  for (top_table& one : tables) sort_rows(one, options.sort);
  if (gate.json) {
    fmt::print("{}\n", top_json(change, tables));
    return 0;
  }
  fmt::print("{}", top_summary(change));
  for (const top_table& one : tables) {
    if (!one.rows.empty()) fmt::print("\n{}", top_text(one, options.sort));
  }
  return 0;
}

int run(const top_options& options, const gate_at& gate) {
  const bool is_live = !options.once && !gate.json;
  if (is_live && !terminal::there_is()) {
    fmt::print(stderr, "ringward: error: top needs a terminal; --once and --json do not\n");
    return 2;
  }
  std::string why;
  auto first = take(gate, why);
  if (!first) {
    fmt::print(stderr, "{}", why);
    return 1;
  }
  return is_live ? live(gate, options, std::move(*first)) : once(gate, options, *first);
}

}  // namespace

void add_top(CLI::App& app, top_options& options, gate_at& gate, int& status) {
  constexpr double shortest = 0.1;
  constexpr double longest = 3600;
  auto* it = app.add_subcommand("top", "What a gate does, live: rates, latencies, refusals, CPU");
  it->add_option("--interval", options.interval, "Seconds between two looks")
      ->check(CLI::Range(shortest, longest))
      ->capture_default_str();
  it->add_option("--sort", options.sort, "Column to sort by, by its title; in the terminal < and >")
      ->capture_default_str();
  it->add_flag("--once", options.once, "Print what one interval brings, and end");
  add_gate_options(*it, gate);
  it->footer("Example: ringward top --once --sort P99");
  it->callback([&] {
    std::ranges::transform(options.sort, options.sort.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    status = run(options, gate);
  });
}

}  // namespace rw::control
