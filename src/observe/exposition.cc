#include "observe/exposition.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

namespace rw::observe {
namespace {

using workers = std::span<const counters* const>;

struct described {
  counter what;
  std::string_view name;
  std::string_view type;
  std::string_view help;
};

constexpr described plain[] = {
    {counter::connections_accepted, "ringward_connections_accepted_total", "counter",
     "Client connections accepted."},
    {counter::connections_handed_over, "ringward_connections_handed_over_total", "counter",
     "Client connections that a worker accepted and gave to one that has fewer."},
    {counter::connections_refused, "ringward_connections_refused_total", "counter",
     "Client connections closed at once: over max_connections, of a client that has its share or "
     "is "
     "banned, or draining."},
    {counter::bans_made, "ringward_bans_made_total", "counter", "Bans made for failures."},
    {counter::banned_connections, "ringward_banned_connections_total", "counter",
     "Connections closed at once because their client was banned."},
    {counter::banned_requests, "ringward_banned_requests_total", "counter",
     "Requests answered 403 because their client was banned."},
    {counter::connections_gave_way, "ringward_connections_gave_way_total", "counter",
     "Client connections with nothing under way, closed to make room: max_connections was "
     "reached."},
    {counter::accept_exhausted, "ringward_accept_exhausted_total", "counter",
     "Times accepting paused because descriptors or memory ran out."},
    {counter::handshakes_resumed, "ringward_tls_resumed_total", "counter",
     "TLS handshakes that resumed a session."},
    {counter::handshakes_failed, "ringward_tls_handshake_failures_total", "counter",
     "TLS handshakes that failed."},
    {counter::kernel_tls, "ringward_ktls_connections_total", "counter",
     "TLS connections whose records the kernel makes on the sending side."},
    {counter::request_bytes, "ringward_request_body_bytes_total", "counter",
     "Bytes of request bodies."},
    {counter::response_bytes, "ringward_response_bytes_total", "counter",
     "Bytes of answers, heads included, before TLS."},
    {counter::retries, "ringward_upstream_retries_total", "counter",
     "Requests sent to an origin a second time."},
    {counter::retries_refused, "ringward_upstream_retries_over_budget_total", "counter",
     "Requests that were not, because retry.budget was used up."},
    {counter::upstream_opened, "ringward_upstream_connections_opened_total", "counter",
     "Connections opened to origins."},
    {counter::upstream_reused, "ringward_upstream_connections_reused_total", "counter",
     "Requests that found an idle connection to their origin."},
    {counter::token_cache_hits, "ringward_token_cache_hits_total", "counter",
     "Tokens found in the cache of verified ones."},
    {counter::token_cache_misses, "ringward_token_cache_misses_total", "counter",
     "Tokens whose signature had to be verified."},
    {counter::ring_submissions, "ringward_ring_submissions_total", "counter",
     "Operations submitted to io_uring."},
    {counter::ring_completions, "ringward_ring_completions_total", "counter",
     "Completions taken from io_uring."},
    {counter::ring_no_buffers, "ringward_ring_no_buffers_total", "counter",
     "Receives that ended because the buffer pool was empty."},
    {counter::ring_overflows, "ringward_ring_overflows_total", "counter",
     "Completions that found the completion queue full."},
    {counter::buffers_from_heap, "ringward_buffers_from_heap_total", "counter",
     "Buffers taken from the heap because the pool was empty."},
    {counter::redis_connections, "ringward_redis_connections_opened_total", "counter",
     "Connections opened to Redis."},
    {counter::redis_questions, "ringward_redis_questions_total", "counter",
     "Questions asked of Redis about shared limits."},
    {counter::redis_sends, "ringward_redis_sends_total", "counter",
     "Sends that these left in, each with all of one turn of a worker's loop."},
    {counter::redis_lost, "ringward_redis_lost_decisions_total", "counter",
     "Decisions about shared limits made by on_loss, without Redis."},
};

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

std::uint64_t sum(workers all, const std::function<std::uint64_t(const counters&)>& of) {
  std::uint64_t total = 0;
  for (const counters* one : all) total += of(*one);
  return total;
}

std::uint64_t sum(workers all, counter which) {
  return sum(all, [which](const counters& c) { return c.get(which); });
}

std::string label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

// Named ones are there from the start, at zero; "other" when the table of names has been too small.
bool is_shown(std::uint32_t id, std::uint64_t count) { return id != names::other || count != 0; }

// What is closed meanwhile was accepted before: read in this order, and still never below zero.
void expose_connections(workers all, std::string& out) {
  head(out, "ringward_worker_connections", "gauge", "Client connections open now, by worker.");
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::uint64_t closed = all[i]->get(counter::connections_closed);
    const std::uint64_t accepted = all[i]->get(counter::connections_accepted);
    const std::uint64_t open = accepted - std::min(accepted, closed);
    total += open;
    fmt::format_to(std::back_inserter(out), "ringward_worker_connections{{worker=\"{}\"}} {}\n", i,
                   open);
  }
  head(out, "ringward_connections", "gauge", "Client connections open now.");
  fmt::format_to(std::back_inserter(out), "ringward_connections {}\n", total);
  head(
      out, "ringward_bytes_per_idle_connection", "gauge",
      "Bytes that coroutine frames and TLS hold, per open connection: what an idle one costs, when "
      "most are. As of the last second.");
  fmt::format_to(std::back_inserter(out), "ringward_bytes_per_idle_connection {}\n",
                 sum(all, counter::connection_bytes) / std::max<std::uint64_t>(1, total));
}

void expose_plain(workers all, std::string& out) {
  for (const described& one : plain) {
    head(out, one.name, one.type, one.help);
    fmt::format_to(std::back_inserter(out), "{} {}\n", one.name, sum(all, one.what));
  }
  head(out, "ringward_tls_handshakes_total", "counter", "TLS handshakes completed, by version.");
  fmt::format_to(std::back_inserter(out),
                 "ringward_tls_handshakes_total{{version=\"1.2\"}} {}\n"
                 "ringward_tls_handshakes_total{{version=\"1.3\"}} {}\n",
                 sum(all, counter::handshakes_tls12), sum(all, counter::handshakes_tls13));
}

void expose_routes(workers all, const std::vector<std::string>& names, std::string& out) {
  head(out, "ringward_requests_total", "counter", "Requests answered, by route and status class.");
  for (std::uint32_t id = 0; id < names.size(); ++id) {
    for (std::size_t k = 0; k < counters::classes; ++k) {
      const auto n = sum(all, [&](const counters& c) { return c.route(id).by_class[k].get(); });
      if (!is_shown(id, n)) continue;
      fmt::format_to(std::back_inserter(out),
                     "ringward_requests_total{{route=\"{}\",code=\"{}xx\"}} {}\n", label(names[id]),
                     k + 1, n);
    }
  }
}

void expose_upstreams(workers all, const std::vector<std::string>& names, std::string& out) {
  head(out, "ringward_upstream_requests_total", "counter", "Requests to origins, by outcome.");
  for (std::uint32_t id = 0; id < names.size(); ++id) {
    const auto answered =
        sum(all, [&](const counters& c) { return c.upstream(id).answered.get(); });
    const auto failed = sum(all, [&](const counters& c) { return c.upstream(id).failed.get(); });
    if (!is_shown(id, answered + failed)) continue;
    fmt::format_to(std::back_inserter(out),
                   "ringward_upstream_requests_total{{upstream=\"{0}\",outcome=\"answered\"}} {1}\n"
                   "ringward_upstream_requests_total{{upstream=\"{0}\",outcome=\"failed\"}} {2}\n",
                   label(names[id]), answered, failed);
  }
}

void expose_limits(workers all, const std::vector<std::string>& names, std::string& out) {
  head(out, "ringward_limit_decisions_total", "counter", "Decisions of limits, by outcome.");
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
        label(names[id]), admitted, refused, shadow);
  }
}

// A series for each country that has been seen: 250 are given out, 676 can be written.
void expose_countries(workers all, const process_facts& facts, std::string& out) {
  const wall_time built = facts.geo_built;
  if (built == wall_time{}) return;
  head(out, "ringward_geo_database_stale", "gauge",
       "Whether the database's file is not good, and what was read before is used.");
  fmt::format_to(std::back_inserter(out), "ringward_geo_database_stale {}\n",
                 facts.geo_stale ? 1 : 0);
  head(out, "ringward_geo_database_refused_total", "counter",
       "Readings of the database's file that found it not good.");
  fmt::format_to(std::back_inserter(out), "ringward_geo_database_refused_total {}\n",
                 facts.geo_refused);
  head(out, "ringward_geo_database_build_timestamp_seconds", "gauge",
       "When the database of [geo] was built, in Unix time.");
  fmt::format_to(std::back_inserter(out), "ringward_geo_database_build_timestamp_seconds {}\n",
                 built.time_since_epoch().count() / 1'000'000'000);
  head(out, "ringward_requests_by_country_total", "counter",
       "Requests answered, by the country of the client's address.");
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
  head(out, "ringward_refusals_total", "counter", "Requests not answered by an origin, by reason.");
  for (const auto& [reason, count] : by_text) {
    fmt::format_to(std::back_inserter(out), "ringward_refusals_total{{reason=\"{}\"}} {}\n", reason,
                   count);
  }
}

void expose_client_deadlines(workers all, std::string& out) {
  constexpr std::string_view family = "ringward_client_timeouts_total";
  head(out, family, "counter", "Deadlines of listener.timeouts that clients missed.");
  for (const deadline one : deadlines_of_clients) {
    fmt::format_to(std::back_inserter(out), "{}{{deadline=\"{}\"}} {}\n", family, name(one),
                   sum(all, [one](const counters& c) { return c.client_deadlines.get(one); }));
  }
}

void expose_durations(workers all, std::string& out) {
  constexpr std::string_view name = "ringward_request_duration_seconds";
  head(out, name, "histogram", "From the first byte of a request to the last of its answer.");
  std::vector<const histogram*> durations;
  for (const counters* one : all) durations.push_back(&one->durations);
  append_histogram(name, {}, durations, out);
}

void expose_redis(workers all, std::string& out) {
  constexpr std::string_view failures = "ringward_redis_failures_total";
  constexpr std::pair<counter, std::string_view> reasons[] = {
      {counter::redis_timeouts, "timeout"},        {counter::redis_errors, "error"},
      {counter::redis_garbage, "garbage"},         {counter::redis_disconnects, "disconnected"},
      {counter::redis_unreachable, "unreachable"}, {counter::redis_overflows, "overflow"}};
  head(out, failures, "counter", "What went wrong with Redis, by reason.");
  for (const auto& [which, reason] : reasons) {
    fmt::format_to(std::back_inserter(out), "{}{{reason=\"{}\"}} {}\n", failures, reason,
                   sum(all, which));
  }
  // In the order of redis::client::state, from its second on.
  constexpr std::string_view states[] = {"closed", "half_open", "open"};
  constexpr std::string_view breakers = "ringward_redis_breakers";
  head(out, breakers, "gauge",
       "Workers by the state of their breaker; those with a closed one ask Redis.");
  for (std::uint64_t state = 1; state <= std::size(states); ++state) {
    const auto count = std::ranges::count_if(
        all, [state](const counters* one) { return one->get(counter::redis_state) == state; });
    fmt::format_to(std::back_inserter(out), "{}{{state=\"{}\"}} {}\n", breakers, states[state - 1],
                   count);
  }
  constexpr std::string_view name = "ringward_redis_answer_duration_seconds";
  head(out, name, "histogram", "From a question to the answer of Redis.");
  std::vector<const histogram*> answers;
  for (const counters* one : all) answers.push_back(&one->redis_answers);
  append_histogram(name, {}, answers, out);
}

void expose_process(const process_facts& facts, std::size_t count, std::string& out) {
  const auto seconds = [](wall_time at) {
    return static_cast<double>(at.time_since_epoch().count()) / 1e9;
  };
  head(out, "ringward_build_info", "gauge", "What is running.");
  fmt::format_to(std::back_inserter(out),
                 "ringward_build_info{{version=\"{}\",wolfssl=\"{}\"}} 1\n", facts.version,
                 facts.tls_library);
  head(out, "ringward_workers", "gauge", "Worker threads.");
  fmt::format_to(std::back_inserter(out), "ringward_workers {}\n", count);
  head(out, "ringward_start_time_seconds", "gauge", "When the process started, in Unix time.");
  fmt::format_to(std::back_inserter(out), "ringward_start_time_seconds {:.3f}\n",
                 seconds(facts.started));
  head(out, "ringward_resident_memory_bytes", "gauge", "Memory of the process now.");
  fmt::format_to(std::back_inserter(out), "ringward_resident_memory_bytes {}\n",
                 facts.resident_bytes);
  head(out, "ringward_memory_bound_bytes", "gauge",
       "The most it can have, whatever clients do: computed from the configuration.");
  fmt::format_to(std::back_inserter(out), "ringward_memory_bound_bytes {}\n",
                 facts.memory_bound_bytes);
  head(out, "ringward_config_last_reload_success_timestamp_seconds", "gauge",
       "When the configuration in force was taken, in Unix time.");
  fmt::format_to(std::back_inserter(out),
                 "ringward_config_last_reload_success_timestamp_seconds {:.3f}\n",
                 seconds(facts.reloaded));
  head(out, "ringward_config_reloads_total", "counter", "Reloads, by outcome.");
  fmt::format_to(std::back_inserter(out),
                 "ringward_config_reloads_total{{outcome=\"taken\"}} {}\n"
                 "ringward_config_reloads_total{{outcome=\"refused\"}} {}\n",
                 facts.reloads, facts.reloads_failed);
  head(out, "ringward_access_lines_dropped_total", "counter",
       "Access lines lost because the disk could not keep up.");
  fmt::format_to(std::back_inserter(out), "ringward_access_lines_dropped_total {}\n",
                 facts.access_lines_dropped);
  head(out, "ringward_key_hashes_total", "counter",
       "Comparisons of a presented API key with a bcrypt or argon2id hash.");
  fmt::format_to(std::back_inserter(out), "ringward_key_hashes_total {}\n", facts.key_hashes);
  head(out, "ringward_access_log_failing", "gauge",
       "1 while the access log cannot be written; its lines are kept and tried again.");
  fmt::format_to(std::back_inserter(out), "ringward_access_log_failing {}\n",
                 facts.access_log_failing ? 1 : 0);
  head(out, "ringward_audit_records_total", "counter", "Records in the audit log's chain.");
  fmt::format_to(std::back_inserter(out), "ringward_audit_records_total {}\n", facts.audit_records);
  head(out, "ringward_audit_records_dropped_total", "counter",
       "Audit records lost because the disk could not keep up.");
  fmt::format_to(std::back_inserter(out), "ringward_audit_records_dropped_total {}\n",
                 facts.audit_records_dropped);
  head(out, "ringward_audit_log_failing", "gauge",
       "1 while the audit log cannot be written; its records are kept and tried again.");
  fmt::format_to(std::back_inserter(out), "ringward_audit_log_failing {}\n",
                 facts.audit_log_failing ? 1 : 0);
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
  expose_plain(all, out);
  expose_connections(all, out);
  expose_routes(all, labels.routes.all(), out);
  expose_upstreams(all, labels.upstreams.all(), out);
  expose_limits(all, labels.limits.all(), out);
  expose_countries(all, facts, out);
  expose_reasons(all, out);
  expose_client_deadlines(all, out);
  expose_durations(all, out);
  expose_redis(all, out);
}

}  // namespace rw::observe
