#include "http/grpc.h"

#include "base/text.h"
#include "http/status.h"

namespace rw::http {
namespace {

enum code : unsigned {
  cancelled = 1,
  unknown = 2,
  deadline_exceeded = 4,
  permission_denied = 7,
  resource_exhausted = 8,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16
};

std::optional<nanoseconds> unit_of(char letter) noexcept {
  switch (letter) {
    case 'H':
      return std::chrono::hours{1};
    case 'M':
      return std::chrono::minutes{1};
    case 'S':
      return std::chrono::seconds{1};
    case 'm':
      return std::chrono::milliseconds{1};
    case 'u':
      return std::chrono::microseconds{1};
    case 'n':
      return nanoseconds{1};
    default:
      return std::nullopt;
  }
}

void append_percent_encoded(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 0x20 && octet <= 0x7e && c != '%') {
      out += c;
      continue;
    }
    out += '%';
    out += digits[octet >> 4U];
    out += digits[octet & 0xfU];
  }
}

}  // namespace

bool is_grpc_type(std::string_view content_type) noexcept {
  constexpr std::string_view type = "application/grpc";
  if (content_type.size() < type.size() || !iequals(content_type.substr(0, type.size()), type)) {
    return false;
  }
  const std::string_view rest = content_type.substr(type.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';' || rest.front() == ' ';
}

std::optional<nanoseconds> parse_grpc_timeout(std::string_view text) noexcept {
  constexpr std::size_t digits_max = 8;
  if (text.size() < 2 || text.size() > digits_max + 1) return std::nullopt;
  std::int64_t number = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  const std::optional<nanoseconds> unit = unit_of(text.back());
  if (!unit) return std::nullopt;
  return number < grpc_timeout_max / *unit ? number * *unit : grpc_timeout_max;
}

unsigned grpc_status_of(unsigned http_status) noexcept {
  switch (http_status) {
    case 400:
    case 500:
      return internal;
    case 401:
      return unauthenticated;
    case 403:
      return permission_denied;
    case 404:
    case 405:
    case 501:
      return unimplemented;
    case 408:
    case 504:
      return deadline_exceeded;
    case 413:
    case 414:
    case 429:
    case 431:
      return resource_exhausted;
    case 499:
      return cancelled;
    case 502:
    case 503:
      return unavailable;
    default:
      return unknown;
  }
}

void append_grpc_status(std::string& lines, unsigned http_status, std::string_view detail) {
  lines.append("grpc-status: ").append(std::to_string(grpc_status_of(http_status)));
  lines.append("\r\ngrpc-message: ");
  append_percent_encoded(lines, detail.empty() ? reason_phrase(http_status) : detail);
  lines.append("\r\n");
}

}  // namespace rw::http
