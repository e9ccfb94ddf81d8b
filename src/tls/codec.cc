#include "tls/codec.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/phase.h"
#include "tls/io.h"
#include "tls/suites.h"

namespace rw::tls {
namespace {

constexpr std::size_t overhead_tls13 = 5 + 1 + 16;  // header, content type, tag
static_assert(record_overhead_max == 5 + 8 + 16);   // TLS 1.2 with AES-GCM: header, nonce, tag
constexpr std::size_t fragment_bytes_min = 1024;
// Ciphertext without any plaintext, key updates above all: one record may be under way, but a peer
// cannot have us derive keys for ever. Reaching it takes some 1,000 updates and 10 ms.
constexpr std::uint32_t silent_bytes_max = 2 * (record_plaintext_max + 256);

}  // namespace

codec::codec(codec&& other) noexcept
    : ssl_(std::exchange(other.ssl_, nullptr)),
      kept_(std::move(other.kept_)),
      server_name_(std::move(other.server_name_)),
      failure_(other.failure_),
      stage_(std::exchange(other.stage_, stage::failed)),
      export_(std::move(other.export_)),
      silent_bytes_(other.silent_bytes_),
      resumed_(other.resumed_),
      close_sent_(other.close_sent_),
      peer_closed_(other.peer_closed_) {}

codec::~codec() {
  const phase_scope about(phase::tls);
  wolfSSL_free(ssl_);
}

bool codec::found_no_protocol() const noexcept {
  constexpr int no_application_protocol = 120;
  return failure_.library_code == UNKNOWN_ALPN_PROTOCOL_NAME_E ||
         failure_.peer_alert == no_application_protocol;
}

std::unique_ptr<peer_certificate> codec::take_peer() noexcept { return nullptr; }

step codec::flush(output& out) {
  if (kept_.empty()) return step::done;
  const std::size_t size = std::min(kept_.size(), out.room());
  std::copy_n(kept_.begin(), size, out.data + out.size);
  out.size += size;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(size));
  if (!kept_.empty()) return step::want_output;
  kept_ = {};  // gives the memory back
  return step::done;
}

step codec::refuse(fault code, const char* text, int alert, output& out) {
  stage_ = stage::failed;
  failure_.what = {.code = code, .from = origin::downstream, .text = text};
  if (alert >= 0) append_alert(alert);
  flush(out);
  return step::failed;
}

// In the clear: only before wolfSSL has answered anything.
void codec::append_alert(int alert) {
  constexpr std::byte alert_record{21};
  constexpr std::byte fatal{2};
  kept_.insert(kept_.end(), {alert_record, std::byte{3}, std::byte{3}, std::byte{0}, std::byte{2},
                             fatal, static_cast<std::byte>(alert)});
}

step codec::fail(int library_code, output& out) {
  failure_.library_code = library_code;
  failure_.what = {.code = fault::tls, .from = origin::downstream};
  WOLFSSL_ALERT_HISTORY alerts{};
  if (ssl_ != nullptr && wolfSSL_get_alert_history(ssl_, &alerts) == WOLFSSL_SUCCESS) {
    failure_.peer_alert = alerts.last_rx.code;
  }
  explain(library_code, failure_);
  if (library_code == MEMORY_E) {
    failure_.what = {fault::exhausted, origin::local, false, 0, "no memory for a TLS connection"};
  }
  stage_ = stage::failed;
  flush(out);
  return step::failed;
}

step codec::handshake(std::span<const std::byte>& in, output& out) {
  const phase_scope about(phase::tls);
  if (stage_ == stage::failed) return flush(out), step::failed;
  if (flush(out) != step::done) return step::want_output;
  if (stage_ == stage::established) return step::done;
  return negotiate(in, out);
}

step codec::after_handshake_call(int returned, output& out) {
  if (returned != WOLFSSL_SUCCESS) {
    const int code = wolfSSL_get_error(ssl_, returned);
    if (code != WOLFSSL_ERROR_WANT_READ) return fail(code, out);
    return kept_.empty() ? step::want_input : step::want_output;
  }
  stage_ = stage::established;
  resumed_ = wolfSSL_session_reused(ssl_) == 1;
  return kept_.empty() ? step::done : step::want_output;
}

transfer codec::read(std::span<const std::byte>& in, std::span<std::byte> plaintext, output& out) {
  const phase_scope about(phase::tls);
  if (stage_ == stage::failed) return flush(out), transfer{.state = step::failed};
  RW_ASSERT(stage_ == stage::established);
  if (flush(out) != step::done) return {.state = step::want_output};
  if (peer_closed_) return {.state = step::closed};
  call now{.hello = {}, .in = &in, .out = &out, .kept = &kept_};
  now.discards = export_.done;
  begin(ssl_, now);
  const std::size_t given = in.size();
  transfer got = decrypt(in, plaintext, out);
  if (now.ticket_arrived) on_ticket();
  if (now.discarded && got.state != step::failed) note_discarded();
  silent_bytes_ = got.size > 0 ? 0 : silent_bytes_ + static_cast<std::uint32_t>(given - in.size());
  if (silent_bytes_ > silent_bytes_max && got.state != step::failed) {
    got.state = fail(BAD_STATE_E, out);
    failure_.what.text = "records without data and without end";
  }
  return got;
}

transfer codec::decrypt(std::span<const std::byte>& in, std::span<std::byte> plaintext,
                        output& out) {
  std::size_t size = 0;
  while (size < plaintext.size()) {
    if (in.empty() && wolfSSL_pending(ssl_) == 0) return {size, step::want_input};
    const std::size_t most = std::min(plaintext.size() - size, std::size_t{1} << 20U);
    const int got = wolfSSL_read(ssl_, plaintext.data() + size, static_cast<int>(most));
    if (got > 0) {
      size += static_cast<std::size_t>(got);
      continue;
    }
    const int code = wolfSSL_get_error(ssl_, got);
    if (code == WOLFSSL_ERROR_WANT_READ) {
      return {size, kept_.empty() ? step::want_input : step::want_output};
    }
    if (code == WOLFSSL_ERROR_ZERO_RETURN) {
      peer_closed_ = true;
      return {size, step::closed};
    }
    return {size, fail(code, out)};
  }
  return {size, step::done};
}

namespace {

// Walks over the caller's parts; gives the next bytes in one piece.
class gatherer {
 public:
  explicit gatherer(std::span<const std::span<const std::byte>> parts) noexcept : parts_(parts) {
    for (const auto& part : parts) left_ += part.size();
  }

  std::size_t left() const noexcept { return left_; }

  // In place where one part holds them, else copied into `room`.
  std::span<const std::byte> next(std::size_t size, std::byte* room) noexcept {
    left_ -= size;
    while (parts_.front().size() == at_) advance();
    if (const auto rest = parts_.front().subspan(at_); rest.size() >= size) {
      at_ += size;
      return rest.first(size);
    }
    for (std::size_t filled = 0; filled < size;) {
      const auto rest = parts_.front().subspan(at_);
      const auto piece = rest.first(std::min(rest.size(), size - filled));
      if (!piece.empty()) std::memcpy(room + filled, piece.data(), piece.size());
      filled += piece.size();
      at_ += piece.size();
      if (filled < size) advance();
    }
    return {room, size};
  }

 private:
  void advance() noexcept {
    parts_ = parts_.subspan(1);
    at_ = 0;
  }

  std::span<const std::span<const std::byte>> parts_;
  std::size_t at_ = 0;
  std::size_t left_ = 0;
};

}  // namespace

transfer codec::write(std::span<const std::span<const std::byte>> parts, output& out) {
  const phase_scope about(phase::tls);
  if (stage_ == stage::failed) return flush(out), transfer{.state = step::failed};
  RW_ASSERT(stage_ == stage::established && !close_sent_ && !export_.done);
  RW_ASSERT(out.capacity >= fragment_bytes_min + record_overhead_max);
  if (flush(out) != step::done) return {.state = step::want_output};
  std::span<const std::byte> nothing;
  call now{.hello = {}, .in = &nothing, .out = &out, .kept = &kept_};
  begin(ssl_, now);
  const std::size_t overhead =
      version() == protocol_version::tls13 ? overhead_tls13 : record_overhead_max;
  std::array<std::byte, record_plaintext_max> room;  // uninitialised: most calls need none of it
  gatherer from(parts);
  std::size_t taken = 0;
  while (from.left() > 0) {
    const std::size_t want = std::min(from.left(), record_plaintext_max);
    const std::size_t fits = out.room() > overhead ? out.room() - overhead : 0;
    if (fits < std::min(want, fragment_bytes_min)) return {taken, step::want_output};
    const auto piece = from.next(std::min(want, fits), room.data());
    const int sent = wolfSSL_write(ssl_, piece.data(), static_cast<int>(piece.size()));
    if (sent != static_cast<int>(piece.size()))
      return {taken, fail(wolfSSL_get_error(ssl_, sent), out)};
    taken += piece.size();
    if (!kept_.empty()) return {taken, step::want_output};  // a key update of ours took the room
  }
  return {taken, step::done};
}

step codec::close(output& out) {
  const phase_scope about(phase::tls);
  if (stage_ == stage::established && !close_sent_) {
    RW_ASSERT(!export_.done);
    close_sent_ = true;
    std::span<const std::byte> nothing;
    call now{.hello = {}, .in = &nothing, .out = &out, .kept = &kept_};
    begin(ssl_, now);
    wolfSSL_shutdown(ssl_);
  }
  return flush(out);
}

std::size_t codec::buffered() const noexcept {
  return stage_ == stage::established ? static_cast<std::size_t>(wolfSSL_pending(ssl_)) : 0;
}

protocol_version codec::version() const noexcept {
  return ssl_ == nullptr ? protocol_version::none
                         : static_cast<protocol_version>(wolfSSL_version(ssl_));
}

std::string_view codec::cipher() const noexcept {
  if (ssl_ == nullptr) return {};
  const auto id = static_cast<std::uint16_t>(wolfSSL_get_current_cipher_suite(ssl_));
  const suite* found = find_suite(id);
  return found == nullptr ? std::string_view{} : found->name;
}

std::string_view codec::group() const noexcept {
  const char* name = ssl_ == nullptr ? nullptr : wolfSSL_get_curve_name(ssl_);
  return name == nullptr ? std::string_view{} : name;
}

}  // namespace rw::tls
