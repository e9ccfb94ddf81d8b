#include "tls/server_codec.h"

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
#include "tls/verification.h"

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
    default:
      return established ? "a TLS record that breaks the protocol" : "the TLS handshake failed";
  }
}

const char* text_of(codec::flaw found) noexcept {
  switch (found) {
    case codec::flaw::missing:
      return "the client shows no certificate";
    case codec::flaw::untrusted:
      return "no authority of client_ca has issued the client's certificate";
    case codec::flaw::expired:
      return "the client's certificate, or one above it, has expired";
    case codec::flaw::not_yet_valid:
      return "the client's certificate, or one above it, is not valid yet";
    default:
      return "the client's certificate cannot be used for this";
  }
}

}  // namespace

server_codec::server_codec(std::shared_ptr<const server_context> context, bool exportable,
                           unsigned thread) noexcept
    : context_(std::move(context)), thread_(thread) {
  export_.wanted = exportable;
}

server_codec::server_codec(server_codec&& other) noexcept = default;

server_codec& server_codec::operator=(server_codec&& other) noexcept {
  if (this == &other) return *this;
  this->~server_codec();
  return *new (this) server_codec(std::move(other));
}

server_codec::~server_codec() = default;

void server_codec::explain(int library_code, failure_report& to) const noexcept {
  to.what.text = reason(library_code, stage_ == stage::established);
  if (!check_) return;
  if (check_->found != flaw::none) to.found = check_->found;
  if (library_code == NO_PEER_CERT) to.found = flaw::missing;
  // The callback is not asked about what does not parse, nor about an intermediate that may not
  // sign once it has been.
  if (library_code == ASN_PARSE_E || library_code == MAX_CHAIN_ERROR) to.found = flaw::unfit;
  if (to.found == flaw::none && library_code == NOT_CA_ERROR) to.found = flaw::untrusted;
  if (to.found != flaw::none) to.what.text = text_of(to.found);
}

std::unique_ptr<peer_certificate> server_codec::take_peer() noexcept { return std::move(peer_); }

step server_codec::negotiate(std::span<const std::byte>& in, output& out) {
  return stage_ == stage::hello ? take_hello(in, out) : accept({}, in, out);
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
  WOLFSSL_CTX* const by = context_of(*entry);
  ssl_ = wolfSSL_new(by);
  if (ssl_ == nullptr) return fail(MEMORY_E, out);
  if (context_->options().client_ca) {
    check_ = std::make_unique<client_check>();
    check_->by = by;
    wolfSSL_SetCertCbCtx(ssl_, check_.get());
  }
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
  const step how = accept(record, in, out);
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

step server_codec::accept(std::span<const std::byte> hello, std::span<const std::byte>& in,
                          output& out) {
  call now{.hello = hello, .in = &in, .out = &out, .kept = &kept_, .server_name = server_name_};
  now.seen = export_.seen.get();
  now.ticket_chain = &ticket_chain_;
  begin(ssl_, now);
  const step how = after_handshake_call(wolfSSL_accept(ssl_), out);
  if (check_) end_check();
  return how;
}

WOLFSSL_CTX* server_codec::context_of(const context_entry& entry) const noexcept {
  return entry.of_thread[entry.of_thread.size() > 1 ? thread_ : 0];
}

// The intermediates that were sent with a certificate have done what they were for, whatever came
// of it.
void server_codec::end_check() noexcept {
  if (std::exchange(check_->asked, false) || stage_ == stage::failed) {
    wolfSSL_CertManagerUnloadIntermediateCerts(wolfSSL_CTX_GetCertManager(check_->by));
  }
  if (stage_ != stage::established) return;
  wolfSSL_SetCertCbCtx(ssl_, nullptr);
  peer_ = std::move(check_->shown);
  check_.reset();
}

std::string_view server_codec::protocol() const noexcept {
  return stage_ == stage::established ? protocol_ : std::string_view{};
}

}  // namespace rw::tls
