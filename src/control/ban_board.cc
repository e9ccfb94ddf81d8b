#include "control/ban_board.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "control/json_text.h"
#include "control/whole_file.h"
#include "gateway/ban.h"
#include "observe/metric.h"
#include "observe/time_text.h"

namespace rw::control {
namespace {

using limit::ban;
using limit::ban_cause;
using limit::ban_table;

constexpr std::string_view first_line = "ringward bans 1\n";
constexpr std::size_t line_bytes_max = 160;
constexpr std::size_t file_bytes_max = (ban_table::capacity + 2) * line_bytes_max;
constexpr std::uint64_t seconds_max = 10ULL * 366 * 24 * 3600;  // by hand
constexpr std::uint64_t date_max = 9'000'000'000;               // of 2255: what nanoseconds reach

// The table rounds to a millisecond.
bool is_same_end(const ban& a, const ban& b) {
  const nanoseconds between = a.until - b.until;
  return between > std::chrono::milliseconds{-2} && between < std::chrono::milliseconds{2};
}

// Who is not to be banned by hand, and why.
std::string refuse(const config::ip16& ip, const gateway::snapshot& state) {
  if (!state.ban) {
    return "no ban acts without a [ban] table in the configuration: write one, with weights of 0 "
           "where only bans by hand are wanted, and reload";
  }
  const std::string who = gateway::text_of_banned(limit::banned_network(ip));
  if (state.ban->exempt.contains(ip)) return who + " is in ban.exempt";
  for (const gateway::listener_plan& one : state.listeners) {
    if (one.trusted.contains(ip) || one.proxies.contains(ip)) {
      return fmt::format("{} is a proxy, in {} of listener {}", who,
                         one.trusted.contains(ip) ? "client_address_from" : "proxy_protocol_from",
                         one.settings->name);
    }
  }
  return {};
}

}  // namespace

result<> ban_board::open(const std::string& directory, two_clocks now) {
  path_ = directory + "/bans";
  const result<std::string> text = read_whole(path_, file_bytes_max);
  if (!text) {
    const bool absent = text.error().os == ENOENT || text.error().os == ENOTDIR;
    return absent ? result<>{} : failure(text.error());
  }
  if (!parse(*text, now)) {
    std::rename(path_.c_str(), (path_ + ".broken").c_str());
    return failure({.code = fault::invalid,
                    .from = origin::configuration,
                    .text = "it is not as it was written; nobody is banned, and it is called "
                            "bans.broken now"});
  }
  changes_seen_ = table_->changes();
  return {};
}

std::string ban_board::explain(const error& why) const {
  return fmt::format("server.state: {}: {}", path_, explain_file(why));
}

// All of it, or nothing.
bool ban_board::parse(std::string_view text, two_clocks now) {
  if (!text.starts_with(first_line) || !text.ends_with('\n')) return false;
  text.remove_prefix(first_line.size());
  std::vector<entry> entries;
  std::string_view line;
  while (!(line = cut(text, '\n')).empty() && !line.starts_with("end ")) {
    entry one;
    const auto until = parse_u64(cut(line, '\t'));
    const auto since = parse_u64(cut(line, '\t'));
    const auto repeat = parse_u64(cut(line, '\t'));
    const std::string_view cause = cut(line, '\t');
    if (!until || !since || !repeat || *until > date_max || *since > date_max || *repeat < 1 ||
        *repeat > 255 || !parse_client(line, one.what.client)) {
      return false;
    }
    one.what.cause = find_ban_cause(cause);
    const wall_time end{std::chrono::seconds(static_cast<std::int64_t>(*until))};
    one.what.until = now.mono + (end - now.wall);
    one.what.repeat = static_cast<unsigned>(*repeat);
    one.since = wall_time{std::chrono::seconds(static_cast<std::int64_t>(*since))};
    entries.push_back(one);
  }
  if (line != fmt::format("end {}", entries.size()) || !text.empty()) return false;
  for (const entry& one : entries) {
    const mono_time forgotten = one.what.until + ban_table::forgotten_after;
    if (forgotten <= now.mono || !table_->set(one.what, now.mono)) continue;
    if (one.what.until <= now.mono) continue;
    in_force_.insert_or_assign(one.what.client, one);
    next_end_ = std::min(next_end_, one.what.until);
  }
  return true;
}

ban_board::outcome ban_board::change(std::string_view command, const gateway::snapshot& state,
                                     two_clocks now, audit_events& audit, std::string_view asker) {
  const bool adds = cut(command, '\t') == "ban";
  const auto seconds = adds ? parse_u64(cut(command, '\t')) : 0;
  ban one;
  if (!seconds || *seconds > seconds_max || !parse_client(command, one.client)) {
    return {.text = fmt::format("\"{}\" is no address, nor the /64 of one\n", command)};
  }
  const config::ip16 asked = one.client;
  one.client = limit::banned_network(asked);
  const std::string who = gateway::text_of_banned(one.client);
  outcome made;
  if (adds) {
    if (const std::string why = refuse(asked, state); !why.empty()) return {.text = why + "\n"};
    const nanoseconds lasts =
        *seconds == 0 ? state.ban->rule.lasts
                      : nanoseconds(std::chrono::seconds(static_cast<std::int64_t>(*seconds)));
    one.until = now.mono + lasts;
    made.done = table_->set(one, now.mono);
    made.text = made.done ? fmt::format("{} is banned until {}\n", who, moment(now.wall + lasts))
                          : "all places for this ban hold others that are in force\n";
    if (made.done) {
      in_force_.insert_or_assign(one.client, entry{one, now.wall});
      next_end_ = std::min(next_end_, one.until);
      say(one, now, asker);
    }
    audit.ban(made.done, "banned_by_hand", who, "until " + moment(now.wall + lasts), asker);
  } else {
    const auto known = in_force_.find(one.client);
    if (known != in_force_.end()) one = known->second.what;
    made.done = table_->lift(one.client, now.mono);
    if (made.done) say_lifted(one, now, asker);
    made.text = fmt::format("{} is {} banned\n", who, made.done ? "no longer" : "not");
    in_force_.erase(one.client);
    audit.ban(made.done, "unbanned", who, {}, asker);
  }
  changed_ = changed_ || made.done;
  return made;
}

std::string ban_board::text(const gateway::snapshot& state, two_clocks now) const {
  std::string out;
  for (const auto& [client, one] : in_force_) {
    if (one.what.until <= now.mono) continue;
    out += fmt::format("{:<43} {:<20} {:<20} {:>4} {}\n", gateway::text_of_banned(client),
                       moment(one.since), moment(until_of(one.what, now)), one.what.repeat,
                       limit::name(one.what.cause));
  }
  if (out.empty()) return "nobody is banned\n";
  out = fmt::format("{:<43} {:<20} {:<20} {:>4} {}\n", "CLIENT", "SINCE", "UNTIL", "TIME", "FOR") +
        out;
  if (!state.ban) out += "none of this acts: there is no [ban] table in the configuration\n";
  return out;
}

std::string ban_board::json(const gateway::snapshot& state, two_clocks now) const {
  std::vector<std::string> bans;
  for (const auto& [client, one] : in_force_) {
    if (one.what.until <= now.mono) continue;
    bans.push_back(json_object()
                       .text("address", gateway::text_of_banned(client))
                       .text("since", moment(one.since))
                       .text("until", moment(until_of(one.what, now)))
                       .number("time", one.what.repeat)
                       .text("reason", limit::name(one.what.cause))
                       .str());
  }
  return json_object().flag("act", state.ban.has_value()).put("bans", json_array(bans)).str();
}

void ban_board::look(two_clocks now, const observe::log& log, audit_events& audit) {
  if (heard_lines_ > lines_max) {
    log.info(fmt::format("{} more bans of other gateways", heard_lines_ - lines_max));
  }
  heard_lines_ = 0;
  const std::uint64_t changes = table_->changes();
  if (changes != changes_seen_ || now.mono >= next_end_) {
    changed_ = true;
    changes_seen_ = changes;
    notice(table_->all(now.mono), now, log, audit);
  }
  if (changed_ && (kept_ == mono_time{} || now.mono >= kept_ + keep_every)) keep(now, log);
}

void ban_board::notice(const std::vector<ban>& all, two_clocks now, const observe::log& log,
                       audit_events& audit) {
  std::map<config::ip16, entry> found;
  std::size_t begun = 0;
  next_end_ = mono_time::max();
  for (const ban& one : all) {
    if (one.until <= now.mono) continue;
    next_end_ = std::min(next_end_, one.until);
    const auto known = in_force_.find(one.client);
    const bool is_known = known != in_force_.end() && is_same_end(known->second.what, one);
    found.insert_or_assign(one.client, entry{one, is_known ? known->second.since : now.wall});
    if (!is_known) say(one, now, {});
    if (is_known || one.cause == ban_cause::by_hand || ++begun > lines_max) continue;
    log.info(fmt::format("banned: {}, until {}, time {}, for {}",
                         gateway::text_of_banned(one.client), moment(until_of(one, now)),
                         one.repeat, limit::name(one.cause)));
  }
  if (begun > lines_max) log.info(fmt::format("banned: {} more", begun - lines_max));
  for (const auto& [client, one] : in_force_) {
    if (found.contains(client)) continue;
    audit.ban(true, "ban_ended", gateway::text_of_banned(client), "since " + moment(one.since), {});
  }
  in_force_ = std::move(found);
}

void ban_board::keep(two_clocks now, const observe::log& log) {
  if (!changed_ || path_.empty()) return;
  const std::string folder = path_.substr(0, path_.rfind('/'));
  // The default has to work on a machine that nobody prepared.
  ::mkdir(folder.c_str(), 0750);
  std::string text(first_line);
  std::size_t count = 0;
  for (const ban& one : table_->all(now.mono)) {
    const auto known = in_force_.find(one.client);
    const wall_time since = known == in_force_.end() ? wall_time{} : known->second.since;
    fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}\t{}\n",
                   second_of(until_of(one, now)).time_since_epoch().count(),
                   second_of(since).time_since_epoch().count(), one.repeat, limit::name(one.cause),
                   gateway::text_of_banned(one.client));
    ++count;
  }
  fmt::format_to(std::back_inserter(text), "end {}\n", count);
  const result<> written = replace_whole(path_, text, 0640);
  kept_ = now.mono;
  changed_ = !written;
  if (!written && !failing_) {
    log.warning(fmt::format("bans are in force, but a restart will not know of them: {}: {}", path_,
                            explain_file(written.error())));
  }
  failing_ = !written;
}

void ban_board::keep_no_more(two_clocks now, const observe::log& log) {
  keep(now, log);
  path_.clear();
}

void ban_board::expose(std::string& out) const {
  const auto add = [&out](std::string_view name, std::uint64_t value) {
    observe::begin_metric(name, out);
    fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
  };
  add("ringward_bans", in_force_.size());
  add("ringward_bans_without_room_total", table_->bans_refused());
  add("ringward_ban_failures_forgotten_total", table_->failures_forgotten());
}

}  // namespace rw::control
