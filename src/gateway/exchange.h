// One request and its answer: everything that is known of it, from the first byte to the log line.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/authenticate.h"
#include "base/clock.h"
#include "base/country.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/trace_context.h"
#include "io/buffer_pool.h"
#include "io/task.h"
#include "limit/limiter.h"
#include "net/address.h"
#include "net/stream.h"
#include "observe/deadline.h"
#include "route/table.h"
#include "upstream/pool.h"

namespace rw::gateway {

class worker;
struct connection;
struct epoch;
struct snapshot;
struct listener_plan;
struct route_plan;
struct upstream_plan;

// What is to become of a request. `reason` is a snake_case literal for the log and the counters;
// the client learns the status alone. Status 0: go on.
struct verdict {
  unsigned status = 0;
  const char* reason = "";
  observe::deadline passed = observe::deadline::none;  // where that was it
  // Neither yes nor no: what decides has yet to come.
  static constexpr unsigned undecided = 1;
  // To the same URL by TLS, for good and with the method kept (RFC 9110 15.4.9).
  static constexpr unsigned to_https = 308;
  bool admitted() const noexcept { return status == 0; }
  bool pending() const noexcept { return status == undecided; }
};

inline constexpr std::size_t limits_per_route_max = 16;  // config::load() refuses more
inline constexpr std::size_t request_id_bytes_max = 128;

// Made when the first byte of a request comes, reused after its log line: an idle connection has
// none. Of one worker. Views point into `head_bytes` or the snapshot.
struct exchange {
  worker* on = nullptr;
  connection* client = nullptr;
  exchange* next_of_client = nullptr;  // HTTP/2: another one of that connection's
  net::stream* downstream = nullptr;   // the connection's, or one of HTTP/2's that it carries
  epoch* under = nullptr;              // what it began with, to the end
  const snapshot* state = nullptr;     // of `under`

  // ---- the request
  http::request_head request;
  net::stream::held head_bytes;
  std::string_view first_body;  // what of the body came with the head, when that is all of it
  std::string_view path;        // normalised
  io::buffer path_bytes;        // when it is not as it came
  config::ip16 client_ip{};
  bool client_is_unix = false;
  rw::country country;  // of the client; unknown without [geo]
  bool from_trusted_peer = false;
  bool banned = false;  // its client is
  std::array<char, request_id_bytes_max> request_id_bytes;
  std::string_view request_id;
  http::trace_context trace;  // as it goes on; empty until its head was read
  bool trace_begun = false;   // here

  // ---- the decision
  verdict decision;
  const route_plan* route = nullptr;
  bool preflight = false;                 // a browser asks whether it may send another request
  route::method_set allowed_methods = 0;  // of the refused match, for Allow
  auth::verdict caller;
  bool waited_for_keys = false;
  bool asks_once = false;       // whether other gateways have seen its token is to be waited for
  std::size_t limit_count = 0;  // that were asked; what of each:
  std::array<limit::demand, limits_per_route_max> limits;
  std::array<limit::decision, limits_per_route_max> outcomes;
  std::array<bool, limits_per_route_max> taken{};  // and not given back
  std::size_t refusing_limit = SIZE_MAX;           // index into `limits`
  // Of limits that gateways share, once share() was called; none is shared otherwise.
  std::array<std::uint64_t, limits_per_route_max> slices;  // to be asked for; 0: nothing
  std::array<bool, limits_per_route_max> slice_is_own;     // what is left of it is the key's
  std::array<bool, limits_per_route_max> shared{};         // taken there too, and not given back
  std::size_t shares_from = SIZE_MAX;                      // while the answer is to be waited for

  std::string audit_line;       // its record as far as it is known; keeps its memory
  std::size_t audit_bytes = 0;  // set aside for it; 0: it has none
  bool audit_early = false;     // there is a record already: it has been under way for long

  // ---- upstream
  const upstream_plan* to = nullptr;
  upstream::connection_ptr upstream;
  std::string_view upstream_name;
  std::string_view upgrade;  // the protocol that the origin is asked for; empty: none
  std::size_t server = 0;    // index into to->servers, once one was chosen
  bool trial = false;        // it is ejected, and this is the request that tries it again
  http::response_head response;
  http::chunked_decoder decoder;       // of the response body
  http::chunked_decoder body_decoder;  // of the request body
  unsigned attempts = 0;
  io::gate uploading;
  // Of the body, what was sent to an origin of HTTP/2: to be sent again to one that has begun
  // nothing, until it is more than is held.
  io::buffer replay;
  std::uint32_t replay_size = 0;
  bool replay_lost = false;
  bool uploaded = false;        // its body, or the rest of it, came after it was forwarded
  bool upload_stopped = false;  // by us: its answer is there already
  bool body_read = false;       // the whole request body has been taken off the connection
  error upload_error;           // when the client's side of it failed
  observe::deadline upload_deadline = observe::deadline::none;  // that it missed
  bool upload_failed = false;
  bool upload_stuck = false;  // the server left unread for too long what it was sent
  bool upstream_reusable = false;
  bool out_of_time = false;        // upstream.timeouts.total has passed
  bool callers_time = false;       // or grpc-timeout, which was less: that is its caller's word
  const char* ended_by = nullptr;  // why its caller may not go on: revoked, token_expired
  bool unreachable = false;        // no server of `to` took a connection

  // ---- the answer
  unsigned status = 0;      // 0 until one was begun
  const char* reason = "";  // "" for what the origin answered
  bool keep_alive = false;
  bool answer_begun = false;    // bytes of a final head have gone out
  bool speaks_events = false;   // it is a text/event-stream under way: see events.h
  std::uint64_t bytes_in = 0;   // of the request body
  std::uint64_t bytes_out = 0;  // all that was sent, heads included

  // ---- when, by the loop's clock
  wall_time began_at;
  mono_time began;  // first byte of the head
  mono_time head_done;
  mono_time decided;
  nanoseconds upstream_tls{0};  // what the handshake took, where there was one
  mono_time connected;          // an upstream connection was there
  mono_time first_byte;         // of the upstream's answer

  void reset() noexcept;
  // Gives up its places among the requests under way, of the limits that bound those: its answer is
  // out.
  void leave_limits() noexcept;
};

}  // namespace rw::gateway
