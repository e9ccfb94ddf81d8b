#include "control/revocation_board.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/text.h"
#include "control/json_text.h"
#include "control/revocation_text.h"
#include "control/whole_file.h"

namespace rw::control {
namespace {

using auth::revocation;

// Each entry at its longest, and the lines around them.
constexpr std::size_t file_bytes_max = auth::revocations_max * 1024;
constexpr std::uint64_t seconds_max = 10ULL * 366 * 24 * 3600;

revocation_board::outcome refused(std::string text) {
  return {.done = false, .text = std::move(text) + "\n", .changed = false, .event = {}};
}

std::string moment(std::chrono::sys_seconds at) {
  if (at == std::chrono::sys_seconds{}) return "-";
  const auto midnight = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day day(midnight);
  const std::chrono::hh_mm_ss time(at - midnight);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

}  // namespace

result<> revocation_board::open(const std::string& directory) {
  path_ = directory + "/revocations";
  const result<std::string> text = read_whole(path_, file_bytes_max);
  if (!text) {
    const bool absent = text.error().os == ENOENT || text.error().os == ENOTDIR;
    return absent ? result<>{} : failure(text.error());
  }
  result<auth::revocation_list> read = auth::parse_revocations(*text);
  if (!read) return failure(read.error());
  take(read->entries());
  return {};
}

bool revocation_board::reread() {
  struct stat at{};
  if (::stat(path_.c_str(), &at) != 0) return false;
  const std::pair<std::uint64_t, std::int64_t> is{
      at.st_ino, at.st_mtim.tv_sec * 1'000'000'000 + at.st_mtim.tv_nsec};
  if (is == std::exchange(looked_at_, is)) return false;
  const result<> read = open(path_.substr(0, path_.rfind('/')));
  return static_cast<bool>(read);
}

std::string revocation_board::explain(const error& why) const {
  return fmt::format(
      "server.state: {}: {}; who was revoked is not known, and nobody is let in by guess: bring "
      "back "
      "the file from a backup, or remove it and revoke again",
      path_, explain_file(why));
}

void revocation_board::take(std::vector<revocation> entries) {
  auto made = std::make_shared<const auth::revocation_list>(std::move(entries));
  list_ = made->empty() ? nullptr : std::move(made);
}

std::vector<revocation> revocation_board::entries() const {
  return list_ ? list_->entries() : std::vector<revocation>{};
}

revocation_board::outcome revocation_board::change(std::string_view command, wall_time now,
                                                   std::string_view asker) {
  const bool adds = cut(command, '\t') == "revoke";
  const auto kind = auth::find_revoked_kind(cut(command, '\t'));
  const auto last = adds ? parse_u64(cut(command, '\t')) : 0;
  revocation one;
  one.issuer = cut(command, '\t');
  one.id = command;
  if (!kind || !last || *last > seconds_max) return refused("no such command");
  one.what = *kind;
  if (const char* why = auth::refuse_revocation(one); why != nullptr) {
    return refused(fmt::format("the {} {}", auth::name(one.what), why));
  }
  one.since = std::chrono::floor<std::chrono::seconds>(now);
  if (*last != 0) {
    const std::chrono::seconds time(static_cast<std::int64_t>(*last));
    one.until = std::chrono::ceil<std::chrono::seconds>(now) + time;
  }

  std::vector<revocation> entries = this->entries();
  const auto before =
      std::ranges::find_if(entries, [&](const revocation& o) { return is_same(o, one); });
  if (!adds && before != entries.end()) one.until = before->until;
  const std::size_t gone =
      std::erase_if(entries, [&](const revocation& o) { return is_same(o, one); });
  std::erase_if(entries, [now](const revocation& o) { return !o.holds(now); });
  if (!adds && gone == 0) return refused(describe(one) + " is not revoked");
  if (adds && entries.size() >= auth::revocations_max) {
    return refused(fmt::format("there are {} revocations, and no more are kept: take one back",
                               auth::revocations_max));
  }
  say(one, adds, now, asker);
  outcome done{.done = true, .changed = true};
  if (adds) {
    done.text = fmt::format("{} is revoked{}\n", describe(one),
                            *last == 0 ? "" : " until " + moment(one.until));
    done.event = fmt::format("revoked: {}, until {}", describe(one),
                             *last == 0 ? "it is taken back" : moment(one.until));
    entries.push_back(std::move(one));
  } else {
    done.text = fmt::format("{} is no longer revoked\n", describe(one));
    done.event = "no longer revoked: " + describe(one);
  }
  take(std::move(entries));
  return done;
}

revocation_board::outcome revocation_board::keep(outcome changed) const {
  const std::string folder = path_.substr(0, path_.rfind('/'));
  // The default has to work on a machine that nobody prepared.
  ::mkdir(folder.c_str(), 0750);
  const std::string text = to_text(list_ ? *list_ : auth::revocation_list{});
  const result<> written = replace_whole(path_, text, 0640);
  if (written) return changed;
  changed.done = false;
  changed.text += fmt::format("this is in force, but a restart will not know of it: {}: {}\n",
                              path_, explain_file(written.error()));
  return changed;
}

std::string revocation_board::table(wall_time now) const {
  std::string out;
  if (list_) {
    for (const revocation& one : list_->entries()) {
      if (!one.holds(now)) continue;
      out += fmt::format("{:<9} {:<20} {:<20} {}{}\n", auth::name(one.what), moment(one.since),
                         moment(one.until), one.id,
                         one.issuer.empty() ? "" : "  (" + one.issuer + ")");
    }
  }
  if (out.empty()) return "nothing is revoked\n";
  return fmt::format("{:<9} {:<20} {:<20} {}\n", "KIND", "SINCE", "UNTIL", "ID") + out;
}

// What is not said is null: an issuer that may be any, an end that there is none of.
std::string revocation_board::json(wall_time now) const {
  std::vector<std::string> revoked;
  for (const revocation& one : entries()) {
    if (!one.holds(now)) continue;
    const bool ends = one.until != std::chrono::sys_seconds{};
    revoked.push_back(json_object()
                          .text("kind", auth::name(one.what))
                          .text("id", one.id)
                          .put("issuer", one.issuer.empty() ? "null" : json_string(one.issuer))
                          .text("since", moment(one.since))
                          .put("until", ends ? json_string(moment(one.until)) : "null")
                          .str());
  }
  return json_object().put("revoked", json_array(revoked)).str();
}

}  // namespace rw::control
