// Header and trailer fields (RFC 9110 5): names Ringward knows, a field, and a list of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/assert.h"

namespace rw::http {

// The names the program acts on; every other name is `none`. At most 64, for a mask of them.
enum class field_id : std::uint8_t {
  none,
  // What the head parser itself reads.
  host,
  connection,
  content_length,
  transfer_encoding,
  expect,
  te,
  upgrade,
  // The rest.
  keep_alive,
  proxy_connection,
  trailer,
  proxy_authorization,
  proxy_authenticate,
  authorization,
  x_api_key,
  www_authenticate,
  cookie,
  set_cookie,
  dpop,
  x_forwarded_for,
  x_forwarded_proto,
  x_forwarded_host,
  x_forwarded_port,
  x_real_ip,
  forwarded,
  via,
  x_request_id,
  date,
  server,
  x_powered_by,
  content_type,
  content_encoding,
  content_range,
  retry_after,
  location,
  user_agent,
  accept,
  accept_encoding,
  cache_control,
  age,
  expires,
  etag,
  vary,
  range,
  origin,
  referer,
  max_forwards,
  if_match,
  if_none_match,
  if_modified_since,
  if_unmodified_since,
  if_range,
  ratelimit,
  ratelimit_policy,
  strict_transport_security,
  content_security_policy,
  x_content_type_options,
  x_frame_options,
  referrer_policy,
  last_event_id,
  traceparent,
  tracestate
};
inline constexpr std::size_t field_id_count = 62;

constexpr std::uint64_t mask_of(field_id id) noexcept {
  return std::uint64_t{1} << static_cast<unsigned>(id);
}

// Without regard to case; `none` for unknown names. Any text.
field_id identify(std::string_view name) noexcept;

// Lower case; empty for `none`.
std::string_view name(field_id id) noexcept;

// 1*tchar (RFC 9110 5.6.2).
bool is_token(std::string_view text) noexcept;

// A token without an underscore: CGI and its heirs read X_A and X-A as one variable, which lets a
// client write a field that the gate believes it has removed.
bool is_field_name(std::string_view text) noexcept;

// In the names of fields: what is_field_name() says is of requests. An origin's do nobody harm.
enum class underscores : std::uint8_t { refused, taken };

// SP, HTAB, VCHAR and obs-text only, so that it cannot end its line (RFC 9110 5.5). May be empty.
bool is_field_value(std::string_view text) noexcept;

// Views into the buffer that was parsed; valid for as long as that buffer keeps its bytes in place.
struct field {
  std::string_view name;   // as the sender wrote it
  std::string_view value;  // without the white space around it
  field_id id = field_id::none;
  // Meant for this hop alone (RFC 9110 7.6.1): one of Connection, Keep-Alive, Proxy-Connection,
  // Proxy-Authorization, Proxy-Authenticate, TE, Transfer-Encoding, Upgrade, or listed in
  // Connection. Never to be forwarded.
  bool hop_by_hop = false;
};

// What head_limits::header_count can be at most.
inline constexpr std::size_t fields_max = 256;

// Fields in the order they came. Nearly all heads fit in place; a larger one takes 10 KiB of the
// heap until it is cleared.
class field_list {
 public:
  static constexpr std::size_t in_place = 32;
  static constexpr std::size_t grown_bytes = fields_max * sizeof(field);

  field_list() noexcept {}  // not defaulted: `{}` would then clear all of it
  field_list(const field_list&) = delete;
  field_list& operator=(const field_list&) = delete;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const field* begin() const noexcept { return items_; }
  const field* end() const noexcept { return items_ + size_; }
  field* begin() noexcept { return items_; }
  field* end() noexcept { return items_ + size_; }
  const field& operator[](std::size_t i) const noexcept {
    RW_ASSERT(i < size_);
    return items_[i];
  }

  void clear() noexcept {
    size_ = 0;
    if (!grown_) return;
    grown_.reset();
    items_ = storage_.items;
  }
  // Moves all of them when there are more than fit in place.
  void append(std::string_view name, std::string_view value, field_id id,
              bool hop_by_hop) noexcept {
    RW_ASSERT(size_ < fields_max);
    if (size_ == in_place && !grown_) grow();
    field& one = items_[size_++];
    one.name = name;
    one.value = value;
    one.id = id;
    one.hop_by_hop = hop_by_hop;
  }

 private:
  void grow() noexcept;

  std::size_t size_ = 0;
  // Not initialised: clearing it would cost more than parsing a head.
  union storage {
    storage() noexcept {}
    field items[in_place];
  } storage_;
  field* items_ = storage_.items;
  std::unique_ptr<field[]> grown_;
};

}  // namespace rw::http
