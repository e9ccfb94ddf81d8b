#include "budgets.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace rw::sim {
namespace {

// As configuration.cc has them, in nanoseconds.
struct allowance {
  std::string_view limit;
  nanoseconds each;  // what a request costs
  unsigned burst;
};
constexpr allowance few{"few", milliseconds{500}, 2};
constexpr allowance all{"all", milliseconds{250}, 5};
constexpr allowance caller{"caller", seconds{2}, 2};

struct bucket {
  const allowance* of = nullptr;
  nanoseconds level{0};
  mono_time at;
  std::vector<mono_time> taken;

  bool has_some(mono_time now) {
    level = std::min<nanoseconds>(of->burst * of->each, level + (now - at));
    at = now;
    return level >= of->each;
  }
  // Of one that is out: when a request would get through, as Retry-After says it.
  seconds wait() const { return std::chrono::ceil<seconds>(of->each - level); }
  void take() {
    level -= of->each;
    taken.push_back(at);
  }
  void give_back() {
    level += of->each;
    taken.pop_back();
  }
};

class judge {
 public:
  judge(world& in, ledger& book) : in_(in), book_(book) {}
  void check(std::vector<const request_record*> judged);

 private:
  using budgets = std::map<std::string, bucket>;

  static bucket& of(budgets& from, const allowance& limit, std::string_view who);
  ruling rule(budgets& from, const request_record& r) const;
  bool was_it(const request_record& r, const ruling& one) const;
  bool in_some_order(budgets& from, std::vector<const request_record*>& rest) const;
  void count(const request_record& r);
  void check_bounds();

  world& in_;
  ledger& book_;
  budgets budgets_;
};

bucket& judge::of(budgets& from, const allowance& limit, std::string_view who) {
  const auto [found, made] = from.try_emplace(fmt::format("{} {}", limit.limit, who));
  if (made) found->second = {&limit, limit.burst * limit.each, {}, {}};
  return found->second;
}

// What should have become of it at that time, and what it takes from the budgets.
ruling judge::rule(budgets& from, const request_record& r) const {
  if (r.route == "mint" && r.method != "POST") return {405, "method_not_allowed", {}, {}};
  std::vector<bucket*> early;
  if (r.route == "limited" || r.route == "keys" || r.route == "either") {
    early.push_back(&of(from, few, r.client));
  }
  if (r.route == "either") early.push_back(&of(from, all, r.route));
  for (bucket* one : early) {
    if (!one->has_some(r.judged)) return {429, "rate_limited", {}, {}, one->wait()};
  }
  for (bucket* one : early) one->take();

  // Nobody knows from outside which of the configurations a request began with.
  const bool may_be_unknown = book_.withdrawn && r.shown.withdrawn && !r.shown.doubled;
  if (may_be_unknown && r.at != door::open && r.logged_reason == "unknown_key") {
    return {401, "unknown_key", {}, {}};
  }
  ruling made = due(r.shown, r.at, wall_at(r.judged));
  // A token lives no longer than the key it was minted for.
  const bool may_be_removed = book_.withdrawn && r.shown.bearer && r.shown.bearer->own &&
                              r.shown.bearer->subject == ring_of_keys().known.back().first &&
                              r.at == door::either;
  if (may_be_removed && made.status == 0 && r.logged_reason == "key_removed") {
    return {401, "key_removed", {}, {}};
  }
  if (made.status != 0) {
    made.who = {};
    return made;
  }
  if (r.at == door::open) return made;
  bucket& own = of(from, caller, fmt::format("{} {}", made.realm, made.who));
  if (own.has_some(r.judged)) {
    own.take();
    return made;
  }
  for (bucket* one : early) one->give_back();
  return {429, "rate_limited", made.who, {}, own.wait()};
}

bool judge::was_it(const request_record& r, const ruling& one) const {
  if (r.logged_identity != one.who) return false;
  if (r.status == 429 && r.retry_after != one.wait) return false;
  if (one.status != 0) return r.logged_status == one.status && r.logged_reason == one.reason;
  // Admitted: whatever came then was the origin's, or for another reason.
  constexpr unsigned refusals[] = {401, 403, 405, 429};
  return std::ranges::find(refusals, r.logged_status) == std::end(refusals) &&
         r.logged_reason != "ambiguous";
}

// Of several judged in one turn of a worker the log does not say which was first.
bool judge::in_some_order(budgets& from, std::vector<const request_record*>& rest) const {
  if (rest.empty()) return true;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    budgets after = from;
    if (!was_it(*rest[i], rule(after, *rest[i]))) continue;
    const request_record* one = rest[i];
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    if (in_some_order(after, rest)) {
      from = std::move(after);
      return true;
    }
    rest.insert(rest.begin() + static_cast<std::ptrdiff_t>(i), one);
  }
  return false;
}

void judge::count(const request_record& r) {
  if (r.logged_reason == "rate_limited") {
    ++book_.limited;
    if (!r.logged_identity.empty() && r.route != "tokens" && r.route != "mint") ++book_.given_back;
  } else if (r.logged_status == 401 || r.logged_reason == "ambiguous") {
    ++book_.unauthorised;
  }
}

// Never more than burst + rate x time, between any two admissions.
void judge::check_bounds() {
  for (const auto& [name, one] : budgets_) {
    for (std::size_t i = 0; i < one.taken.size(); ++i) {
      for (std::size_t k = i; k < one.taken.size(); ++k) {
        const auto count = static_cast<std::int64_t>(k - i + 1);
        if (count * one.of->each <= one.of->burst * one.of->each + (one.taken[k] - one.taken[i])) {
          continue;
        }
        in_.violation(fmt::format("{} admissions at once by the limit {}", count, name));
      }
    }
  }
}

void judge::check(std::vector<const request_record*> judged) {
  std::ranges::sort(judged, {}, &request_record::judged);
  for (std::size_t i = 0; i < judged.size();) {
    std::vector<const request_record*> together;
    const mono_time when = judged[i]->judged;
    for (; i < judged.size() && judged[i]->judged == when; ++i) together.push_back(judged[i]);
    for (const request_record* one : together) count(*one);
    if (in_some_order(budgets_, together)) continue;
    for (const request_record* one : together) {
      budgets as_if = budgets_;
      const ruling wanted = rule(as_if, *one);
      in_.violation(fmt::format(
          "request {} by route {}: {} {} for \"{}\" ({} s), when due was {} {} for \"{}\" ({} s)",
          one->id, one->route, one->logged_status, one->logged_reason, one->logged_identity,
          one->retry_after.count(), wanted.status, wanted.reason, wanted.who, wanted.wait.count()));
    }
    return;
  }
  check_bounds();
}

}  // namespace

void check_rulings(world& in, ledger& book) {
  std::vector<const request_record*> judged;
  for (const auto& [id, r] : book.requests) {
    if (!r.route.empty()) judged.push_back(&r);
  }
  judge(in, book).check(std::move(judged));
}

}  // namespace rw::sim
