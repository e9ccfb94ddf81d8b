#include "tls/client_hello.h"

#include <algorithm>
#include <array>
#include <optional>

namespace rw::tls {
namespace {

constexpr std::byte record_handshake{22};
constexpr std::byte message_client_hello{1};
constexpr std::size_t record_header_bytes = 5;
constexpr std::size_t message_header_bytes = 4;
constexpr std::size_t record_bytes_max = 16384;

// A cursor over one length-delimited piece. After a failed read it stays failed.
class reader {
 public:
  explicit reader(std::span<const std::byte> bytes) noexcept : left_(bytes) {}

  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return left_.empty(); }

  std::span<const std::byte> take(std::size_t size) noexcept {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

  std::size_t number(std::size_t bytes) noexcept {
    std::size_t value = 0;
    for (const std::byte b : take(bytes)) value = value << 8U | std::to_integer<std::size_t>(b);
    return value;
  }

  // A vector with a length prefix of `prefix` bytes (RFC 8446 3.4).
  std::span<const std::byte> vector(std::size_t prefix) noexcept { return take(number(prefix)); }

 private:
  std::span<const std::byte> left_;
  bool ok_ = true;
};

bool parse_server_name(std::span<const std::byte> body, client_hello& out) noexcept {
  reader in(body);
  reader list(in.vector(2));
  if (!in.ok() || !in.at_end() || list.at_end()) return false;
  while (!list.at_end()) {
    const std::size_t type = list.number(1);
    const auto name = list.vector(2);
    if (!list.ok() || name.empty()) return false;
    if (type != 0 || out.has_server_name) return false;  // host_name is the only type, once
    out.has_server_name = true;
    out.server_name = {reinterpret_cast<const char*>(name.data()), name.size()};
  }
  return true;
}

bool parse_protocols(std::span<const std::byte> body, client_hello& out) noexcept {
  reader in(body);
  const auto list = in.vector(2);
  if (!in.ok() || !in.at_end() || list.empty()) return false;
  for (reader names(list); !names.at_end();) {
    if (names.vector(1).empty() || !names.ok()) return false;
  }
  out.has_protocols = true;
  out.protocols = list;
  return true;
}

bool parse_versions(std::span<const std::byte> body, client_hello& out) noexcept {
  reader in(body);
  reader list(in.vector(1));
  if (!in.ok() || !in.at_end() || list.at_end()) return false;
  out.offers_tls12 = false;  // with this extension legacy_version says nothing
  while (!list.at_end()) {
    const std::size_t version = list.number(2);
    if (!list.ok()) return false;
    if (version == 0x0304) out.offers_tls13 = true;
    if (version == 0x0303) out.offers_tls12 = true;
  }
  return true;
}

// A list of two-byte numbers.
bool parse_pairs(std::span<const std::byte> body, std::span<const std::byte>& out) noexcept {
  reader in(body);
  out = in.vector(2);
  return in.ok() && in.at_end() && !out.empty() && out.size() % 2 == 0;
}

bool parse_extensions(std::span<const std::byte> body, client_hello& out) noexcept {
  constexpr std::array<std::size_t, 5> known = {0, 10, 13, 16, 43};
  std::array<bool, known.size()> seen{};
  for (reader in(body); !in.at_end();) {
    const std::size_t type = in.number(2);
    const auto data = in.vector(2);
    if (!in.ok()) return false;
    const auto which = std::find(known.begin(), known.end(), type);
    if (which == known.end()) continue;
    bool& twice = seen[static_cast<std::size_t>(which - known.begin())];
    if (twice) return false;
    twice = true;
    if (type == 0 && !parse_server_name(data, out)) return false;
    if (type == 16 && !parse_protocols(data, out)) return false;
    if (type == 43 && !parse_versions(data, out)) return false;
    if (type == 10 && !parse_pairs(data, out.groups)) return false;
    if (type == 13 && !parse_pairs(data, out.signatures)) return false;
  }
  return true;
}

}  // namespace

bool client_hello::has_group(std::uint16_t id) const noexcept {
  for (std::size_t i = 0; i + 1 < groups.size(); i += 2) {
    if (reader(groups.subspan(i)).number(2) == id) return true;
  }
  return false;
}

bool parse_client_hello(std::span<const std::byte> message, client_hello& out) noexcept {
  out = {};
  reader header(message);
  if (header.number(1) != std::to_integer<std::size_t>(message_client_hello)) return false;
  reader in(header.vector(3));
  if (!header.ok() || !header.at_end()) return false;
  const std::size_t legacy_version = in.number(2);
  out.offers_tls12 = legacy_version >= 0x0303;
  in.take(32);  // random
  const auto session_id = in.vector(1);
  const auto suites = in.vector(2);
  const auto compression = in.vector(1);
  if (!in.ok() || session_id.size() > 32 || suites.empty() || suites.size() % 2 != 0 ||
      compression.empty()) {
    return false;
  }
  if (in.at_end()) return true;  // TLS 1.2 without extensions
  const auto extensions = in.vector(2);
  return in.ok() && in.at_end() && parse_extensions(extensions, out);
}

std::size_t hello_reader::whole_record(std::span<const std::byte> in) noexcept {
  if (in.size() < record_header_bytes + message_header_bytes || in[0] != record_handshake ||
      in[1] != std::byte{3} || in[5] != message_client_hello) {
    return 0;
  }
  reader lengths(in.subspan(3));
  const std::size_t record = lengths.number(2);
  lengths.take(1);
  const std::size_t message = lengths.number(3);
  if (record != message + message_header_bytes || record > client_hello_bytes_max) return 0;
  return in.size() >= record_header_bytes + record ? record_header_bytes + record : 0;
}

hello_reader::state hello_reader::take_header(std::span<const std::byte>& in) {
  const std::size_t size = std::min(in.size(), record_header_bytes - header_size_);
  std::copy_n(in.begin(), size, header_ + header_size_);
  header_size_ = static_cast<std::uint8_t>(header_size_ + size);
  in = in.subspan(size);
  const bool first = message_.empty();
  if (header_[0] != record_handshake) return first ? state::not_tls : state::unexpected;
  if (header_size_ > 1 && header_[1] != std::byte{3}) {
    return first ? state::not_tls : state::unexpected;
  }
  if (header_size_ < record_header_bytes) return state::incomplete;
  record_left_ = reader(std::span(header_).subspan(3)).number(2);
  if (record_left_ == 0) return state::unexpected;
  if (record_left_ > record_bytes_max) return state::record_too_large;
  if (first) version_minor_ = header_[2];
  return state::complete;
}

hello_reader::state hello_reader::take(std::span<const std::byte>& in) {
  while (!in.empty()) {
    if (record_left_ == 0) {
      const state header = take_header(in);
      if (header != state::complete) return header;
      continue;
    }
    const auto part = in.first(std::min(in.size(), record_left_));
    in = in.subspan(part.size());
    record_left_ -= part.size();
    if (record_left_ == 0) header_size_ = 0;
    message_.insert(message_.end(), part.begin(), part.end());
    if (message_[0] != message_client_hello) return state::unexpected;
    if (message_.size() < message_header_bytes) continue;
    reader length(std::span(message_).subspan(1));
    const std::size_t whole = message_header_bytes + length.number(3);
    if (whole > client_hello_bytes_max) return state::message_too_large;
    if (message_.size() > whole) return state::unexpected;  // something follows in its record
    if (message_.size() == whole && record_left_ == 0) return state::complete;
  }
  return state::incomplete;
}

std::vector<std::byte> hello_reader::record() const {
  static_assert(client_hello_bytes_max <= record_bytes_max);
  std::vector<std::byte> out;
  out.reserve(record_header_bytes + message_.size());
  out = {record_handshake, std::byte{3}, version_minor_,
         static_cast<std::byte>(message_.size() >> 8U),
         static_cast<std::byte>(message_.size() & 0xffU)};
  out.insert(out.end(), message_.begin(), message_.end());
  return out;
}

}  // namespace rw::tls
