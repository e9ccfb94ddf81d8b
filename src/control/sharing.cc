#include "control/sharing.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "base/random.h"
#include "base/text.h"
#include "control/whole_file.h"
#include "observe/metric.h"

namespace rw::control {
namespace {

using observe::counter;

// Three keys: what is said (a hash: name -> version and sealed word, and beside those the epoch and
// the last number), in which order (a sorted set: name by number) and how long it matters
// (likewise, by milliseconds). ARGV: an epoch to begin with, the asker's epoch and number, how many
// words it takes; then a name, a version, an end and a sealed word for each that it tells. Answers
// the epoch, the number that has been reached, whether there is more, and words. What does not fit
// together, because a server that is full has dropped a key, is begun anew.
constexpr std::string_view script = R"(
local what, order, ends = KEYS[1], KEYS[2], KEYS[3]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local held = redis.call('HLEN', what) - 2
if redis.call('HEXISTS', what, 'epoch') == 0 or redis.call('ZCARD', order) ~= held or
    redis.call('ZCARD', ends) ~= held then
  redis.call('DEL', what, order, ends)
  redis.call('HSET', what, 'epoch', ARGV[1], 'last', 0)
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('HDEL', what, name)
  redis.call('ZREM', order, name)
  redis.call('ZREM', ends, name)
end
for i = 5, #ARGV, 4 do
  local before = redis.call('HGET', what, ARGV[i])
  if not before or tonumber(string.match(before, '^%d+')) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', what, ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 3])
    redis.call('ZADD', order, redis.call('HINCRBY', what, 'last', 1), ARGV[i])
    redis.call('ZADD', ends, ARGV[i + 2], ARGV[i])
  end
end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], 7776000000) end
local epoch = redis.call('HGET', what, 'epoch')
local since = epoch == ARGV[2] and ARGV[3] or '0'
local found = redis.call('ZRANGEBYSCORE', order, '(' .. since, '+inf', 'WITHSCORES',
  'LIMIT', 0, ARGV[4])
local out = {epoch, since, #found == 2 * ARGV[4] and 'more' or 'all'}
for i = 1, #found, 2 do
  local held = redis.call('HGET', what, found[i])
  out[#out + 1] = string.sub(held, string.find(held, ' ', 1, true) + 1)
  out[2] = found[i + 1]
end
return out
)";

constexpr std::chrono::minutes tidying{1};
constexpr std::size_t lifted_bytes_max = shared_words::most * 1024;

static_assert(redis::words_max >= 2 + 1 + 3 + 4 + 4 * sharing::words_max);
static_assert(redis::reply::numbers_max >= 3 + sharing::words_max);

std::string fresh_epoch() {
  std::array<std::uint64_t, 2> drawn;
  random_bytes(std::as_writable_bytes(std::span(drawn)));
  return fmt::format("{:016x}{:016x}", drawn[0], drawn[1]);
}

void add_keys(redis::command& out, std::string_view id) {
  out.add(3U);
  for (const char* part : {"what", "order", "ends"}) {
    out.add(fmt::format("rw:words:{}:{}", id, part));
  }
}

redis::script make_script() {
  redis::script made{.text = script, .probe = {}, .answers_texts = true};
  add_keys(made.probe, "probe");
  made.probe.add(fresh_epoch()).add("").add("0").add(1U);
  return made;
}

}  // namespace

std::string gateway_name(std::string_view listening_on) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host[0] = '?';
  std::string out(host.data());
  const std::size_t port = listening_on.rfind(':');
  if (!listening_on.starts_with("unix:") && port != std::string_view::npos) {
    out += listening_on.substr(port);
  }
  std::erase_if(out, [](char c) { return !is_visible_ascii(c); });
  return out;
}

sharing::sharing(io::loop& on, unsigned thread, std::string name, sharing_parts with)
    : loop_(on),
      name_(std::move(name)),
      with_(std::move(with)),
      client_(on, thread, make_script(), counted_),
      words_(name_) {}

sharing::~sharing() { RW_ASSERT(living_.inside() == 0); }

void sharing::adopt(const gateway::snapshot& state) {
  if (!state.redis) return end();
  if (target_ != state.redis) {
    auto made = std::make_shared<redis::target>(*state.redis);
    made->timeout = std::max<nanoseconds>(made->timeout, patience);
    client_.adopt(std::move(made));
  }
  const word_seal seal(state.share_secret);
  if (!target_) begin(state);
  if (!seal_ || seal.id() != seal_->id()) {
    seal_.emplace(seal);
    session_ = 0;  // under another password all is elsewhere
  }
  target_ = state.redis;
  if (living_.inside() == 0) io::spawn(live(), living_);
}

void sharing::begin(const gateway::snapshot& state) {
  lifted_path_ = state.settings.server.state + "/lifted";
  read_lifted();
  const two_clocks now{loop_.now(), loop_.wall_now()};
  in_step_at_ = now.mono;
  with_.bans.share(&words_, now);
  if (with_.revocations.share(&words_)) with_.revoked();
}

void sharing::end() {
  if (!target_) return;
  target_ = nullptr;
  client_.adopt(nullptr);
  const two_clocks now{loop_.now(), loop_.wall_now()};
  with_.bans.share(nullptr, now);
  with_.revocations.share(nullptr);
  words_.clear();
  lost_ = false;
  if (pause_ != nullptr) pause_->cut();
}

io::task<> sharing::stop() {
  if (target_) keep_lifted();
  with_.revocations.keep_heard(loop_.now() + revocation_board::keep_every, with_.log);
  end();
  co_await client_.stop();
  co_await living_.empty();
}

void sharing::read_lifted() {
  const result<std::string> text = read_whole(lifted_path_, lifted_bytes_max);
  if (text && words_.parse(*text)) {
    lifted_kept_ = words_.lifted_changes();
    return;
  }
  if (!text && (text.error().os == ENOENT || text.error().os == ENOTDIR)) return;
  with_.log.warning(fmt::format(
      "server.state: {}: {}; what was unbanned and unrevoked here while Redis was lost may come "
      "back from there",
      lifted_path_, text ? "it is not as it was written" : explain_file(text.error())));
}

io::task<> sharing::live() {
  while (target_) {
    bool at_once = false;
    if (client_.ready()) at_once = co_await exchange();
    if (at_once) continue;
    io::sleep pause(loop_, loop_.now() + every);
    pause_ = &pause;
    co_await pause;
    pause_ = nullptr;
  }
}

void sharing::write(redis::command& out, const std::vector<const shared_word*>& told) const {
  add_keys(out, seal_->id());
  out.add(fresh_epoch()).add(epoch_).add(since_).add(words_max);
  for (const shared_word* one : told) {
    out.add(seal_->hide(one->name)).add(one->version).add(one->end_ms).add(seal_->close(*one));
  }
}

// Whether there is more to be said or heard.
io::task<bool> sharing::exchange() {
  const std::uint64_t session = counted_.get(counter::redis_connections);
  if (session != session_) {
    session_ = session;
    epoch_.clear();
    since_ = "0";
    heard_all_ = false;
    words_.forget_over(loop_.wall_now());
    words_.forget_told();
  }
  // What Redis has need not be told to it.
  const auto telling = words_.untold(heard_all_ ? words_max : 0);
  std::vector<std::pair<std::string, std::uint64_t>> told;
  told.reserve(telling.size());
  for (const shared_word* one : telling) told.emplace_back(one->name, one->version);
  redis::command words;
  write(words, telling);
  redis::question asked(client_, words);
  const redis::reply* got = co_await asked;
  bool more = false;
  if (got == nullptr || !target_ || session_ != session) co_return false;
  if (!take(*got, more)) co_return false;
  for (const auto& [name, version] : told) words_.told(name, version);
  told_ += told.size();
  ++exchanges_;
  in_step_at_ = loop_.now();
  heard_all_ = !more;
  co_return more || words_.has_untold();
}

bool sharing::take(const redis::reply& what, bool& more) {
  if (what.texts.size() < 3 || !parse_u64(what.texts[1])) {
    counted_.add(counter::redis_garbage);
    return false;
  }
  if (what.texts[0] != epoch_) {
    // It has been emptied under this connection.
    if (!epoch_.empty()) words_.forget_told();
    epoch_ = what.texts[0];
  }
  since_ = what.texts[1];
  more = what.texts[2] == "more";
  for (std::size_t i = 3; i < what.texts.size(); ++i) hear(what.texts[i]);
  if (with_.revocations.settle()) with_.revoked();
  return true;
}

void sharing::hear(std::string_view sealed) {
  const auto word = seal_->open(sealed);
  if (!word) {
    ++unreadable_;
    return;
  }
  if (!words_.hear(*word)) return;
  ++heard_;
  const two_clocks now{loop_.now(), loop_.wall_now()};
  if (word->name.starts_with(ban_board::word_prefix)) {
    with_.bans.hear(*word, now, with_.log, with_.audit);
  } else if (word->name.starts_with(revocation_board::word_prefix)) {
    with_.revocations.hear(*word, now.wall, with_.log, with_.audit);
  }
}

void sharing::look(two_clocks now) {
  if (!target_) return;
  if (words_.has_untold() && heard_all_ && pause_ != nullptr) pause_->cut();
  say_whether_in_step(now.mono);
  with_.revocations.keep_heard(now.mono, with_.log);
  if (now.mono - tidied_at_ > tidying) {
    tidied_at_ = now.mono;
    words_.forget_over(now.wall);
  }
  keep_lifted();
}

void sharing::keep_lifted() {
  if (lifted_kept_ == words_.lifted_changes()) return;
  lifted_kept_ = words_.lifted_changes();
  const result<> written = replace_whole(lifted_path_, words_.to_text(), 0640);
  if (!written && !lifted_failing_) {
    with_.log.warning(
        fmt::format("what was taken back is so, but a restart will not know of it: "
                    "{}: {}",
                    lifted_path_, explain_file(written.error())));
  }
  lifted_failing_ = !written;
}

void sharing::say_whether_in_step(mono_time now) {
  const bool in_step = now - in_step_at_ < silence;
  if (in_step != lost_) return;
  lost_ = !in_step;
  if (in_step) {
    with_.log.info(fmt::format("redis {}: bans and revocations are shared again", target_->name));
  } else {
    with_.log.warning(fmt::format(
        "redis {}: no answer; bans and revocations hold as they are known here, and are shared "
        "once it is back",
        target_->name));
  }
}

void sharing::expose(std::string& out) const {
  if (!target_) return;
  const auto add = [&out](std::string_view name, std::uint64_t value) {
    observe::begin_metric(name, out);
    fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
  };
  add("ringward_sharing_in_step", lost_ ? 0 : 1);
  add("ringward_sharing_exchanges_total", exchanges_);
  add("ringward_sharing_words", words_.size());
  add("ringward_sharing_told_total", told_);
  add("ringward_sharing_heard_total", heard_);
  add("ringward_sharing_unreadable_total", unreadable_);
  add("ringward_sharing_without_room_total", words_.without_room());
}

}  // namespace rw::control
