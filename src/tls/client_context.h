// How the servers of one upstream are spoken to by TLS: whom to trust, and who we are.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "tls/authorities.h"
#include "tls/certificate.h"

struct WOLFSSL_CTX;
struct WOLFSSL_SESSION;

namespace rw::tls {

using key_pin = std::array<std::byte, 32>;  // SHA-256 of a subjectPublicKeyInfo

// Errors: fault::invalid for anything but "sha256/" and 32 bytes of Base64.
result<key_pin> parse_pin(std::string_view text);

struct client_options {
  bool verify = true;
  std::vector<key_pin> pins;  // one must be in the verified chain; checked without `verify` as well
  std::shared_ptr<const authorities> trusted;  // null: verify is false
  std::shared_ptr<const certificate> own;      // null: we have none to show
  std::string protocol = "http/1.1";           // the only one that is offered, by ALPN
};

// Immutable once made, but for what wolfSSL keeps while it verifies: it puts the intermediates that
// a server sends among the authorities, where they are until the handshake has read them. So each
// thread has a WOLFSSL_CTX of its own, and no handshake waits for another's lock.
//
// TLS 1.2 and 1.3 with the suites of server_context in their usual order, X25519 first; ALPN.
// Refused: renegotiation, early data, resumption without a fresh key exchange.
class client_context {
 public:
  // Errors: fault::invalid, origin::configuration; fault::exhausted.
  static result<std::shared_ptr<const client_context>> create(client_options options,
                                                              unsigned threads);
  ~client_context();
  client_context(const client_context&) = delete;
  client_context& operator=(const client_context&) = delete;

  const client_options& options() const noexcept { return options_; }
  // Equal for equal options: then sessions and connections may be kept.
  const std::array<std::byte, 32>& fingerprint() const noexcept { return fingerprint_; }
  static std::array<std::byte, 32> fingerprint_of(const client_options& options);

 private:
  friend class client_codec;

  client_context() = default;

  client_options options_;
  std::array<std::byte, 32> fingerprint_{};
  std::vector<WOLFSSL_CTX*> of_thread_;
};

// One server as one thread speaks to it, and the session to resume with it. Of that thread.
class client_target {
 public:
  // Verification is repeated after so long, however many sessions are resumed meanwhile: a server
  // whose certificate has expired is noticed.
  static constexpr std::chrono::hours verified_for{1};

  // `thread`: below the number that the context was made for. `server_name`: a DNS name, or an IP
  // address, which SNI does not name (RFC 6066 3).
  client_target(std::shared_ptr<const client_context> by, unsigned thread,
                std::string_view server_name);
  ~client_target();
  client_target(const client_target&) = delete;
  client_target& operator=(const client_target&) = delete;

  const std::shared_ptr<const client_context>& context() const noexcept { return context_; }
  std::string_view server_name() const noexcept { return server_name_; }
  bool has_session() const noexcept { return session_ != nullptr; }
  void forget_session() noexcept;

 private:
  friend class client_codec;

  std::shared_ptr<const client_context> context_;
  unsigned thread_;
  std::string server_name_;
  WOLFSSL_SESSION* session_ = nullptr;
  mono_time verified_at_;  // when the server of session_ showed its certificate
};

}  // namespace rw::tls
