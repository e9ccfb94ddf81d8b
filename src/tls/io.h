// The two ends of wolfSSL that face the network and the ticket keys. Inside tls/ only.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "tls/codec.h"
#include "tls/tickets.h"

struct WOLFSSL;
struct WOLFSSL_CTX;

namespace rw::tls {

struct context_entry;
struct server_check;

// What one call into wolfSSL may read and write. It lives on the stack of that call, so that a
// codec can be moved between calls; its address is given to wolfSSL anew for each.
struct call {
  std::span<const std::byte> hello;  // read before `in`: a ClientHello that came in pieces
  std::span<const std::byte>* in = nullptr;
  output* out = nullptr;
  std::vector<std::byte>* kept = nullptr;
  std::string_view server_name;
  traffic_state* seen = nullptr;         // null: nobody wants it
  std::uint8_t* ticket_chain = nullptr;  // during the handshake: the codec's count
  // The records are made by somebody else: wolfSSL's own go nowhere, and this says that one did.
  bool discards = false;
  bool discarded = false;
  bool ticket_arrived = false;    // of a client
  server_check* check = nullptr;  // of a client, during the handshake
};

// For every WOLFSSL of `context`: receive from and send to the `call` under way.
void attach_io(WOLFSSL_CTX* context) noexcept;

// Points wolfSSL at `now` for its next call.
void begin(WOLFSSL* ssl, call& now) noexcept;

// Has wolfSSL give the secret for `call::seen`, during the handshake.
void attach_secret(WOLFSSL* ssl) noexcept;

// Tickets sealed with `keys` for this listener and certificate; null: none are issued or taken.
void attach_tickets(context_entry& to, const ticket_keys* keys, std::string_view listener);

}  // namespace rw::tls
