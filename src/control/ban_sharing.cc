// What gateways tell each other of bans. A word's text is the ban's end in milliseconds, which
// repeat it is and what it is for, with tabs between.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "control/ban_board.h"
#include "gateway/ban.h"

namespace rw::control {
namespace {

using limit::ban;
using limit::ban_cause;
using limit::ban_table;

// Two ends that are so near are one: the file has whole seconds, and no two clocks agree.
constexpr std::chrono::seconds same{2};
constexpr std::uint64_t date_max_ms = 9'000'000'000'000;  // of 2255: what nanoseconds reach

std::uint64_t ms_of(wall_time at) noexcept {
  const auto since = std::chrono::round<std::chrono::milliseconds>(at.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(since, 0));
}

wall_time time_of(std::uint64_t ms) noexcept {
  return wall_time{std::chrono::milliseconds(static_cast<std::int64_t>(ms))};
}

shared_word word_of(const ban& one, two_clocks now, std::string_view by) {
  const wall_time until = until_of(one, now);
  return {.name = std::string(ban_board::word_prefix) + gateway::text_of_banned(one.client),
          .text = fmt::format("{}\t{}\t{}", ms_of(until), one.repeat, limit::name(one.cause)),
          .by = std::string(by),
          // Others are to know that the next one is a repeat.
          .end_ms = ms_of(std::max(until, now.wall) + ban_table::forgotten_after)};
}

bool parse_word(std::string_view text, two_clocks now, ban& out) {
  const auto until = parse_u64(cut(text, '\t'));
  const auto repeat = parse_u64(cut(text, '\t'));
  if (!until || *until > date_max_ms || !repeat || *repeat < 1 || *repeat > 255) return false;
  out.until = now.mono + (time_of(*until) - now.wall);
  out.repeat = static_cast<unsigned>(*repeat);
  out.cause = find_ban_cause(text);
  return true;
}

}  // namespace

void ban_board::say(const ban& one, two_clocks now, std::string_view by) {
  if (shared_ != nullptr) shared_->say(word_of(one, now, by), now.wall);
}

void ban_board::say_lifted(const ban& one, two_clocks now, std::string_view by) {
  if (shared_ == nullptr) return;
  shared_word word = word_of(one, now, by);
  word.text.clear();
  shared_->say(std::move(word), now.wall);
}

void ban_board::share(shared_words* with, two_clocks now) {
  shared_ = with;
  if (shared_ == nullptr) return;
  for (const ban& one : table_->all(now.mono)) {
    const auto known = in_force_.find(one.client);
    // Not later than it was: who has lifted it since is right. The second before, since the file
    // has none of its fractions; what is over began before it was.
    const wall_time made = known != in_force_.end() ? known->second.since - std::chrono::seconds{1}
                                                    : until_of(one, now) - ban_table::longest;
    if (shared_->recall(word_of(one, now, {}), made)) continue;
    table_->lift(one.client, now.mono);
    in_force_.erase(one.client);
    changed_ = true;
  }
}

void ban_board::hear_lifted(const shared_word& word, const config::ip16& client, two_clocks now,
                            const observe::log& log, audit_events& audit) {
  const bool was = table_->lift(client, now.mono);
  if (in_force_.erase(client) == 0 && !was) return;
  changed_ = true;
  const std::string who = gateway::text_of_banned(client);
  audit.ban(true, "unbanned_elsewhere", who, {}, speaker_text(word.from, word.by));
  if (++heard_lines_ <= lines_max) log.info(fmt::format("unbanned by {}: {}", word.from, who));
}

void ban_board::hear(const shared_word& word, two_clocks now, const observe::log& log,
                     audit_events& audit) {
  ban one;
  if (!parse_client(std::string_view(word.name).substr(word_prefix.size()), one.client)) return;
  one.client = limit::banned_network(one.client);
  if (word.text.empty()) return hear_lifted(word, one.client, now, log, audit);
  if (!parse_word(word.text, now, one) || one.until + ban_table::forgotten_after <= now.mono) {
    return;
  }
  const auto known = in_force_.find(one.client);
  const bool is_here = known != in_force_.end() && known->second.what.until > now.mono;
  // Failures here and there at once: the longer ban stays, and the others hear of it again.
  if (is_here && one.cause != ban_cause::by_hand && known->second.what.until > one.until + same) {
    return say(known->second.what, now, {});
  }
  const bool is_same = is_here && known->second.what.until - one.until < same &&
                       one.until - known->second.what.until < same;
  if (!table_->set(one, now.mono)) return;
  changed_ = true;
  if (one.until <= now.mono) return;
  in_force_.insert_or_assign(one.client, entry{one, time_of(word.version)});
  next_end_ = std::min(next_end_, one.until);
  if (is_same) return;
  const std::string who = gateway::text_of_banned(one.client);
  const std::string what = fmt::format("until {}, time {}, for {}", moment(until_of(one, now)),
                                       one.repeat, limit::name(one.cause));
  audit.ban(true, "banned_elsewhere", who, what, speaker_text(word.from, word.by));
  if (++heard_lines_ > lines_max) return;
  log.info(fmt::format("banned by {}: {}, {}", word.from, who, what));
}

}  // namespace rw::control
