#include "observe/metric.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/assert.h"

namespace rw::observe {
namespace {

constexpr auto counter = metric::kind::counter;
constexpr auto gauge = metric::kind::gauge;
constexpr auto histogram = metric::kind::histogram;

// Names by https://prometheus.io/docs/practices/naming/: base units, counters end in _total.
constexpr metric table[] = {
    // ---- the process
    {"ringward_build_info", gauge, "", "version,wolfssl", "1; what is running, as labels."},
    {"ringward_workers", gauge, "", "", "Worker threads."},
    {"ringward_start_time_seconds", gauge, "seconds", "",
     "When the process started, in Unix time."},
    {"ringward_resident_memory_bytes", gauge, "bytes", "", "Memory of the process now."},
    {"ringward_memory_bound_bytes", gauge, "bytes", "",
     "The most it can have, whatever clients do: computed from the configuration."},
    {"ringward_config_last_reload_success_timestamp_seconds", gauge, "seconds", "",
     "When the configuration in force was taken, in Unix time."},
    {"ringward_config_reloads_total", counter, "", "outcome",
     "Times that a configuration, or a file that it names, was read anew, by outcome: taken or "
     "refused."},
    {"ringward_upgrades_total", counter, "", "outcome",
     "Times that one process took over from another (`ringward upgrade`), up to this one: done; "
     "and "
     "tries to replace this one that failed, or were refused to somebody without the right."},
    {"ringward_config_stale", gauge, "", "what",
     "1 while what is on disk was refused and something older is in force: `configuration` since a "
     "refused reload, `files` since a key file, key set, certificate or secret that changed could "
     "not be taken."},
    {"ringward_certificate_expiry_seconds", gauge, "seconds", "role,name,chain",
     "Seconds until the first certificate of the chain ends, below zero when it has. `role` is "
     "listener or upstream, `name` is its name, `chain` the path of the file."},
    {"ringward_access_lines_dropped_total", counter, "", "",
     "Access lines lost because the disk could not keep up."},
    {"ringward_access_log_failing", gauge, "", "",
     "1 while the access log cannot be written; its lines are kept and tried again."},
    {"ringward_audit_records_total", counter, "", "", "Records in the audit log's chain."},
    {"ringward_audit_records_dropped_total", counter, "", "",
     "Audit records lost because the disk could not keep up."},
    {"ringward_audit_log_failing", gauge, "", "",
     "1 while the audit log cannot be written; its records are kept and tried again."},
    {"ringward_key_hashes_total", counter, "", "",
     "Comparisons of a presented API key with a bcrypt or argon2id hash."},

    // ---- connections
    {"ringward_connections", gauge, "", "", "Client connections open now."},
    {"ringward_bytes_per_idle_connection", gauge, "", "",
     "Bytes that coroutine frames and TLS hold, per open connection: what an idle one costs, when "
     "most are. As of the last second."},
    {"ringward_connections_accepted_total", counter, "", "", "Client connections accepted."},
    {"ringward_connections_handed_over_total", counter, "", "",
     "Client connections that a worker accepted and gave to one that has fewer."},
    {"ringward_connections_refused_total", counter, "", "",
     "Client connections closed at once: over max_connections, of a client that has its share or "
     "is banned, or draining."},
    {"ringward_connections_gave_way_total", counter, "", "",
     "Client connections with nothing under way, closed to make room: max_connections was "
     "reached."},
    {"ringward_accept_exhausted_total", counter, "", "",
     "Times accepting paused because descriptors or memory ran out."},
    {"ringward_client_timeouts_total", counter, "", "deadline",
     "Deadlines of listener.timeouts that clients missed."},

    // ---- TLS with clients
    {"ringward_tls_handshakes_total", counter, "", "version,resumed",
     "TLS handshakes completed, by version and by whether they resumed a session."},
    {"ringward_tls_handshake_failures_total", counter, "", "", "TLS handshakes that failed."},
    {"ringward_ktls_connections_total", counter, "", "",
     "TLS connections whose records the kernel makes on the sending side."},

    // ---- requests
    {"ringward_requests_total", counter, "", "route,code",
     "Requests answered, by route and class of the status; `other` is for those of no route."},
    {"ringward_request_duration_seconds", histogram, "seconds", "route",
     "From the first byte of a request to the last of its answer."},
    {"ringward_refusals_total", counter, "", "reason",
     "Requests not answered by an origin, and connections that came to none, by reason: "
     "the access log's word for it."},
    {"ringward_request_body_bytes_total", counter, "bytes", "", "Bytes of request bodies."},
    {"ringward_response_bytes_total", counter, "bytes", "",
     "Bytes of answers, heads included, before TLS."},
    {"ringward_token_cache_hits_total", counter, "", "",
     "Tokens found in the cache of verified ones."},
    {"ringward_token_cache_misses_total", counter, "", "",
     "Tokens whose signature had to be verified."},
    {"ringward_geo_database_stale", gauge, "", "",
     "1 while the database's file is not good and what was read before is used."},
    {"ringward_geo_database_refused_total", counter, "", "",
     "Readings of the database's file that found it not good."},
    {"ringward_geo_database_build_timestamp_seconds", gauge, "seconds", "",
     "When the database of [geo] was built, in Unix time."},
    {"ringward_requests_by_country_total", counter, "", "country",
     "Requests answered, by the country of the client's address; `unknown` for those of none. "
     "Countries nobody has come from are left out."},

    // ---- limits and bans
    {"ringward_limit_decisions_total", counter, "", "limit,outcome",
     "Decisions of limits: admitted, refused, or shadow_refused by a limit in shadow mode."},
    {"ringward_bans", gauge, "", "", "Bans in force."},
    {"ringward_bans_made_total", counter, "", "", "Bans made for failures."},
    {"ringward_banned_connections_total", counter, "", "",
     "Connections closed at once because their client was banned."},
    {"ringward_banned_requests_total", counter, "", "",
     "Requests answered 403 because their client was banned."},
    {"ringward_bans_without_room_total", counter, "", "",
     "Bans that were not made because their places held others in force."},
    {"ringward_ban_failures_forgotten_total", counter, "", "",
     "Clients whose failures were forgotten for lack of room."},
    {"ringward_sharing_in_step", gauge, "", "",
     "1 when Redis has answered about bans and revocations in the last 5 s."},
    {"ringward_sharing_exchanges_total", counter, "", "",
     "Questions to Redis about bans and revocations that were answered."},
    {"ringward_sharing_words", gauge, "", "",
     "Bans, revocations and what was taken back of them that gateways share."},
    {"ringward_sharing_told_total", counter, "", "", "Of those, told to Redis."},
    {"ringward_sharing_heard_total", counter, "", "", "Of those, news from other gateways."},
    {"ringward_sharing_unreadable_total", counter, "", "",
     "What was in Redis and is no gateway's with the same password."},
    {"ringward_sharing_without_room_total", counter, "", "",
     "Bans and revocations that are not shared: there were too many."},

    // ---- upstreams
    {"ringward_upstream_requests_total", counter, "", "upstream,outcome",
     "Requests to origins: answered, or failed."},
    {"ringward_upstream_first_byte_duration_seconds", histogram, "seconds", "upstream",
     "From the request being on its way to the first byte of the origin's answer."},
    {"ringward_upstream_retries_total", counter, "", "",
     "Requests sent to an origin a second time."},
    {"ringward_upstream_retries_over_budget_total", counter, "", "",
     "Requests that were not, because retry.budget was used up."},
    {"ringward_upstream_connections_opened_total", counter, "", "",
     "Connections opened to origins."},
    {"ringward_upstream_connections_reused_total", counter, "", "",
     "Requests that found an idle connection to their origin."},
    {"ringward_upstream_server_usable", gauge, "", "upstream,server",
     "1 while the server gets requests."},
    {"ringward_upstream_server_state", gauge, "", "upstream,server,state,reason",
     "1, with the server's state and the reason of the last change as labels."},
    {"ringward_upstream_server_ejections_total", counter, "", "upstream,server",
     "Times the server was taken out for what requests saw."},
    {"ringward_upstream_server_under_way", gauge, "", "upstream,server",
     "Requests under way at the server."},
    {"ringward_upstream_server_requests_total", counter, "", "upstream,server",
     "Requests sent to the server, second tries included."},
    {"ringward_upstream_server_failures_total", counter, "", "upstream,server",
     "Of those, the ones that failed by its fault: no connection, no answer in time, cut off, or "
     "500, 502, 503, 504."},
    {"ringward_upstream_server_timeouts_total", counter, "", "upstream,server,deadline",
     "Deadlines of upstream.timeouts that the server has missed."},
    {"ringward_upstream_server_idle_connections", gauge, "", "upstream,server",
     "Connections kept for the next request. As of the last second."},
    {"ringward_upstream_tls_handshakes_total", counter, "", "upstream,server,result",
     "TLS handshakes with the server: full, resumed or failed."},
    {"ringward_upstream_tls_handshake_duration_seconds", histogram, "seconds", "upstream,server",
     "Those that were completed, without the connecting."},
    {"ringward_upstream_waiting", gauge, "", "upstream",
     "Requests that wait for one of max_requests_in_flight."},
    {"ringward_name_addresses", gauge, "", "name", "Addresses that an origin's name has."},
    {"ringward_name_lookups_total", counter, "", "name", "Lookups of the name that have ended."},
    {"ringward_name_lookup_failures_total", counter, "", "name",
     "Of those, the ones that brought no address, or failed for one family of them; what was known "
     "stays."},
    {"ringward_name_changes_held_total", counter, "", "name",
     "Lookups whose addresses were not taken: the name changes too often."},
    {"ringward_name_failing", gauge, "", "name", "1 while the last lookup of the name failed."},

    // ---- key sets
    {"ringward_key_set_keys", gauge, "", "issuer",
     "Keys in force that were fetched for the issuer; 0: its tokens get 503."},
    {"ringward_key_set_fetches_total", counter, "", "issuer,result",
     "Fetches of the issuer's key set that brought new keys, the same ones, or failed."},
    {"ringward_key_set_failures_in_a_row", gauge, "", "issuer",
     "Fetches that have failed since one succeeded; from 1 on with a pause."},
    {"ringward_key_set_waiting", gauge, "", "issuer", "Requests that wait for a fetch."},
    {"ringward_key_set_age_seconds", gauge, "seconds", "issuer",
     "Since the keys in force were last fetched, or found unchanged."},

    // ---- Redis
    {"ringward_redis_connections_opened_total", counter, "", "", "Connections opened to Redis."},
    {"ringward_redis_questions_total", counter, "", "",
     "Questions asked of Redis about shared limits."},
    {"ringward_redis_sends_total", counter, "", "",
     "Sends that these left in, each with all of one turn of a worker's loop."},
    {"ringward_redis_lost_decisions_total", counter, "", "",
     "Decisions about shared limits made by on_loss, without Redis."},
    {"ringward_redis_failures_total", counter, "", "reason",
     "What went wrong with Redis, by reason."},
    {"ringward_redis_breakers", gauge, "", "state",
     "Workers by the state of their breaker; those with a closed one ask Redis."},
    {"ringward_redis_answer_duration_seconds", histogram, "seconds", "",
     "From a question to the answer of Redis."},

    // ---- workers and rings
    {"ringward_worker_connections", gauge, "", "worker", "Client connections open now, by worker."},
    {"ringward_worker_requests_total", counter, "", "worker", "Requests answered, by worker."},
    {"ringward_worker_cpu_seconds_total", counter, "seconds", "worker",
     "CPU time of each worker's thread; one at 1 a second is all that its CPU can do."},
    {"ringward_ring_submissions_total", counter, "", "", "Operations submitted to io_uring."},
    {"ringward_ring_completions_total", counter, "", "", "Completions taken from io_uring."},
    {"ringward_ring_no_buffers_total", counter, "", "",
     "Receives that ended because the buffer pool was empty (ENOBUFS)."},
    {"ringward_ring_overflows_total", counter, "", "",
     "Completions that found the completion queue full."},
    {"ringward_buffers_from_heap_total", counter, "", "",
     "Buffers taken from the heap because the pool was empty."},
};

}  // namespace

std::span<const metric> metrics() noexcept { return table; }

std::string_view name(metric::kind type) noexcept {
  switch (type) {
    case metric::kind::counter:
      return "counter";
    case metric::kind::gauge:
      return "gauge";
    case metric::kind::histogram:
      return "histogram";
  }
  return "";
}

void begin_metric(std::string_view name, std::string& out) {
  const auto found = std::ranges::find(table, name, &metric::name);
  RW_ASSERT(found != std::end(table));
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, found->help, name,
                 observe::name(found->type));
}

std::string label_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace rw::observe
