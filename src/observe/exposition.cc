#include "observe/exposition.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

#include "observe/metric.h"

namespace rw::observe {
namespace {

using workers = std::span<const counters* const>;

struct plain_counter {
  counter what;
  std::string_view name;
};

constexpr plain_counter plain[] = {
    {counter::connections_accepted, "ringward_connections_accepted_total"},
    {counter::connections_handed_over, "ringward_connections_handed_over_total"},
    {counter::connections_refused, "ringward_connections_refused_total"},
    {counter::bans_made, "ringward_bans_made_total"},
    {counter::banned_connections, "ringward_banned_connections_total"},
    {counter::banned_requests, "ringward_banned_requests_total"},
    {counter::connections_gave_way, "ringward_connections_gave_way_total"},
    {counter::accept_exhausted, "ringward_accept_exhausted_total"},
    {counter::handshakes_failed, "ringward_tls_handshake_failures_total"},
    {counter::kernel_tls, "ringward_ktls_connections_total"},
    {counter::request_bytes, "ringward_request_body_bytes_total"},
    {counter::response_bytes, "ringward_response_bytes_total"},
    {counter::retries, "ringward_upstream_retries_total"},
    {counter::retries_refused, "ringward_upstream_retries_over_budget_total"},
    {counter::upstream_opened, "ringward_upstream_connections_opened_total"},
    {counter::upstream_reused, "ringward_upstream_connections_reused_total"},
    {counter::token_cache_hits, "ringward_token_cache_hits_total"},
    {counter::token_cache_misses, "ringward_token_cache_misses_total"},
    {counter::ring_submissions, "ringward_ring_submissions_total"},
    {counter::ring_completions, "ringward_ring_completions_total"},
    {counter::ring_no_buffers, "ringward_ring_no_buffers_total"},
    {counter::ring_overflows, "ringward_ring_overflows_total"},
    {counter::buffers_from_heap, "ringward_buffers_from_heap_total"},
    {counter::redis_connections, "ringward_redis_connections_opened_total"},
    {counter::redis_questions, "ringward_redis_questions_total"},
    {counter::redis_sends, "ringward_redis_sends_total"},
    {counter::redis_lost, "ringward_redis_lost_decisions_total"},
};

// Of a metric without labels.
template <class Number>
void single(std::string_view name, const Number& value, std::string& out) {
  begin_metric(name, out);
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

std::uint64_t sum(workers all, const std::function<std::uint64_t(const counters&)>& of) {
  std::uint64_t total = 0;
  for (const counters* one : all) total += of(*one);
  return total;
}

std::uint64_t sum(workers all, counter which) {
  return sum(all, [which](const counters& c) { return c.get(which); });
}

// Named ones are there from the start, at zero; "other" when the table of names has been too small.
bool is_shown(std::uint32_t id, std::uint64_t count) { return id != names::other || count != 0; }

// What is closed meanwhile was accepted before: read in this order, and still never below zero.
void expose_connections(workers all, std::string& out) {
  begin_metric("ringward_worker_connections", out);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::uint64_t closed = all[i]->get(counter::connections_closed);
    const std::uint64_t accepted = all[i]->get(counter::connections_accepted);
    const std::uint64_t open = accepted - std::min(accepted, closed);
    total += open;
    fmt::format_to(std::back_inserter(out), "ringward_worker_connections{{worker=\"{}\"}} {}\n", i,
                   open);
  }
  single("ringward_connections", total, out);
  single("ringward_bytes_per_idle_connection",
         sum(all, counter::connection_bytes) / std::max<std::uint64_t>(1, total), out);
}

void expose_plain(workers all, std::string& out) {
  for (const plain_counter& one : plain) {
    single(one.name, sum(all, one.what), out);
  }
  constexpr std::string_view handshakes = "ringward_tls_handshakes_total";
  constexpr struct {
    counter what;
    std::string_view version, resumed;
  } kinds[] = {{counter::handshakes_tls12, "1.2", "no"},
               {counter::handshakes_tls12_resumed, "1.2", "yes"},
               {counter::handshakes_tls13, "1.3", "no"},
               {counter::handshakes_tls13_resumed, "1.3", "yes"}};
  begin_metric(handshakes, out);
  for (const auto& one : kinds) {
    fmt::format_to(std::back_inserter(out), "{}{{version=\"{}\",resumed=\"{}\"}} {}\n", handshakes,
                   one.version, one.resumed, sum(all, one.what));
  }
}

void expose_routes(workers all, const std::vector<std::string>& names, std::string& out) {
  begin_metric("ringward_requests_total", out);
  for (std::uint32_t id = 0; id < names.size(); ++id) {
    for (std::size_t k = 0; k < counters::classes; ++k) {
      const auto n = sum(all, [&](const counters& c) { return c.route(id).by_class[k].get(); });
      if (!is_shown(id, n)) continue;
      fmt::format_to(std::back_inserter(out),
                     "ringward_requests_total{{route=\"{}\",code=\"{}xx\"}} {}\n",
                     label_value(names[id]), k + 1, n);
    }
  }
}

void expose_upstreams(workers all, const std::vector<std::string>& names, std::string& out) {
  begin_metric("ringward_upstream_requests_total", out);
  for (std::uint32_t id = 0; id < names.size(); ++id) {
    const auto answered =
        sum(all, [&](const counters& c) { return c.upstream(id).answered.get(); });
    const auto failed = sum(all, [&](const counters& c) { return c.upstream(id).failed.get(); });
    if (!is_shown(id, answered + failed)) continue;
    fmt::format_to(std::back_inserter(out),
                   "ringward_upstream_requests_total{{upstream=\"{0}\",outcome=\"answered\"}} {1}\n"
                   "ringward_upstream_requests_total{{upstream=\"{0}\",outcome=\"failed\"}} {2}\n",
                   label_value(names[id]), answered, failed);
  }
}

void expose_limits(workers all, const std::vector<std::string>& names, std::string& out) {
  begin_metric("ringward_limit_decisions_total", out);
  for (std::uint32_t id = 0; id < names.size(); ++id) {
    const auto admitted = sum(all, [&](const counters& c) { return c.limit(id).admitted.get(); });
    const auto refused = sum(all, [&](const counters& c) { return c.limit(id).refused.get(); });
    const auto shadow =
        sum(all, [&](const counters& c) { return c.limit(id).shadow_refused.get(); });
    if (!is_shown(id, admitted + refused + shadow)) continue;
    fmt::format_to(
        std::back_inserter(out),
        "ringward_limit_decisions_total{{limit=\"{0}\",outcome=\"admitted\"}} {1}\n"
        "ringward_limit_decisions_total{{limit=\"{0}\",outcome=\"refused\"}} {2}\n"
        "ringward_limit_decisions_total{{limit=\"{0}\",outcome=\"shadow_refused\"}} {3}\n",
        label_value(names[id]), admitted, refused, shadow);
  }
}

// A series for each country that has been seen: 250 are given out, 676 can be written.
void expose_countries(workers all, const process_facts& facts, std::string& out) {
  const wall_time built = facts.geo_built;
  if (built == wall_time{}) return;
  single("ringward_geo_database_stale", facts.geo_stale ? 1 : 0, out);
  single("ringward_geo_database_refused_total", facts.geo_refused, out);
  single("ringward_geo_database_build_timestamp_seconds",
         built.time_since_epoch().count() / 1'000'000'000, out);
  begin_metric("ringward_requests_by_country_total", out);
  for (std::size_t i = 0; i < country::count; ++i) {
    const country one = country::at(i);
    const auto n = sum(all, [one](const counters& c) { return c.requests_from(one).get(); });
    if (n == 0 && one.is_known()) continue;
    fmt::format_to(std::back_inserter(out),
                   "ringward_requests_by_country_total{{country=\"{}\"}} {}\n",
                   one.is_known() ? one.text() : "unknown", n);
  }
}

void expose_reasons(workers all, std::string& out) {
  std::map<std::string_view, std::uint64_t> by_text;
  for (const counters* one : all) {
    for (const reason_table::entry& entry : one->refusals.entries()) {
      const char* reason = entry.reason.load(std::memory_order_acquire);
      if (reason != nullptr) by_text[reason] += entry.count.get();
    }
  }
  begin_metric("ringward_refusals_total", out);
  for (const auto& [reason, count] : by_text) {
    fmt::format_to(std::back_inserter(out), "ringward_refusals_total{{reason=\"{}\"}} {}\n", reason,
                   count);
  }
}

void expose_client_deadlines(workers all, std::string& out) {
  constexpr std::string_view family = "ringward_client_timeouts_total";
  begin_metric(family, out);
  for (const deadline one : deadlines_of_clients) {
    fmt::format_to(std::back_inserter(out), "{}{{deadline=\"{}\"}} {}\n", family, name(one),
                   sum(all, [one](const counters& c) { return c.client_deadlines.get(one); }));
  }
}

// Of those of `names` that something was recorded for.
void expose_by_name(workers all, std::string_view metric, std::string_view label,
                    histograms counters::* which, const std::vector<std::string>& names,
                    std::string& out) {
  begin_metric(metric, out);
  std::vector<const histogram*> parts;
  for (std::uint32_t id = 0; id < names.size(); ++id) {
    parts.clear();
    for (const counters* one : all) {
      if (const histogram* part = (one->*which).find(id)) parts.push_back(part);
    }
    if (parts.empty()) continue;
    append_histogram(metric, fmt::format("{}=\"{}\"", label, label_value(names[id])), parts, out);
  }
}

void expose_workers(workers all, std::span<const nanoseconds> cpu, std::string& out) {
  constexpr std::string_view requests = "ringward_worker_requests_total";
  begin_metric(requests, out);
  for (std::size_t i = 0; i < all.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}{{worker=\"{}\"}} {}\n", requests, i,
                   all[i]->get(counter::requests));
  }
  constexpr std::string_view seconds = "ringward_worker_cpu_seconds_total";
  begin_metric(seconds, out);
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}{{worker=\"{}\"}} {:.6f}\n", seconds, i,
                   static_cast<double>(cpu[i].count()) / 1e9);
  }
}

void expose_certificates(const process_facts& facts, std::string& out) {
  constexpr std::string_view name = "ringward_certificate_expiry_seconds";
  begin_metric(name, out);
  for (const certificate_end& one : facts.certificates) {
    fmt::format_to(std::back_inserter(out), "{}{{role=\"{}\",name=\"{}\",chain=\"{}\"}} {}\n", name,
                   one.role, label_value(one.name), label_value(one.chain),
                   std::chrono::duration_cast<std::chrono::seconds>(one.at - facts.now).count());
  }
}

void expose_redis(workers all, std::string& out) {
  constexpr std::string_view failures = "ringward_redis_failures_total";
  constexpr std::pair<counter, std::string_view> reasons[] = {
      {counter::redis_timeouts, "timeout"},        {counter::redis_errors, "error"},
      {counter::redis_garbage, "garbage"},         {counter::redis_disconnects, "disconnected"},
      {counter::redis_unreachable, "unreachable"}, {counter::redis_overflows, "overflow"}};
  begin_metric(failures, out);
  for (const auto& [which, reason] : reasons) {
    fmt::format_to(std::back_inserter(out), "{}{{reason=\"{}\"}} {}\n", failures, reason,
                   sum(all, which));
  }
  // In the order of redis::client::state, from its second on.
  constexpr std::string_view states[] = {"closed", "half_open", "open"};
  constexpr std::string_view breakers = "ringward_redis_breakers";
  begin_metric(breakers, out);
  for (std::uint64_t state = 1; state <= std::size(states); ++state) {
    const auto count = std::ranges::count_if(
        all, [state](const counters* one) { return one->get(counter::redis_state) == state; });
    fmt::format_to(std::back_inserter(out), "{}{{state=\"{}\"}} {}\n", breakers, states[state - 1],
                   count);
  }
  constexpr std::string_view name = "ringward_redis_answer_duration_seconds";
  begin_metric(name, out);
  std::vector<const histogram*> answers;
  for (const counters* one : all) answers.push_back(&one->redis_answers);
  append_histogram(name, {}, answers, out);
}

void expose_process(const process_facts& facts, std::size_t count, std::string& out) {
  const auto seconds = [](wall_time at) {
    return static_cast<double>(at.time_since_epoch().count()) / 1e9;
  };
  begin_metric("ringward_build_info", out);
  fmt::format_to(std::back_inserter(out),
                 "ringward_build_info{{version=\"{}\",wolfssl=\"{}\"}} 1\n", facts.version,
                 facts.tls_library);
  single("ringward_workers", count, out);
  begin_metric("ringward_start_time_seconds", out);
  fmt::format_to(std::back_inserter(out), "ringward_start_time_seconds {:.3f}\n",
                 seconds(facts.started));
  single("ringward_resident_memory_bytes", facts.resident_bytes, out);
  single("ringward_memory_bound_bytes", facts.memory_bound_bytes, out);
  begin_metric("ringward_config_last_reload_success_timestamp_seconds", out);
  fmt::format_to(std::back_inserter(out),
                 "ringward_config_last_reload_success_timestamp_seconds {:.3f}\n",
                 seconds(facts.reloaded));
  begin_metric("ringward_config_reloads_total", out);
  fmt::format_to(std::back_inserter(out),
                 "ringward_config_reloads_total{{outcome=\"taken\"}} {}\n"
                 "ringward_config_reloads_total{{outcome=\"refused\"}} {}\n",
                 facts.reloads, facts.reloads_failed);
  begin_metric("ringward_upgrades_total", out);
  fmt::format_to(std::back_inserter(out),
                 "ringward_upgrades_total{{outcome=\"done\"}} {}\n"
                 "ringward_upgrades_total{{outcome=\"failed\"}} {}\n"
                 "ringward_upgrades_total{{outcome=\"refused\"}} {}\n",
                 facts.upgrades, facts.upgrades_failed, facts.upgrades_refused);
  constexpr std::string_view stale = "ringward_config_stale";
  begin_metric(stale, out);
  fmt::format_to(std::back_inserter(out),
                 "{0}{{what=\"configuration\"}} {1}\n{0}{{what=\"files\"}} {2}\n", stale,
                 facts.stale_configuration ? 1 : 0, facts.stale_files ? 1 : 0);
  single("ringward_access_lines_dropped_total", facts.access_lines_dropped, out);
  single("ringward_key_hashes_total", facts.key_hashes, out);
  single("ringward_access_log_failing", facts.access_log_failing ? 1 : 0, out);
  single("ringward_audit_records_total", facts.audit_records, out);
  single("ringward_audit_records_dropped_total", facts.audit_records_dropped, out);
  single("ringward_audit_log_failing", facts.audit_log_failing ? 1 : 0, out);
}

}  // namespace

void append_histogram(std::string_view name, std::string_view labels,
                      std::span<const histogram* const> parts, std::string& out) {
  const std::string_view comma = labels.empty() ? "" : ",";
  std::uint64_t below = 0;
  std::uint64_t ns = 0;
  for (const histogram* one : parts) ns += one->sum_ns();
  for (std::size_t i = 0; i < histogram::buckets; ++i) {
    for (const histogram* one : parts) below += one->in_bucket(i);
    const double bound = static_cast<double>(histogram::first_bound_us << i) / 1e6;
    const std::string le = i + 1 == histogram::buckets ? "+Inf" : fmt::format("{}", bound);
    fmt::format_to(std::back_inserter(out), "{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma,
                   le, below);
  }
  const std::string set = labels.empty() ? std::string() : fmt::format("{{{}}}", labels);
  fmt::format_to(std::back_inserter(out), "{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, set,
                 static_cast<double>(ns) / 1e9, below);
}

void expose(workers all, const label_names& labels, const process_facts& facts, std::string& out) {
  expose_process(facts, all.size(), out);
  expose_certificates(facts, out);
  expose_plain(all, out);
  expose_connections(all, out);
  expose_workers(all, facts.worker_cpu, out);
  const std::vector<std::string> routes = labels.routes.all();
  expose_routes(all, routes, out);
  expose_by_name(all, "ringward_request_duration_seconds", "route", &counters::durations, routes,
                 out);
  const std::vector<std::string> upstreams = labels.upstreams.all();
  expose_upstreams(all, upstreams, out);
  expose_by_name(all, "ringward_upstream_first_byte_duration_seconds", "upstream",
                 &counters::first_bytes, upstreams, out);
  expose_limits(all, labels.limits.all(), out);
  expose_countries(all, facts, out);
  expose_reasons(all, out);
  expose_client_deadlines(all, out);
  expose_redis(all, out);
}

}  // namespace rw::observe
