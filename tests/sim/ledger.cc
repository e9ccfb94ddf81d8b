#include "ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "budgets.h"
#include "observe/log_queue.h"

namespace rw::sim {
namespace {

// The member's value in one JSON line; "" when it is not there.
std::string_view member(std::string_view line, std::string_view name) {
  const std::size_t at = line.find(fmt::format("\"{}\":", name));
  if (at == std::string_view::npos) return {};
  std::string_view rest = line.substr(at + name.size() + 3);
  const bool text = rest.starts_with('"');
  if (text) rest.remove_prefix(1);
  return rest.substr(0, rest.find_first_of(text ? "\"" : ",}"));
}

// Of "/any/12?q=3": 12. Each request's target is its own.
std::uint64_t request_in(std::string_view path) {
  path = path.substr(0, path.find('?'));
  path.remove_prefix(std::min(path.size(), path.rfind('/') + 1));
  std::uint64_t id = 0;
  std::from_chars(path.data(), path.data() + path.size(), id);
  return id;
}

// Of "2023-11-14T23:13:20.000123Z": when that was by the monotonic clock. Runs end before midnight.
mono_time time_in(std::string_view text) {
  const auto number = [text](std::size_t at, std::size_t size) {
    std::int64_t value = 0;
    const std::string_view digits = text.substr(std::min(at, text.size()), size);
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  };
  const auto midnight = std::chrono::floor<std::chrono::days>(wall_start);
  return mono_time{midnight - wall_start + std::chrono::hours{number(11, 2)} +
                   std::chrono::minutes{number(14, 2)} + seconds{number(17, 2)} +
                   microseconds{number(20, 6)}};
}

std::int64_t number_in(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string body_of(std::uint64_t key, std::size_t size) {
  std::string made(size, '\0');
  std::uint64_t x = key * 0x9e3779b97f4a7c15U + 1;
  for (char& c : made) {
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
    c = static_cast<char>('a' + (x & 15U));
  }
  return made;
}

bool ledger::take_minted(std::string_view body, const claim& shown, mono_time now) {
  auto made = read_minted(body);
  if (!made || made->subject != shown.holder) return false;
  // An answer may have been on its way for a while.
  const wall_time here = wall_at(now);
  if (made->valid_from > here || made->valid_from < here - seconds{60}) return false;
  for (const token& other : minted) {
    if (other.text == made->text) return false;
  }
  minted.push_back(std::move(*made));
  return true;
}

void ledger::read_access_log(observe::log_queue& log) {
  for (auto there = log.readable(); !there.empty(); there = log.readable()) {
    std::string_view lines(there.data(), there.size());
    while (!lines.empty()) {
      const std::size_t end = lines.find('\n');
      const std::string_view line = lines.substr(0, end);
      lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
      ++access_lines;
      const auto found = requests.find(request_in(member(line, "path")));
      if (found == requests.end()) continue;  // a head refused before its target was known
      request_record& r = found->second;
      ++r.access_lines;
      r.logged_id = member(line, "id");
      r.logged_reason = member(line, "reason");
      r.logged_identity = member(line, "identity");
      r.logged_status = static_cast<unsigned>(number_in(member(line, "status")));
      r.route = member(line, "route");
      r.judged = time_in(member(line, "time")) + microseconds{number_in(member(line, "us_head"))} +
                 microseconds{number_in(member(line, "us_decide"))};
    }
    log.release(there.size());
  }
}

void ledger::audit(world& in) {
  for (const auto& [id, r] : requests) {
    if (r.access_lines > 1) {
      in.violation(fmt::format("request {} has {} access lines", id, r.access_lines));
    }
    if (r.arrivals > 0 && r.access_lines == 0) {
      in.violation(fmt::format("request {} reached an origin and has no access line", id));
    }
    if (r.logged_reason == "client_takes_nothing" && !r.unread) {
      in.violation(fmt::format("the client of request {} was slow and taken for dead", id));
    }
    if (r.status == 0) continue;
    // A head that never came or was refused as a whole is logged without its target.
    const bool unread = r.status == 400 || r.status == 408 || r.status == 414 || r.status == 431;
    if (r.access_lines == 0 && !unread) {
      in.violation(fmt::format("request {} was answered and has no access line", id));
    }
    if (r.access_lines == 0) continue;
    if (r.logged_status != r.status || r.logged_id != r.request_id) {
      in.violation(fmt::format("request {} was answered {} as {}, and logged {} as {}", id,
                               r.status, r.request_id, r.logged_status, r.logged_id));
    }
  }
  check_rulings(in, *this);
}

}  // namespace rw::sim
