#include "control/profile_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "control/admin_commands.h"
#include "control/process.h"
#include "control/profile_report.h"
#include "control/profiler.h"

namespace rw::control {
namespace {

// What is compared at the two ends.
struct reading {
  mono_time at;
  nanoseconds process{0};
  std::vector<worker_profile> workers;
};

nanoseconds cpu_of(clockid_t clock) {
  timespec used{};
  if (::clock_gettime(clock, &used) != 0) return {};
  return std::chrono::seconds{used.tv_sec} + nanoseconds{used.tv_nsec};
}

reading read(const process& of, const std::vector<workers::sampled>& threads) {
  reading now{.at = of.loop().kernel().now(), .process = cpu_of(CLOCK_PROCESS_CPUTIME_ID)};
  const auto counted = of.counted();
  for (std::size_t i = 0; i < threads.size(); ++i) {
    now.workers.push_back({cpu_of(threads[i].clock), counted[i]->get(observe::counter::requests),
                           threads[i].samples->read()});
  }
  return now;
}

gate_profile difference(const reading& from, const reading& to) {
  gate_profile out{.time = to.at - from.at, .other_threads = to.process - from.process};
  for (std::size_t i = 0; i < to.workers.size(); ++i) {
    worker_profile one = to.workers[i];
    // A thread that has ended meanwhile has no clock any more.
    one.cpu = std::max(one.cpu - from.workers[i].cpu, nanoseconds{0});
    one.requests -= from.workers[i].requests;
    for (std::size_t p = 0; p < phase_count; ++p) one.samples[p] -= from.workers[i].samples[p];
    out.other_threads -= one.cpu;
    out.workers.push_back(one);
  }
  out.other_threads = std::max(out.other_threads, nanoseconds{0});
  return out;
}

std::optional<std::chrono::seconds> time_of(std::string_view command) {
  cut(command, '\t');
  const auto asked = parse_u64(command);
  if (!asked || *asked == 0 || *asked > profile_options::seconds_max) return std::nullopt;
  return std::chrono::seconds{*asked};
}

admin_answer refusal(std::string text) { return {.done = false, .text = std::move(text) + "\n"}; }

std::string whole_seconds(nanoseconds time) {
  const nanoseconds left = std::max(time, nanoseconds{0});
  return fmt::format("{} s", std::chrono::ceil<std::chrono::seconds>(left).count());
}

}  // namespace

void add_profile(CLI::App& app, profile_options& options, gate_at& gate, int& status) {
  auto* it = app.add_subcommand("profile", "Where the workers' CPU time goes, by phase");
  it->add_option("--seconds", options.seconds, "For how long to look")
      ->check(CLI::Range(1U, profile_options::seconds_max))
      ->capture_default_str();
  add_gate_options(*it, gate);
  it->footer("Example: ringward profile --seconds 10");
  it->callback([&] { status = tell(gate, fmt::format("profile\t{}", options.seconds)); });
}

io::task<admin_answer> take_profile(process& of, net::stream& client, std::string_view command) {
  const auto asked = time_of(command);
  if (!asked) co_return refusal("no such command");
  if (!of.ready()) co_return refusal("the gate is stopping");
  profile_turn& turn = of.profile();
  if (turn.taken()) {
    co_return refusal(fmt::format("a profile is being taken already, for another {}",
                                  whole_seconds(turn.until() - of.loop().now())));
  }
  client.consume(client.input().size());
  const std::vector<workers::sampled> threads = of.sampled_threads();
  const reading before = read(of, threads);
  std::optional<sampling> timers;
  if (auto begun = sampling::begin(threads)) {
    timers.emplace(std::move(*begun));
  } else {
    const error& why = begun.error();
    co_return refusal(fmt::format("the workers cannot be sampled: {}",
                                  why.os != 0 ? std::strerror(why.os) : why.text));
  }
  const mono_time until = before.at + *asked;
  turn.take(client, until);
  result<> more;
  while (more) {
    more = co_await client.receive(until);
    client.consume(client.input().size());
  }
  turn.give_back();
  timers.reset();
  if (more.error().code != fault::timed_out) {
    co_return refusal("the profile was cut short: this gate ends, or another one takes over");
  }
  const gate_profile found = difference(before, read(of, threads));
  co_return {.done = true, .text = profile_text(found), .json = profile_json(found)};
}

}  // namespace rw::control
