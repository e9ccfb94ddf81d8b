#include "tls/client_codec.h"

#include <arpa/inet.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <utility>

#include "tls/io.h"
#include "tls/verification.h"

namespace rw::tls {
namespace {

// wolfSSL 5.7 takes any session id of a TLS 1.2 server for a yes to its ticket, where it may be a
// new one (RFC 5077 3.4), and ends the connection when it was none: every server that has changed
// its ticket keys would seem to have failed.
constexpr bool resumes_tls12 = LIBWOLFSSL_VERSION_HEX >= 0x05008000;

const char* text_of(codec::flaw found) noexcept {
  switch (found) {
    case codec::flaw::untrusted:
      return "no trusted authority has issued the server's certificate";
    case codec::flaw::name:
      return "the server's certificate is for another name";
    case codec::flaw::expired:
      return "the server's certificate, or one above it, has expired";
    case codec::flaw::not_yet_valid:
      return "the server's certificate, or one above it, is not valid yet";
    case codec::flaw::pin:
      return "no key in the server's chain is a pinned one";
    case codec::flaw::unfit:
      return "the server's certificate cannot be used for this";
    case codec::flaw::missing:
    case codec::flaw::none:
      break;
  }
  return "";
}

const char* text_of(int code, bool established) noexcept {
  switch (code) {
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
      return "the server chooses a cipher suite that was not offered";
    case VERSION_ERROR:
    case UNSUPPORTED_PROTO_VERSION:
      return "the server speaks neither TLS 1.2 nor 1.3";
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
      return "the server chooses a protocol that was not offered";
    case VERIFY_MAC_ERROR:
    case DECRYPT_ERROR:
    case AES_GCM_AUTH_E:
    case MAC_CMP_FAILED_E:
      return "a record does not authenticate";
    case FATAL_ERROR:
      return "the server ended the connection with an alert";
    case OUT_OF_ORDER_E:
    case DUPLICATE_MSG_E:
    case SANITY_MSG_E:
      return "a handshake message at a time that is not its own";
    default:
      return established ? "a TLS record that breaks the protocol" : "the TLS handshake failed";
  }
}

bool is_address(std::string_view name) {
  in6_addr bytes{};
  const std::string text(name);
  return inet_pton(AF_INET, text.c_str(), &bytes) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &bytes) == 1;
}

}  // namespace

client_codec::client_codec(std::shared_ptr<client_target> target, mono_time now) noexcept
    : target_(std::move(target)), began_at_(now) {
  server_name_ = target_->server_name();
}

client_codec::~client_codec() = default;

void client_codec::explain(int library_code, failure_report& to) const noexcept {
  if (check_) to.found = check_->found;
  // An intermediate that may not sign is refused after the callback has seen it.
  if (to.found == flaw::none && library_code == NOT_CA_ERROR) to.found = flaw::untrusted;
  to.what.from = origin::upstream;
  to.what.text = to.found != flaw::none ? text_of(to.found)
                                        : text_of(library_code, stage_ == stage::established);
}

bool client_codec::agree_on_protocol() {
  std::string name = target_->context_->options().protocol;
  return wolfSSL_UseALPN(ssl_, name.data(), static_cast<unsigned>(name.size()),
                         WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

std::string_view client_codec::protocol() const noexcept {
  char* name = nullptr;
  unsigned short size = 0;
  if (stage_ != stage::established ||
      wolfSSL_ALPN_GetProtocol(ssl_, &name, &size) != WOLFSSL_SUCCESS) {
    return {};
  }
  return {name, size};
}

// False when there is no memory.
bool client_codec::start() {
  const client_context& by = *target_->context_;
  ssl_ = wolfSSL_new(by.of_thread_[target_->thread_]);
  if (ssl_ == nullptr || !agree_on_protocol()) return false;
  stage_ = stage::negotiating;
  check_ = std::make_unique<server_check>(by.options(), target_->server_name());
  wolfSSL_SetCertCbCtx(ssl_, check_.get());
  wolfSSL_set_SessionTicket_cb(
      ssl_,
      [](WOLFSSL* ssl, const unsigned char*, int, void*) {
        static_cast<call*>(wolfSSL_GetIOReadCtx(ssl))->ticket_arrived = true;
        return 0;
      },
      nullptr);
  if (!server_name_.empty() && !is_address(server_name_) &&
      wolfSSL_UseSNI(ssl_, WOLFSSL_SNI_HOST_NAME, server_name_.data(),
                     static_cast<unsigned short>(server_name_.size())) != WOLFSSL_SUCCESS) {
    return false;
  }
  if (target_->session_ == nullptr) return true;
  if (began_at_ - target_->verified_at_ >= client_target::verified_for) {
    target_->forget_session();
    return true;
  }
  // A copy: wolfSSL writes into the session of a connection, and several may resume this one.
  WOLFSSL_SESSION* const copy = wolfSSL_SESSION_dup(target_->session_);
  if (copy == nullptr) return false;
  // A session that is too old is refused, and the handshake is a full one.
  wolfSSL_set_session(ssl_, copy);
  wolfSSL_SESSION_free(copy);
  offered_ = true;
  return true;
}

step client_codec::negotiate(std::span<const std::byte>& in, output& out) {
  if (stage_ == stage::hello && !start()) return fail(MEMORY_E, out);
  if (!answered_ && !in.empty()) {
    constexpr std::byte alert{21};
    constexpr std::byte handshake{22};
    answered_ = true;
    if (in.front() != alert && in.front() != handshake) {
      refuse(fault::malformed, "the server does not speak TLS", -1, out);
      failure_.what.from = origin::upstream;
      return step::failed;
    }
  }
  call now{.hello = {}, .in = &in, .out = &out, .kept = &kept_};
  begin(ssl_, now);
  const step how = after_handshake_call(wolfSSL_connect(ssl_), out);
  // The intermediates that were sent with the certificate have done what they were for.
  if (std::exchange(check_->asked, false)) {
    WOLFSSL_CTX* const context = target_->context_->of_thread_[target_->thread_];
    wolfSSL_CertManagerUnloadIntermediateCerts(wolfSSL_CTX_GetCertManager(context));
  }
  if (stage_ == stage::failed) target_->forget_session();
  if (stage_ != stage::established) return how;
  wolfSSL_SetCertCbCtx(ssl_, nullptr);
  check_.reset();
  // In TLS 1.2 a session is whole by now, with a ticket or without; in 1.3 tickets are still to
  // come.
  if (version() == protocol_version::tls12 && resumes_tls12) on_ticket();
  return how;
}

void client_codec::on_ticket() {
  if (stage_ != stage::established) return;
  // A TLS 1.2 session that began with a ticket the server refused is never resumed: wolfSSL mixes
  // the two up. The next handshake starts with none.
  if (offered_ && !resumed() && version() == protocol_version::tls12) {
    return target_->forget_session();
  }
  WOLFSSL_SESSION* const shared = wolfSSL_get1_session(ssl_);
  WOLFSSL_SESSION* const copy = wolfSSL_SESSION_dup(shared);
  wolfSSL_SESSION_free(shared);
  if (copy == nullptr) return;
  target_->forget_session();
  target_->session_ = copy;
  if (!resumed()) target_->verified_at_ = began_at_;
}

}  // namespace rw::tls
