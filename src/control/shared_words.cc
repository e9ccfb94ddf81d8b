#include "control/shared_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace rw::control {
namespace {

constexpr std::string_view first_line = "ringward lifted 1\n";

std::uint64_t ms_of(wall_time at) noexcept {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(since, 0));
}

}  // namespace

const shared_word* shared_words::find(const std::string& name) const {
  const auto at = words_.find(name);
  return at == words_.end() ? nullptr : &at->second;
}

bool shared_words::put(shared_word word) {
  const auto at = words_.find(word.name);
  const bool lifts = word.text.empty();
  if (at != words_.end()) {
    if (lifts || at->second.text.empty()) ++lifted_changes_;
    at->second = std::move(word);
    return true;
  }
  if (words_.size() >= most) {
    ++without_room_;
    return false;
  }
  if (lifts) ++lifted_changes_;
  std::string name = word.name;
  words_.emplace(std::move(name), std::move(word));
  return true;
}

bool shared_words::say(shared_word word, wall_time now) {
  const shared_word* before = find(word.name);
  word.from = gateway_;
  word.version = std::max(ms_of(now), before == nullptr ? 0 : before->version + 1);
  if (word.text.empty()) {
    word.end_ms = std::min(word.end_ms, ms_of(now + remembered));
  }
  const std::string name = word.name;
  if (!put(std::move(word))) return false;
  untold_.insert(name);
  return true;
}

bool shared_words::recall(shared_word word, wall_time made) {
  word.from = gateway_;
  word.version = ms_of(made);
  const shared_word* before = find(word.name);
  if (before != nullptr && before->version >= word.version) return false;
  const std::string name = word.name;
  if (!put(std::move(word))) return false;
  untold_.insert(name);
  return true;
}

bool shared_words::hear(const shared_word& word) {
  const auto at = words_.find(word.name);
  const bool is_known = at != words_.end();
  if (is_known && at->second.version > word.version) {
    untold_.insert(word.name);
    return false;
  }
  const bool is_news = is_known ? at->second.text != word.text : true;
  if (put(word)) untold_.erase(word.name);
  return is_news;
}

void shared_words::forget_told() {
  for (const auto& [name, word] : words_) untold_.insert(untold_.end(), name);
}

void shared_words::told(const std::string& name, std::uint64_t version) {
  const shared_word* one = find(name);
  if (one == nullptr || one->version <= version) untold_.erase(name);
}

std::vector<const shared_word*> shared_words::untold(std::size_t count) const {
  std::vector<const shared_word*> out;
  for (const std::string& name : untold_) {
    if (out.size() == count) break;
    if (const shared_word* one = find(name); one != nullptr) out.push_back(one);
  }
  return out;
}

void shared_words::forget_over(wall_time now) {
  const std::uint64_t at = ms_of(now);
  std::erase_if(words_, [&](const auto& one) {
    const bool over = one.second.end_ms <= at;
    if (over && one.second.text.empty()) ++lifted_changes_;
    if (over) untold_.erase(one.first);
    return over;
  });
}

void shared_words::clear() noexcept {
  words_.clear();
  untold_.clear();
}

std::string shared_words::to_text() const {
  std::string out(first_line);
  std::size_t count = 0;
  for (const auto& [name, word] : words_) {
    if (!word.text.empty()) continue;
    fmt::format_to(std::back_inserter(out), "{}\t{}\t{}\n", word.version, word.end_ms, name);
    ++count;
  }
  fmt::format_to(std::back_inserter(out), "end {}\n", count);
  return out;
}

// All of it, or nothing.
result<> shared_words::parse(std::string_view text) {
  const failure broken({.code = fault::invalid,
                        .from = origin::configuration,
                        .text = "it is not as it was written"});
  if (!text.starts_with(first_line) || !text.ends_with('\n')) return broken;
  text.remove_prefix(first_line.size());
  std::vector<shared_word> found;
  std::string_view line;
  while (!(line = cut(text, '\n')).empty() && !line.starts_with("end ")) {
    const auto version = parse_u64(cut(line, '\t'));
    const auto end = parse_u64(cut(line, '\t'));
    if (!version || !end || line.empty()) return broken;
    found.push_back({.name = std::string(line), .version = *version, .end_ms = *end});
  }
  if (line != fmt::format("end {}", found.size()) || !text.empty()) return broken;
  for (shared_word& one : found) put(std::move(one));
  return {};
}

}  // namespace rw::control
