// What a gate has to know of gRPC over HTTP/2 (grpc/grpc, doc/PROTOCOL-HTTP2.md): which requests
// are calls, how long their callers wait, and how an answer of ours tells them what is wrong. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace rw::http {

// A Content-Type: "application/grpc", alone or with "+proto" and the like. Not grpc-web, which
// browsers speak and which has its trailers in the body.
bool is_grpc_type(std::string_view content_type) noexcept;

// What a longer one is taken for.
inline constexpr nanoseconds grpc_timeout_max = std::chrono::hours{24 * 365};
// Of grpc-timeout: up to 8 digits and one of H, M, S, m, u, n; nothing where it is anything else.
std::optional<nanoseconds> parse_grpc_timeout(std::string_view text) noexcept;

// The code that stands for an HTTP status of our own.
unsigned grpc_status_of(unsigned http_status) noexcept;

// The lines "grpc-status: N" and "grpc-message: TEXT" for it, with the status' phrase, or `detail`
// where there is one, percent-encoded.
void append_grpc_status(std::string& lines, unsigned http_status, std::string_view detail = {});

}  // namespace rw::http
