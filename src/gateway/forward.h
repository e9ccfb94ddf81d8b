// The way through: an upstream connection, the request to it, its answer back.
#pragma once

#include "gateway/exchange.h"
#include "http/serialise.h"

namespace rw::gateway {

// Of an admitted exchange whose route has an upstream. Answers the client, by the origin's answer
// or by ours when there is none; never fails.
io::task<> forward(exchange& x);

// The caller of an exchange under way may not go on: `why` (a literal) is its reason. Where nothing
// was answered the answer is 401; an answer that has begun is cut off, so that nobody takes it for
// whole. Anything but forwarding ends without one.
void end_caller(exchange& x, const char* why) noexcept;

// ---- its parts, each in a file of its name
// Tells a client that waits for it that its body is wanted (RFC 9110 10.1.1); an error is in
// upload_error too.
io::task<result<>> invite_body(exchange& x);
// Pumps the request body that has not come with the head; leaves upload_failed and upload_error.
io::task<> upload(exchange& x);
// The trailer fields of the request as lines, as they go on.
void append_request_trailers(const exchange& x, std::string& lines);
// The client failed the exchange before it was answered, `missed` being the deadline if it was one:
// leaves upload_failed, upload_error and upload_deadline, and ends what is under way upstream.
void blame_client(exchange& x, const error& why, observe::deadline missed) noexcept;
// Of an exchange that is answered here: reads a body in chunks, as far as it is worth it, so that
// one that is too large or broken is refused before anything is done for it. Leaves the refusal in
// `decision`.
io::task<> check_chunks(exchange& x);
// Reads and drops the body of a request that was answered without it, when that is little and comes
// soon; else the connection does not go on (keep_alive).
inline constexpr std::uint64_t discarded_bytes_max = 64U << 10U;
inline constexpr std::chrono::seconds discard_time_max{5};  // in all, however it drips
io::task<> discard_body(exchange& x);
// Sends the final head in `response`, and its body as it comes.
io::task<> download(exchange& x);
// The protocol of route.upgrade that the request asks for, and may have; empty: none (RFC
// 9110 7.8).
std::string_view protocol_asked_for(const exchange& x) noexcept;
// Of an answer of status 101: it switches to what was asked for.
bool is_switch(const exchange& x) noexcept;
// Tells the client so, and moves octets both ways from then on, until both sides have ended, or
// none has moved for upstream.timeouts.gap.
io::task<> tunnel(exchange& x);
// Sends the interim head (1xx) in `response`, to clients that know such; an error is in
// upload_error too, since half a head can be followed by nothing.
io::task<result<>> send_interim(exchange& x);
// The request's head as the origin gets it; false when it does not fit.
bool write_request_head(exchange& x, const upstream::server& to, http::head_writer& out);
// The answer's head as the client gets it, up to and with the blank line.
enum class body_coding : std::uint8_t { none, length, chunked, until_close };
bool write_response_head(exchange& x, body_coding body, http::head_writer& out);
// The same for an answer of status 101.
bool write_switch_head(exchange& x, http::head_writer& out);
// Whether a field of the origin's answer (of a head, interim or final, or of its trailers) goes on.
bool is_passed_on(const exchange& x, const http::field& one) noexcept;
// What every answer has, whoever it is from: security headers, Date, limits, Connection.
void write_common_fields(const exchange& x, http::head_writer& out);

}  // namespace rw::gateway
