#include "control/limits_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/text.h"
#include "config/values.h"
#include "control/admin_commands.h"
#include "control/json_text.h"
#include "control/limit_survey.h"
#include "control/limit_words.h"
#include "control/process.h"
#include "control/text_table.h"

namespace rw::control {
namespace {

constexpr std::string_view list_word = "limits";
constexpr std::string_view reset_word = "limits reset";

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t end = std::min(text.find('\t'), text.size());
    words.push_back(text.substr(0, end));
    if (end == text.size()) return words;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> index_of(const gateway::snapshot& state, std::string_view name) {
  const auto& limits = state.settings.limits;
  const auto at = std::ranges::find(limits, name, &config::limit::name);
  if (at == limits.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - limits.begin());
}

struct decisions {
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;
  std::uint64_t shadow = 0;
};

decisions count(const process& of, const gateway::snapshot& state, std::uint32_t index) {
  decisions all;
  for (const observe::counters* one : of.counted()) {
    const auto& counted = one->limit(state.limit_labels[index]);
    all.admitted += counted.admitted.get();
    all.refused += counted.refused.get();
    all.shadow += counted.shadow_refused.get();
  }
  return all;
}

std::string mode_text(const config::limit& one) {
  std::string mode = one.shadow ? "shadow" : "on";
  if (one.shared == config::limit_sharing::exact) mode += ", shared";
  if (one.shared == config::limit_sharing::leased) mode += ", leased";
  return mode;
}

std::string rate_of(const config::limit& one) {
  return one.rate.count == 0 ? "-" : config::rate_text(one.rate);
}

json_object json_of(const process& of, const gateway::snapshot& state, std::uint32_t index) {
  const config::limit& one = state.settings.limits[index];
  const decisions all = count(of, state, index);
  json_object out;
  out.text("limit", one.name)
      .text("by", by_text(one))
      .put("rate", one.rate.count == 0 ? "null" : json_string(config::rate_text(one.rate)))
      .number("burst", one.burst)
      .number("concurrent", one.concurrent)
      .text("mode", mode_text(one))
      .number("admitted", all.admitted)
      .number("refused", all.refused)
      .number("shadow_refused", all.shadow)
      .number("forgiven", state.limits->forgiven(index))
      .number("capacity", one.capacity);
  return out;
}

admin_answer list_all(const process& of) {
  text_rows rows = {{"LIMIT", "BY", "MODE", "RATE", "BURST", "AT ONCE", "ADMITTED", "REFUSED",
                     "SHADOW", "FORGIVEN"}};
  std::vector<std::string> all;
  const gateway::snapshot& state = *of.state();
  const auto& limits = state.settings.limits;
  for (std::uint32_t i = 0; i < limits.size(); ++i) {
    const config::limit& one = limits[i];
    const decisions found = count(of, state, i);
    const auto number = [](std::uint64_t n) { return n == 0 ? "-" : fmt::format("{}", n); };
    rows.push_back({one.name, by_text(one), mode_text(one), rate_of(one),
                    one.rate.count == 0 ? "-" : number(one.burst), number(one.concurrent),
                    fmt::format("{}", found.admitted), fmt::format("{}", found.refused),
                    fmt::format("{}", found.shadow), fmt::format("{}", state.limits->forgiven(i))});
    all.push_back(json_of(of, state, i).str());
  }
  return {.done = true,
          .text = limits.empty() ? "no limits are configured\n" : align(rows, 3),
          .json = json_array(all)};
}

admin_answer tell(const process& of, const gateway::snapshot& state, std::uint32_t index,
                  const limit_survey& found) {
  const config::limit& rules = state.settings.limits[index];
  const limit::limiter& limits = *state.limits;
  const limit_names names(state, of.keys(), index);
  const mono_time now = of.loop().now();
  text_rows rows = {{"KEY", "NAME", "LEFT", "OF", "FULL IN", "UNDER WAY"}};
  std::vector<std::string> top;
  for (const limit::limiter::holder& one : found.top) {
    const limit::decision seen = limits.seen({.index = index, .who = one.who}, now);
    const std::string_view name = names.find(one.who);
    const std::uint64_t under_way = limits.under_way(index, one.who);
    const auto full_in = nanoseconds{rules.rate.count == 0 ? 0 : one.amount};
    rows.push_back({digest_text(one.who), name.empty() ? "-" : std::string(name),
                    fmt::format("{}", seen.remaining), fmt::format("{}", seen.limit),
                    duration_text(static_cast<double>(full_in.count())),
                    fmt::format("{}", under_way)});
    top.push_back(
        json_object()
            .text("key", digest_text(one.who))
            .put("name", name.empty() ? "null" : json_string(name))
            .number("left", seen.remaining)
            .number("of", seen.limit)
            .number("full_in_ms",
                    std::chrono::duration_cast<std::chrono::milliseconds>(full_in).count())
            .number("under_way", under_way)
            .str());
  }
  const decisions all = count(of, state, index);
  admin_answer a{.done = true, .text = {}, .json = {}};
  a.text = fmt::format(
      "{} by {}: {} admitted, {} refused, {} would have been in shadow\n"
      "keys with less than their whole budget: {}\n",
      rules.name, by_text(rules), all.admitted, all.refused, all.shadow, found.owing);
  if (!top.empty()) a.text += align(rows, 2);
  a.json = json_of(of, state, index).number("owing", found.owing).put("top", json_array(top)).str();
  return a;
}

}  // namespace

void add_limits(CLI::App& app, limits_options& options, gate_at& gate, int& status) {
  auto* it = app.add_subcommand("limits", "The limits: what each has decided, and its top keys");
  it->add_option("NAME", options.name, "One limit, with the keys that have used most of it");
  it->add_option("--top", options.top, "So many keys")
      ->check(CLI::Range(std::uint32_t{1}, limits_options::top_max))
      ->capture_default_str();
  add_gate_options(*it, gate);
  it->footer("Example: ringward limits per-ip --top 5");
  auto* reset = it->add_subcommand("reset", "Give one key of a limit its whole budget back");
  reset->add_option("NAME", options.name, "The limit")->required();
  reset
      ->add_option("KEY", options.key,
                   "Whose: a value, PART=VALUE for each part of `by`, or a digest of `limits`")
      ->required();
  add_gate_options(*reset, gate);
  reset->footer("Example: ringward limits reset per-ip 192.0.2.1");
  it->callback([&options, &gate, &status, reset] {
    if (reset->parsed()) return;
    status = control::tell(gate, options.name.empty() ? std::string(list_word)
                                                      : fmt::format("{}\t{}\t{}", list_word,
                                                                    options.name, options.top));
  });
  reset->callback([&] {
    const std::string command =
        fmt::format("{}\t{}\t{}", reset_word, options.name, fmt::join(options.key, "\t"));
    // The gate cuts at tabs and at the end of the line.
    if (std::ranges::count(command, '\t') != static_cast<std::ptrdiff_t>(options.key.size()) + 1 ||
        command.find_first_of("\n\r") != std::string::npos) {
      fmt::print(stderr, "ringward: error: neither a limit nor a key has a control character\n");
      status = 2;
      return;
    }
    status = control::tell(gate, command);
  });
}

io::task<admin_answer> list_limits(process& of, std::string_view command) {
  const std::vector<std::string_view> words = split(command);
  if (words.size() == 1) co_return list_all(of);
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): a reload may come while it waits
  const auto state = of.state();
  const auto index = index_of(*state, words[1]);
  const auto top = parse_u64(words.size() == 3 ? words[2] : std::string_view{});
  admin_answer a;
  if (!index || !top || *top == 0 || *top > limits_options::top_max) {
    a.text = index ? "no such command\n" : fmt::format("no limit is called {}\n", words[1]);
    co_return a;
  }
  const limit_survey found = co_await survey_limit(of.loop(), state, *index, *top);
  co_return tell(of, *state, *index, found);
}

admin_answer reset_limit(process& of, std::string_view command, std::string_view by) {
  const std::vector<std::string_view> words = split(command);
  admin_answer a;
  const auto index = words.size() > 2 ? index_of(*of.state(), words[1]) : std::nullopt;
  const std::string object = fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
  if (!index) {
    a.text = fmt::format("no limit is called {}\n", words.size() > 1 ? words[1] : "");
  } else if (const config::limit& rules = of.settings().limits[*index];
             rules.shared != config::limit_sharing::off) {
    a.text = fmt::format("{} is shared: what the gateways have in Redis would count again\n",
                         rules.name);
  } else if (rules.rate.count == 0) {
    a.text = fmt::format("{} has no rate: what counts is under way\n", rules.name);
  } else if (const auto key = key_of(*of.state(), *index, std::span(words).subspan(2)); !key) {
    a.text = key.error() + "\n";
  } else {
    const limit::decision before =
        of.state()->limits->seen({.index = *index, .who = *key}, of.loop().now());
    of.state()->limits->refill(*index, *key);
    a.done = true;
    a.text = fmt::format("{} has its whole budget again; it had {} of {} left\n", digest_text(*key),
                         before.remaining, before.limit);
    of.log().info(fmt::format("limit reset: {}", object));
  }
  of.audit().admin(a.done, "limit_reset", object, by);
  return a;
}

}  // namespace rw::control
