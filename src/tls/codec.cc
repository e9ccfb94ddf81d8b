#include "tls/codec.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "tls/client_hello.h"
#include "tls/entry.h"
#include "tls/io.h"
#include "tls/suites.h"

namespace rw::tls {
namespace {

// RFC 8446 6
enum alert : int {
  unexpected_message = 10,
  record_overflow = 22,
  handshake_failure = 40,
  illegal_parameter = 47,
  decode_error = 50,
  missing_extension = 109,
  unrecognized_name = 112
};

constexpr std::size_t overhead_tls13 = 5 + 1 + 16;  // header, content type, tag
static_assert(record_overhead_max == 5 + 8 + 16);   // TLS 1.2 with AES-GCM: header, nonce, tag
constexpr std::size_t fragment_bytes_min = 1024;
// Ciphertext without any plaintext, key updates above all: one record may be under way, but a peer
// cannot have us derive keys for ever. Reaching it takes some 1,000 updates and 10 ms.
constexpr std::uint32_t silent_bytes_max = 2 * (record_plaintext_max + 256);
constexpr std::size_t server_name_chars_max = 253;  // RFC 1035 2.3.4; longer ones are not kept

const char* reason(int code, bool established) noexcept {
  switch (code) {
    case MATCH_SUITE_ERROR:
      return "the client and we have no cipher suite in common";
    case VERSION_ERROR:
    case UNSUPPORTED_PROTO_VERSION:
      return "the client speaks no TLS version that is served here";
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
      return "the client asks for protocols that are not served here";
    case BAD_KEY_SHARE_DATA:
    case ECC_CURVE_ERROR:
      return "the client and we have no group in common";
    case VERIFY_MAC_ERROR:
    case DECRYPT_ERROR:
    case AES_GCM_AUTH_E:
    case MAC_CMP_FAILED_E:
      return "a record does not authenticate";
    case FATAL_ERROR:
      return "the client ended the connection with an alert";
    case OUT_OF_ORDER_E:
    case DUPLICATE_MSG_E:
    case SANITY_MSG_E:
      return "a handshake message at a time that is not its own";
    case MEMORY_E:
      return "no memory for a TLS connection";
    default:
      return established ? "a TLS record that breaks the protocol" : "the TLS handshake failed";
  }
}

}  // namespace

server_codec::server_codec(std::shared_ptr<const server_context> context, bool exportable) noexcept
    : context_(std::move(context)), export_{.wanted = exportable} {}

server_codec::server_codec(server_codec&& other) noexcept
    : ssl_(std::exchange(other.ssl_, nullptr)),
      context_(std::move(other.context_)),
      kept_(std::move(other.kept_)),
      hello_(std::move(other.hello_)),
      server_name_(std::move(other.server_name_)),
      failure_(other.failure_),
      protocol_(other.protocol_),
      silent_bytes_(other.silent_bytes_),
      stage_(std::exchange(other.stage_, stage::failed)),
      resumed_(other.resumed_),
      ticket_chain_(other.ticket_chain_),
      close_sent_(other.close_sent_),
      peer_closed_(other.peer_closed_),
      export_(std::move(other.export_)) {}

server_codec& server_codec::operator=(server_codec&& other) noexcept {
  if (this == &other) return *this;
  this->~server_codec();
  return *new (this) server_codec(std::move(other));
}

server_codec::~server_codec() { wolfSSL_free(ssl_); }

step server_codec::flush(output& out) {
  if (kept_.empty()) return step::done;
  const std::size_t size = std::min(kept_.size(), out.room());
  std::copy_n(kept_.begin(), size, out.data + out.size);
  out.size += size;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(size));
  if (!kept_.empty()) return step::want_output;
  kept_ = {};  // gives the memory back
  return step::done;
}

step server_codec::refuse(fault code, const char* text, int alert, output& out) {
  stage_ = stage::failed;
  failure_.what = {.code = code, .from = origin::downstream, .text = text};
  if (alert >= 0) append_alert(alert);
  flush(out);
  return step::failed;
}

// In the clear: only before wolfSSL has answered anything.
void server_codec::append_alert(int alert) {
  constexpr std::byte alert_record{21};
  constexpr std::byte fatal{2};
  kept_.insert(kept_.end(), {alert_record, std::byte{3}, std::byte{3}, std::byte{0}, std::byte{2},
                             fatal, static_cast<std::byte>(alert)});
}

step server_codec::fail(int library_code, output& out) {
  failure_.library_code = library_code;
  failure_.what = {.code = fault::tls,
                   .from = origin::downstream,
                   .text = reason(library_code, stage_ == stage::established)};
  if (library_code == MEMORY_E) failure_.what.code = fault::exhausted;
  stage_ = stage::failed;
  WOLFSSL_ALERT_HISTORY alerts{};
  if (ssl_ != nullptr && wolfSSL_get_alert_history(ssl_, &alerts) == WOLFSSL_SUCCESS) {
    failure_.peer_alert = alerts.last_rx.code;
  }
  flush(out);
  return step::failed;
}

step server_codec::handshake(std::span<const std::byte>& in, output& out) {
  if (stage_ == stage::failed) return flush(out), step::failed;
  if (flush(out) != step::done) return step::want_output;
  if (stage_ == stage::established) return step::done;
  if (stage_ == stage::hello) return take_hello(in, out);
  return negotiate({}, in, out);
}

step server_codec::take_hello(std::span<const std::byte>& in, output& out) {
  using state = hello_reader::state;
  const std::size_t whole = hello_ ? 0 : hello_reader::whole_record(in);
  if (whole != 0) return start(in.subspan(5, whole - 5), {}, in, out);
  if (in.empty()) return step::want_input;
  if (!hello_) hello_ = std::make_unique<hello_reader>();
  switch (hello_->take(in)) {
    case state::incomplete:
      return step::want_input;
    case state::complete:
      break;
    case state::not_tls:
      return refuse(fault::malformed, "the first bytes are no TLS", -1, out);
    case state::unexpected:
      return refuse(fault::malformed, "something else in place of a ClientHello",
                    unexpected_message, out);
    case state::record_too_large:
      return refuse(fault::malformed, "a record that is too large", record_overflow, out);
    case state::message_too_large:
      return refuse(fault::too_large, "a ClientHello that is too large", illegal_parameter, out);
  }
  const auto record = hello_->record();
  const step how = start(hello_->message(), record, in, out);
  hello_.reset();
  return how;
}

step server_codec::start(std::span<const std::byte> message, std::span<const std::byte> record,
                         std::span<const std::byte>& in, output& out) {
  client_hello hello;
  if (!parse_client_hello(message, hello)) {
    return refuse(fault::malformed, "a malformed ClientHello", decode_error, out);
  }
  if (hello.server_name.size() <= server_name_chars_max) {
    server_name_.resize(hello.server_name.size());
    std::transform(hello.server_name.begin(), hello.server_name.end(), server_name_.begin(),
                   ascii_lower);
  }
  const context_entry* entry = context_->choose(hello);
  if (entry == nullptr) {
    const bool unnamed = !hello.has_server_name && hello.offers_tls13;
    return refuse(fault::tls, "no certificate for the server name, and strict_sni is on",
                  unnamed ? missing_extension : unrecognized_name, out);
  }
  if (!context_->has_common_group(hello)) {
    return refuse(fault::tls, "the client and we have no group in common", handshake_failure, out);
  }
  ssl_ = wolfSSL_new(entry->context);
  if (ssl_ == nullptr) return fail(MEMORY_E, out);
  if (export_.wanted) {
    export_.seen = std::make_unique<traffic_state>();
    attach_secret(ssl_);
  }
  stage_ = stage::negotiating;
  if (hello.has_protocols && !context_->options().protocols.empty()) {
    protocol_ = context_->choose_protocol(hello);
    // wolfSSL takes the client's first choice of several: it gets to know only ours. With no match
    // it gets one that will not match either and sends the alert (RFC 7301 3.2).
    std::string only(protocol_.empty() ? context_->options().protocols.front() : protocol_);
    if (wolfSSL_UseALPN(ssl_, only.data(), static_cast<unsigned>(only.size()),
                        WOLFSSL_ALPN_FAILED_ON_MISMATCH) != WOLFSSL_SUCCESS) {
      return fail(MEMORY_E, out);
    }
  }
  if (!hello.offers_tls13 && !restrict_groups(hello)) return fail(MEMORY_E, out);
  const std::size_t before = out.size;
  const step how = negotiate(record, in, out);
  if (how == step::failed && out.size == before && kept_.empty()) {
    append_alert(handshake_failure);  // wolfSSL hangs up without a word in some cases
    flush(out);
  }
  return how;
}

// For TLS 1.2 wolfSSL knows the groups by connection only, and 5.7 believes them to be common ones.
bool server_codec::restrict_groups(const client_hello& hello) {
  for (const std::uint16_t id : context_->groups_tls12()) {
    if (!hello.has_group(id)) continue;
    if (wolfSSL_UseSupportedCurve(ssl_, id) != WOLFSSL_SUCCESS) return false;
  }
  return true;
}

step server_codec::negotiate(std::span<const std::byte> hello, std::span<const std::byte>& in,
                             output& out) {
  call now{.hello = hello, .in = &in, .out = &out, .kept = &kept_, .server_name = server_name_};
  now.seen = export_.seen.get();
  now.ticket_chain = &ticket_chain_;
  begin(ssl_, now);
  const int accepted = wolfSSL_accept(ssl_);
  if (accepted != WOLFSSL_SUCCESS) {
    const int code = wolfSSL_get_error(ssl_, accepted);
    if (code != WOLFSSL_ERROR_WANT_READ) return fail(code, out);
    return kept_.empty() ? step::want_input : step::want_output;
  }
  stage_ = stage::established;
  resumed_ = wolfSSL_session_reused(ssl_) == 1;
  return kept_.empty() ? step::done : step::want_output;
}

transfer server_codec::read(std::span<const std::byte>& in, std::span<std::byte> plaintext,
                            output& out) {
  if (stage_ == stage::failed) return flush(out), transfer{.state = step::failed};
  RW_ASSERT(stage_ == stage::established);
  if (flush(out) != step::done) return {.state = step::want_output};
  if (peer_closed_) return {.state = step::closed};
  call now{.hello = {}, .in = &in, .out = &out, .kept = &kept_, .server_name = server_name_};
  now.discards = export_.done;
  begin(ssl_, now);
  const std::size_t given = in.size();
  transfer got = decrypt(in, plaintext, out);
  if (now.discarded && got.state != step::failed) note_discarded();
  silent_bytes_ = got.size > 0 ? 0 : silent_bytes_ + static_cast<std::uint32_t>(given - in.size());
  if (silent_bytes_ > silent_bytes_max && got.state != step::failed) {
    got.state = fail(BAD_STATE_E, out);
    failure_.what.text = "records without data and without end";
  }
  return got;
}

transfer server_codec::decrypt(std::span<const std::byte>& in, std::span<std::byte> plaintext,
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

transfer server_codec::write(std::span<const std::span<const std::byte>> parts, output& out) {
  if (stage_ == stage::failed) return flush(out), transfer{.state = step::failed};
  RW_ASSERT(stage_ == stage::established && !close_sent_ && !export_.done);
  RW_ASSERT(out.capacity >= fragment_bytes_min + record_overhead_max);
  if (flush(out) != step::done) return {.state = step::want_output};
  std::span<const std::byte> nothing;
  call now{.hello = {}, .in = &nothing, .out = &out, .kept = &kept_, .server_name = server_name_};
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

step server_codec::close(output& out) {
  if (stage_ == stage::established && !close_sent_) {
    RW_ASSERT(!export_.done);
    close_sent_ = true;
    std::span<const std::byte> nothing;
    call now{.hello = {}, .in = &nothing, .out = &out, .kept = &kept_, .server_name = server_name_};
    begin(ssl_, now);
    wolfSSL_shutdown(ssl_);
  }
  return flush(out);
}

std::size_t server_codec::buffered() const noexcept {
  return stage_ == stage::established ? static_cast<std::size_t>(wolfSSL_pending(ssl_)) : 0;
}

protocol_version server_codec::version() const noexcept {
  return ssl_ == nullptr ? protocol_version::none
                         : static_cast<protocol_version>(wolfSSL_version(ssl_));
}

std::string_view server_codec::cipher() const noexcept {
  if (ssl_ == nullptr) return {};
  const auto id = static_cast<std::uint16_t>(wolfSSL_get_current_cipher_suite(ssl_));
  const suite* found = find_suite(id);
  return found == nullptr ? std::string_view{} : found->name;
}

std::string_view server_codec::group() const noexcept {
  const char* name = ssl_ == nullptr ? nullptr : wolfSSL_get_curve_name(ssl_);
  return name == nullptr ? std::string_view{} : name;
}

std::string_view server_codec::protocol() const noexcept {
  return stage_ == stage::established ? protocol_ : std::string_view{};
}

}  // namespace rw::tls
