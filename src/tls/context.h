// What every connection of one listener shares: certificates, versions, suites, groups, tickets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tls/authorities.h"
#include "tls/certificate.h"
#include "tls/tickets.h"
#include "tls/version.h"

namespace rw::tls {

struct client_hello;
struct context_entry;  // one certificate and its WOLFSSL_CTX

// A listener's [listener.tls], without its certificates.
struct server_options {
  std::string listener;  // its name: tickets of one listener are worthless at another
  protocol_version min_version = protocol_version::tls12;
  std::vector<std::string> groups;     // in order of preference; empty: every group that is_group()
  std::vector<std::string> ciphers;    // in order of preference; empty: the default order
  std::vector<std::string> protocols;  // ALPN, in order of preference; empty: no ALPN is answered
  bool strict_sni = false;
  bool session_tickets = true;
  bool kernel_offload = true;  // records may be the kernel's work, where it can
  // Clients are asked for a certificate and verified by these; null: nobody is asked. Sessions are
  // then never resumed: a ticket would stand for a certificate that nobody looks at again.
  std::shared_ptr<const authorities> client_ca;
  bool client_required = false;  // else a client without a certificate comes in all the same
  unsigned threads = 1;          // that make codecs; matters with client_ca alone
};

// True for the names that `ciphers` may hold: TLS 1.3 suites and TLS 1.2's ECDHE ones with an AEAD,
// by the RFC's name ("TLS_AES_128_GCM_SHA256") or OpenSSL's ("ECDHE-RSA-AES128-GCM-SHA256").
bool is_cipher(std::string_view name) noexcept;

// True for the names that `groups` may hold: X25519MLKEM768, X25519, P-256, P-384, P-521; also
// those of them that the linked wolfSSL lacks.
bool is_group(std::string_view name) noexcept;

// Immutable once made, and shared by all workers: wolfSSL counts the references to a WOLFSSL_CTX
// with atomics and changes nothing else in one after it is set up. One WOLFSSL_CTX per certificate,
// so that a connection copies none. With client_ca one per thread and certificate, for the reason
// that client_context has one per thread.
//
// Refused whatever the options say: renegotiation, early data, compression, session ids (tickets
// only), resumption without a fresh key exchange.
class server_context {
 public:
  // `certificates`: at least one; the first serves clients that name no server or an unknown one.
  // `keys` may be null when session_tickets is false.
  // Errors: fault::invalid, origin::configuration: no certificate, an unknown cipher or group name,
  // no group or suite left, none that the certificates' kinds can be used with.
  static result<std::shared_ptr<const server_context>> create(
      server_options options, std::vector<std::shared_ptr<const certificate>> certificates,
      std::shared_ptr<const ticket_keys> keys);
  ~server_context();
  server_context(const server_context&) = delete;
  server_context& operator=(const server_context&) = delete;

  // Groups of the options that the linked wolfSSL lacks and that are therefore not offered.
  std::span<const std::string> dropped_groups() const noexcept { return dropped_groups_; }
  const server_options& options() const noexcept { return options_; }

 private:
  friend class server_codec;

  struct by_name;  // which entries a server name may be served with

  server_context();

  // The certificate for a server name: exact, then its wildcard (RFC 6125 6.4.3: one whole label).
  // Of several for one name the first whose key the client can verify. Null: strict_sni refuses.
  const context_entry* choose(const client_hello& hello) const noexcept;
  // Our first protocol that the client offers. Empty when there is none.
  std::string_view choose_protocol(const client_hello& hello) const noexcept;

  // False when no key exchange can come of it. wolfSSL would ask the client for a group that it has
  // not, in TLS 1.3, or just hang up.
  bool has_common_group(const client_hello& hello) const noexcept;
  // The groups for TLS 1.2, by their numbers on the wire.
  std::span<const std::uint16_t> groups_tls12() const noexcept { return groups_tls12_; }

  server_options options_;
  std::vector<std::string> dropped_groups_;
  std::vector<std::uint16_t> groups_;  // of any version
  std::vector<std::uint16_t> groups_tls12_;
  std::shared_ptr<const ticket_keys> keys_;
  std::vector<std::unique_ptr<context_entry>> entries_;
  std::unique_ptr<by_name> names_;
};

}  // namespace rw::tls
