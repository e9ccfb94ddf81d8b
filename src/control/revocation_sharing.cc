// What gateways tell each other of revocations. A word's name ends with kind, issuer and id, its
// text is since when and until when in seconds, with tabs between.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "control/ban_text.h"
#include "control/revocation_board.h"
#include "control/revocation_text.h"
#include "control/whole_file.h"

namespace rw::control {
namespace {

using auth::revocation;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::uint64_t date_max = 253'402'300'800;  // the year 10000

sys_seconds time_of(std::uint64_t since_1970) noexcept {
  return sys_seconds(seconds(static_cast<std::int64_t>(since_1970)));
}

shared_word word_of(const revocation& one, bool holds, std::string_view by) {
  shared_word out{.name = fmt::format("{}{}\t{}\t{}", revocation_board::word_prefix,
                                      auth::name(one.what), one.issuer, one.id),
                  .by = std::string(by)};
  const auto since = one.since.time_since_epoch().count();
  const auto until = one.until.time_since_epoch().count();
  if (holds) out.text = fmt::format("{}\t{}", since, until);
  if (until != 0) out.end_ms = static_cast<std::uint64_t>(until) * 1000;
  return out;
}

bool parse_word(const shared_word& word, revocation& out) {
  std::string_view name = word.name;
  name.remove_prefix(revocation_board::word_prefix.size());
  const auto kind = auth::find_revoked_kind(cut(name, '\t'));
  if (!kind) return false;
  out.what = *kind;
  out.issuer = cut(name, '\t');
  out.id = name;
  if (auth::refuse_revocation(out) != nullptr) return false;
  if (word.text.empty()) return true;
  std::string_view text = word.text;
  const auto since = parse_u64(cut(text, '\t'));
  const auto until = parse_u64(text);
  if (!since || !until || *since > date_max || *until > date_max) return false;
  out.since = time_of(*since);
  out.until = time_of(*until);
  return true;
}

}  // namespace

std::string describe(const revocation& one) {
  std::string out = fmt::format("{} {}", auth::name(one.what), one.id);
  if (!one.issuer.empty()) out += " of issuer " + one.issuer;
  return out;
}

bool is_same(const revocation& a, const revocation& b) noexcept {
  return a.what == b.what && a.id == b.id && a.issuer == b.issuer;
}

void revocation_board::say(const revocation& one, bool holds, wall_time now, std::string_view by) {
  if (shared_ != nullptr) shared_->say(word_of(one, holds, by), now);
}

bool revocation_board::share(shared_words* with) {
  shared_ = with;
  if (shared_ == nullptr) return false;
  std::vector<revocation> all = entries();
  const std::size_t gone = std::erase_if(all, [this](const revocation& one) {
    // As with bans: what has been taken back since stays so.
    return !shared_->recall(word_of(one, true, {}), one.since - seconds{1});
  });
  if (gone == 0) return false;
  take(std::move(all));
  unkept_ = true;
  return true;
}

void revocation_board::hear(const shared_word& word, wall_time now, const observe::log& log,
                            audit_events& audit) {
  revocation one;
  if (!parse_word(word, one)) return;
  const bool holds = !word.text.empty() && one.holds(now);
  const auto is_it = [&](const revocation& o) { return is_same(o, one); };
  if (!holds && std::ranges::none_of(heard_ ? *heard_ : entries(), is_it)) return;
  if (!heard_) heard_ = entries();
  std::erase_if(*heard_, is_it);
  std::erase_if(*heard_, [now](const revocation& o) { return !o.holds(now); });
  const std::string what = describe(one);
  if (holds && heard_->size() >= auth::revocations_max) {
    log.error(
        fmt::format("{} was revoked by {}, and is not here: there are {} revocations, and no "
                    "more are kept",
                    what, word.from, auth::revocations_max));
    audit.revocation_elsewhere(false, "revoked_elsewhere", what, word.from, word.by);
    return;
  }
  if (holds) heard_->push_back(one);
  audit.revocation_elsewhere(true, holds ? "revoked_elsewhere" : "unrevoked_elsewhere", what,
                             word.from, word.by);
  log.info(fmt::format("{} by {}: {}", holds ? "revoked" : "no longer revoked", word.from, what));
}

bool revocation_board::settle() {
  if (!heard_) return false;
  take(std::move(*heard_));
  heard_.reset();
  unkept_ = true;
  return true;
}

void revocation_board::keep_heard(mono_time now, const observe::log& log) {
  if (!unkept_ || (kept_ != mono_time{} && now < kept_ + keep_every)) return;
  kept_ = now;
  const outcome written = keep({.done = true, .changed = true});
  unkept_ = !written.done;
  if (unkept_ && !std::exchange(failing_, true)) {
    log.warning("revocations of other gateways: " +
                written.text.substr(0, written.text.size() - 1));
  }
  failing_ = unkept_;
}

}  // namespace rw::control
