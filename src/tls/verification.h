// Whether a certificate is that of the server which was asked for, or of a client that may come in.
// Inside tls/ only.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "tls/client_context.h"
#include "tls/codec.h"
#include "tls/peer_certificate.h"

struct WOLFSSL_CTX;

namespace rw::tls {

// What one handshake is verified against, and what was found.
struct server_check {
  const client_options& by;
  std::string_view name;  // of a host, in lower case, or an address
  codec::flaw found = codec::flaw::none;
  bool asked = false;  // certificates have come
};

// The same for a client that shows a certificate.
struct client_check {
  WOLFSSL_CTX* by = nullptr;
  codec::flaw found = codec::flaw::none;
  bool asked = false;
  std::unique_ptr<peer_certificate> shown;  // verified; that the key is the client's is yet to come
};

// For every WOLFSSL of `context`: clients are asked for a certificate, and the client_check is the
// one that was given by wolfSSL_SetCertCbCtx. `required`: none is refused like a bad one.
void attach_client_verification(WOLFSSL_CTX* context, bool required) noexcept;

// For every WOLFSSL of `context`: the certificates are the server_check's that was given by
// wolfSSL_SetCertCbCtx.
void attach_verification(WOLFSSL_CTX* context) noexcept;

// By the subjectAltName alone (RFC 9525 6.3): the common name does not count. A wildcard is one
// whole label, the first, and stands before two more.
bool is_for(std::string_view leaf_der, std::string_view name);

// Whether one of `pins` is the key of the leaf, sent[0], or of a certificate that the way up from
// it by signatures leads over: among those that were sent, and the authorities.
bool has_pin(std::span<const std::string_view> sent, const client_options& by);

}  // namespace rw::tls
