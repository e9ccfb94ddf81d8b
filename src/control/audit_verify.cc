#include "control/audit_verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace rw::control {
namespace {

using weight = audit_finding::weight;

constexpr std::size_t digest_digits = 64;
// What a writer ever leaves without a checkpoint, with those of its own among them.
constexpr std::uint64_t unsigned_max = 2 * observe::audit_chain::records_per_checkpoint;

bool take_text(std::string_view& from, std::string_view text) noexcept {
  if (!from.starts_with(text)) return false;
  from.remove_prefix(text.size());
  return true;
}

std::string_view take_until(std::string_view& from, char end) noexcept {
  const std::size_t at = std::min(from.find(end), from.size());
  const std::string_view got = from.substr(0, at);
  from.remove_prefix(at);
  return got;
}

std::string_view view(const observe::audit_digest& digest) noexcept {
  return {digest.data(), digest.size()};
}

}  // namespace

// The members that this program writes first, in their order and to the octet: what a client could
// put into a record comes after them.
audit_checker::record audit_checker::parse(std::string line, place at) {
  record one;
  one.at = std::move(at);
  one.text = std::move(line);
  one.digest = observe::digest_of(one.text);
  std::string_view rest = one.text;
  if (!take_text(rest, R"({"seq":)")) return one;
  const auto sequence = parse_u64(take_until(rest, ','));
  if (!sequence || *sequence == 0 || !take_text(rest, R"(,"prev":")")) return one;
  one.sequence = *sequence;
  one.prev = take_until(rest, '"');
  if (one.prev.size() != digest_digits || !take_text(rest, R"(","time":")")) return one;
  take_until(rest, '"');
  if (!take_text(rest, R"(","event":")")) return one;
  one.event = take_until(rest, '"');
  one.whole = rest.starts_with('"') && rest.ends_with('}') &&
              std::ranges::none_of(rest, [](char c) { return c >= 0 && c < 0x20; });
  return one;
}

void audit_checker::say(weight how, const place& at, std::string text) {
  findings_.push_back({how, at.file, at.line, std::move(text)});
}

void audit_checker::read(std::istream& from, const std::string& name) {
  std::uint64_t number = 0;
  for (std::string line; std::getline(from, line);) {
    const place at{name, ++number};
    const bool ended = !from.eof();
    if (line.empty() && ended && cut_) continue;
    record one = parse(line, at);
    if (!ended || !one.whole) {
      // Part of a record at the end of what one process wrote: whole in the next file, or lost with
      // the process. What follows says which.
      if (cut_) say(weight::broken, cut_at_, "is not an audit record");
      cut_ = true;
      cut_at_ = at;
      cut_ended_ = ended;
      continue;
    }
    take(std::move(one));
  }
  if (from.bad()) say(weight::broken, {name, number}, "cannot be read any further");
}

void audit_checker::take(record one) {
  if (cut_) {
    cut_ = false;
    const bool moved = have_held_ && one.at.file != cut_at_.file &&
                       one.sequence == held_.sequence + 1 && one.prev == view(held_.digest);
    if (moved) {
      say(weight::note, cut_at_, "part of a record, which is whole in the next file");
    } else if (one.event == "start") {
      say(weight::open, cut_at_, "part of a record: the process ended within it");
    } else {
      say(weight::broken, cut_at_, "is not an audit record");
    }
  }
  if (have_held_) {
    if (have_before_) {
      link(before_, held_, &one);
    } else {
      accept(held_);
    }
    before_ = std::move(held_);
    have_before_ = true;
  } else if (!since_.empty() && one.prev == view(observe::digest_of(since_))) {
    since_found_ = true;
  } else if (one.event == "start" && one.sequence == 1) {
    if (one.prev != view(observe::no_digest)) {
      say(weight::note, one.at, "follows an earlier chain, which is not in these files");
    }
  } else if (since_.empty()) {
    say(weight::open, one.at,
        fmt::format("record {} is the first: what came before it is not in these files; --since "
                    "with the last checkpoint before it says whether that is all",
                    one.sequence));
  }
  held_ = std::move(one);
  have_held_ = true;
}

// `next`: the record after `one`, whose word on it tells a changed record from a changed link.
void audit_checker::link(const record& before, const record& one, const record* next) {
  const bool begins = one.event == "start" && one.sequence == 1;
  if (begins) end_of_chain(before, false);
  const std::uint64_t expected = begins ? 1 : before.sequence + 1;
  const bool fits = one.prev == view(before.digest);
  if (fits && one.sequence == expected) {
    accept(one);
    return;
  }
  const bool vouched = next == nullptr || next->prev == view(one.digest);
  if (one.sequence == expected || (begins && !fits)) {
    if (begins && vouched) {
      say(weight::broken, one.at,
          fmt::format("does not follow {}:{}: lines between them were removed, or that one was "
                      "changed",
                      before.at.file, before.at.line));
    } else if (fits || !vouched) {
      say(weight::broken, one.at, "was changed");
    } else {
      say(weight::broken, before.at, "was changed");
    }
  } else if (fits) {
    say(weight::broken, one.at, fmt::format("was changed: its number is not {}", expected));
  } else if (one.sequence > expected) {
    say(weight::broken, one.at,
        one.sequence == expected + 1
            ? fmt::format("record {} was removed before it", expected)
            : fmt::format("records {} to {} were removed before it", expected, one.sequence - 1));
  } else {
    say(weight::broken, one.at,
        fmt::format("is out of order: record {} after record {}", one.sequence, before.sequence));
  }
  accept(one);
}

void audit_checker::accept(const record& one) {
  ++records_;
  if (one.event == "start") {
    ++chains_;
    stopped_ = false;
    unsigned_ = 0;
  }
  if (one.text == since_) since_found_ = true;
  ++unsigned_;
  if (one.event == "checkpoint") {
    check_checkpoint(one);
  } else {
    stopped_ = one.event == "stop";
  }
  if (!public_key_.empty() && unsigned_ == unsigned_max + 1) {
    say(weight::broken, one.at,
        fmt::format("more than {} records without a checkpoint: some were removed", unsigned_max));
  }
  last_event_ = one.event;
}

void audit_checker::check_checkpoint(const record& one) {
  ++checkpoints_;
  unsigned_ = 0;
  last_checkpoint_ = one.text;
  if (public_key_.empty()) return;
  const std::size_t at = one.text.rfind(observe::signature_member);
  if (at == std::string::npos) {
    say(weight::broken, one.at, "a checkpoint without a signature");
    return;
  }
  std::string_view signature = std::string_view(one.text).substr(at);
  signature.remove_prefix(observe::signature_member.size());
  if (!signature.ends_with("\"}") ||
      !observe::verify_checkpoint(std::string_view(one.text).substr(0, at),
                                  signature.substr(0, signature.size() - 2), public_key_)) {
    say(weight::broken, one.at,
        "the signature is not by this key: this line, or one since the checkpoint before it, was "
        "changed and the chain made anew");
  }
}

// A process that was stopped says so, and signs it.
void audit_checker::end_of_chain(const record& last, bool running) {
  if (stopped_ && unsigned_ == 0) return;
  const std::string tail =
      public_key_.empty() || unsigned_ == 0
          ? std::string{}
          : fmt::format("; no checkpoint covers the last {} records", unsigned_);
  if (running) {
    say(weight::note, last.at, "the chain goes on" + tail);
    return;
  }
  say(weight::open, last.at,
      fmt::format("the chain ends at record {} without an end: the process runs, was killed, or "
                  "the rest was cut off{}",
                  last.sequence, tail));
}

void audit_checker::finish(bool running) {
  if (have_held_) {
    if (have_before_) {
      link(before_, held_, nullptr);
    } else {
      accept(held_);
    }
  }
  if (cut_ && cut_ended_) {
    say(weight::broken, cut_at_, "is not an audit record");
  } else if (cut_) {
    say(running ? weight::note : weight::open, cut_at_,
        "part of a record: the process writes it, ended within it, or the rest was cut off");
  }
  if (!have_held_) {
    say(weight::open, {}, "there is no record");
  } else {
    end_of_chain(held_, running);
  }
  if (!since_.empty() && !since_found_) {
    say(weight::broken, {},
        "the checkpoint given by --since is not in these files: it, and all that came after it, "
        "was removed, or a file is missing");
  }
}

}  // namespace rw::control
