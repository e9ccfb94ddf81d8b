#include "control/tune_command.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <system_error>

#include "control/tune.h"
#include "control/tune_advice.h"
#include "control/workers.h"

namespace rw::control {
namespace {

constexpr const char* profiles = RW_TUNING_DIRECTORY;

int print_problems(const config::diagnostics& list) {
  for (const config::diagnostic& one : list) fmt::print(stderr, "{}\n", config::to_string(one));
  return 1;
}

int print_told(const std::vector<told>& lines) {
  int status = 0;
  for (const told& one : lines) {
    if (one.failed) {
      fmt::print(stderr, "ringward: error: {}\n", one.text);
      status = 1;
    } else {
      fmt::print("{}\n", one.text);
    }
  }
  return status;
}

// How many settings are not as the profile wants them; each as a line of a table.
std::size_t print_drift(const std::vector<drift>& all, const std::string& profile) {
  std::size_t name_width = 4;
  std::size_t value_width = 2;
  std::size_t count = 0;
  const auto is = [](const drift& one) { return one.refused == 0 ? one.is : std::string("-"); };
  for (const drift& one : all) {
    if (one.in_order()) continue;
    ++count;
    name_width = std::max(name_width, one.setting.name.size());
    value_width = std::max(value_width, is(one).size());
  }
  fmt::print("{}: {} of {} settings differ\n", profile, count, all.size());
  if (count == 0) return 0;
  fmt::print("  {:<{}}  {:<{}}  wanted\n", "name", name_width, "is", value_width);
  for (const drift& one : all) {
    if (one.in_order()) continue;
    fmt::print("  {:<{}}  {:<{}}  {}", one.setting.name, name_width, is(one), value_width,
               one.wanted);
    if (one.refused != 0) fmt::print("  ({})", std::generic_category().message(one.refused));
    fmt::print("\n");
  }
  return count;
}

void print_advice(const std::vector<advice>& list) {
  if (list.empty()) {
    fmt::print("\nno advice beyond sysctl\n");
    return;
  }
  fmt::print("\nadvice, which is yours to follow (ringward changes none of this):\n");
  for (const advice& one : list) {
    fmt::print("  {}\n    is      {}\n    wanted  {}\n    do      {}\n", one.about, one.saw,
               one.wanted, one.command);
  }
}

void print_profiles(const tuner& here) {
  const auto memory = here.memory();
  if (!memory) {
    fmt::print(stderr, "ringward: error: {}\n", memory.error());
  } else if (*memory) {
    fmt::print("applied: {} (`ringward tune --revert` puts back what was there)\n",
               (*memory)->name);
  } else {
    fmt::print("no profile is applied\n");
  }
  const std::vector<std::string> names = list_profiles(profiles);
  fmt::print("profiles in {}:", profiles);
  for (const std::string& one : names) fmt::print(" {}", one);
  fmt::print("{}\n", names.empty() ? " none" : "");
}

}  // namespace

int run_tune(const tune_options& options) {
  using action = tune_options::action;
  tuner here({.root = "", .state = options.state});
  if (options.what == action::revert) return print_told(here.revert());

  advice_needs needs{.workers = worker_count(options.workers)};
  if (options.profile.empty()) {
    print_profiles(here);
  } else {
    const auto profile = read_profile(options.profile, profiles);
    if (!profile) {
      print_problems(profile.error());
      return options.what == action::check ? 2 : 1;
    }
    if (options.what == action::apply) return print_told(here.apply(*profile));
    const std::size_t differing = print_drift(here.compare(*profile), profile->name);
    if (options.what == action::check) return differing == 0 ? 0 : 1;
    needs.clients = profile->clients;
  }
  print_advice(advise(machine_tree(""), needs));
  return 0;
}

}  // namespace rw::control
