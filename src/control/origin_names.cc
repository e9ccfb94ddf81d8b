#include "control/origin_names.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/address.h"
#include "config/values.h"
#include "net/address.h"
#include "observe/metric.h"

namespace rw::control {
namespace {

// What c-ares reads for each lookup.
constexpr const char* files[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf",
                                 "/etc/host.conf"};
constexpr std::chrono::seconds look_every{1};
constexpr std::chrono::milliseconds settle_step{5};

std::string list(const std::vector<config::ip16>& addresses) {
  std::string text;
  for (const config::ip16& ip : addresses) {
    if (!text.empty()) text += ' ';
    text += net::endpoint_text(ip).view();
  }
  return text;
}

}  // namespace

std::string difference(const std::vector<config::ip16>& before,
                       const std::vector<config::ip16>& after) {
  std::string text;
  const auto put = [&text](char sign, const config::ip16& ip) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", sign, net::endpoint_text(ip).view());
  };
  for (const config::ip16& ip : after) {
    if (!std::ranges::binary_search(before, ip)) put('+', ip);
  }
  for (const config::ip16& ip : before) {
    if (!std::ranges::binary_search(after, ip)) put('-', ip);
  }
  return text;
}

bool change_allowance::take(mono_time now) noexcept {
  const std::int64_t earned = (now - since_) / every;
  since_ += earned * every;
  left_ = static_cast<unsigned>(std::min<std::int64_t>(at_once, left_ + earned));
  if (left_ == at_once) since_ = now;
  if (left_ == 0) return false;
  --left_;
  return true;
}

origin_names::origin_names(io::loop& on, const observe::log& log, std::function<void()> on_change)
    : loop_(on),
      log_(log),
      on_change_(std::move(on_change)),
      resolver_(on),
      traces_(traces()),
      looked_(on.now()) {}

origin_names::~origin_names() = default;

void origin_names::stop(entry& one) noexcept {
  one.ended = true;
  if (one.pause != nullptr) one.pause->cut();
}

void origin_names::add(const std::string& name) {
  if (ended_ || entries_.contains(name)) return;
  auto made = std::make_shared<entry>(loop_.now());
  made->name = name;
  entries_[name] = made;
  io::spawn(keep(std::move(made)), keepers_);
}

void origin_names::follow(const std::vector<std::string>& names) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    if (std::ranges::binary_search(names, at->first)) {
      ++at;
      continue;
    }
    stop(*at->second);
    book_.erase(at->first);
    at = entries_.erase(at);
  }
  follow_also(names);
}

void origin_names::follow_also(const std::vector<std::string>& names) {
  for (const std::string& one : names) add(one);
}

bool origin_names::settled() const noexcept {
  return std::ranges::all_of(entries_, [](const auto& one) { return one.second->asked; });
}

io::task<> origin_names::settle(mono_time by) {
  while (!settled() && !ended_ && loop_.now() < by) {
    io::sleep pause(loop_, loop_.now() + settle_step);
    co_await pause;
  }
}

io::task<> origin_names::keep(std::shared_ptr<entry> one) {
  while (!one->ended) {
    one->again = false;
    const result<resolved> got =
        co_await resolver_.resolve(one->name, loop_.now() + lookup_time_max, one->addresses);
    if (one->ended) co_return;
    const nanoseconds rest = take(*one, got);
    if (one->again) continue;
    io::sleep pause(loop_, loop_.now() + rest);
    one->pause = &pause;
    co_await pause;
    one->pause = nullptr;
  }
}

// How long until it is tried again.
nanoseconds origin_names::fail(entry& one, const char* why) {
  ++one.failures;
  const nanoseconds rest =
      std::exchange(one.retry, std::min<nanoseconds>(one.retry * 2, retry_longest));
  if (std::exchange(one.why, why)[0] == '\0') {
    const std::string then = one.addresses.empty()
                                 ? "it has no address, and its requests get 503"
                                 : fmt::format("it keeps {}", list(one.addresses));
    log_.warning(fmt::format("name {}: {}; {} until a lookup succeeds", one.name, one.why, then));
  }
  return rest;
}

void origin_names::change(entry& one, const std::vector<config::ip16>& to) {
  const bool was_holding = one.holding;
  // The first addresses change nothing for anybody.
  one.holding = !one.addresses.empty() && !one.allowance.take(loop_.now());
  if (one.holding) {
    ++one.held;
    if (was_holding) return;
    log_.warning(fmt::format(
        "name {}: its addresses have changed too often ({} times, and once every {}, are taken); "
        "it "
        "keeps {} for now",
        one.name, change_allowance::at_once, config::duration_text(change_allowance::every),
        list(one.addresses)));
    return;
  }
  log_.info(fmt::format("name {}: {}; for {}", one.name, difference(one.addresses, to),
                        config::duration_text(one.ttl)));
  one.addresses = to;
  book_[one.name] = to;
  on_change_();
}

// How long what was found is good for.
nanoseconds origin_names::take(entry& one, const result<resolved>& got) {
  one.asked = true;
  ++one.lookups;
  if (!got) return fail(one, got.error().text);
  one.ttl = got->ttl;
  one.good_at = loop_.now();
  const bool partly = got->kept[0] != '\0';
  const bool failing = !partly && std::exchange(one.why, "")[0] != '\0';
  if (one.addresses != got->addresses) {
    change(one, got->addresses);
  } else {
    one.holding = false;
    if (failing) log_.info(fmt::format("name {}: {}, as before", one.name, list(one.addresses)));
  }
  // One family was answered for: that is in force, and the other one is asked for soon.
  if (partly) return std::min(one.ttl, fail(one, got->kept));
  one.retry = retry_first;
  return one.ttl;
}

// Not by inotify: in containers these files are mounted from elsewhere, and no event comes.
std::vector<origin_names::trace> origin_names::traces() {
  std::vector<trace> all;
  for (const char* path : files) {
    struct stat at{};
    if (::stat(path, &at) != 0) at = {};
    all.push_back({static_cast<std::int64_t>(at.st_dev), static_cast<std::int64_t>(at.st_ino),
                   at.st_size, at.st_mtim.tv_sec, at.st_mtim.tv_nsec});
  }
  return all;
}

void origin_names::look() {
  if (entries_.empty() || loop_.now() - looked_ < look_every) return;
  looked_ = loop_.now();
  if (auto found = traces(); found != std::exchange(traces_, found)) {
    log_.debug("what names are looked up by has changed");
    for (const auto& [name, one] : entries_) {
      one->again = true;
      one->retry = retry_first;
      if (one->pause != nullptr) one->pause->cut();
    }
  }
}

const char* origin_names::why_unresolved(const std::string& address) const {
  const auto parsed = config::parse_address(address);
  if (!parsed) return "";
  const auto found = entries_.find(parsed->host);
  return found == entries_.end() ? "" : found->second->why;
}

std::string origin_names::summary(mono_time now) const {
  std::string text;
  for (const auto& [name, one] : entries_) {
    text += fmt::format("{:<14}{}: {}", "name", name,
                        one->addresses.empty() ? "no address" : list(one->addresses));
    if (!one->addresses.empty()) {
      const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - one->good_at);
      text += fmt::format(", for {}, {} s ago", config::duration_text(one->ttl), age.count());
    }
    if (one->why[0] != '\0') text += fmt::format("; {}", one->why);
    if (one->holding) text += "; changes too often, and keeps these for now";
    text += '\n';
  }
  return text;
}

// Names are of letters, digits, dots, hyphens and underscores: nothing to be escaped.
void origin_names::expose(std::string& out) const {
  const auto family = [&](std::string_view name, auto&& value) {
    observe::begin_metric(name, out);
    for (const auto& [host, one] : entries_) {
      fmt::format_to(std::back_inserter(out), "{}{{name=\"{}\"}} {}\n", name, host, value(*one));
    }
  };
  if (entries_.empty()) return;
  family("ringward_name_addresses", [](const entry& one) { return one.addresses.size(); });
  family("ringward_name_lookups_total", [](const entry& one) { return one.lookups; });
  family("ringward_name_lookup_failures_total", [](const entry& one) { return one.failures; });
  family("ringward_name_changes_held_total", [](const entry& one) { return one.held; });
  family("ringward_name_failing", [](const entry& one) { return one.why[0] != '\0' ? 1 : 0; });
}

void origin_names::end() noexcept {
  ended_ = true;
  resolver_.end();
  for (const auto& [name, one] : entries_) stop(*one);
}

}  // namespace rw::control
