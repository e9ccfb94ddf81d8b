#include "tls/io.h"

#include <sodium.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "tls/entry.h"

namespace rw::tls {
namespace {

int receive(WOLFSSL*, char* to, int size, void* context) noexcept {
  call& now = *static_cast<call*>(context);
  auto& from = now.hello.empty() ? *now.in : now.hello;
  // No input while an answer waits for room: a peer cannot make us pile answers up.
  if (from.empty() || !now.kept->empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
  const auto part = from.first(std::min(from.size(), static_cast<std::size_t>(size)));
  std::memcpy(to, part.data(), part.size());
  from = from.subspan(part.size());
  return static_cast<int>(part.size());
}

int send(WOLFSSL*, char* data, int size, void* context) noexcept {
  call& now = *static_cast<call*>(context);
  if (now.discards) {
    now.discarded = true;
    return size;
  }
  std::span<const std::byte> from(reinterpret_cast<const std::byte*>(data),
                                  static_cast<std::size_t>(size));
  // Of a handshake the last record is Finished: nonce, 16 bytes, tag (RFC 5246 7.4.9, RFC 5288 3).
  if (constexpr std::size_t finished = 8 + 16 + 16; now.seen != nullptr && from.size() > finished) {
    std::memcpy(now.seen->nonce.data(), from.last(finished).data(), now.seen->nonce.size());
  }
  if (now.kept->empty()) {
    const auto fits = from.first(std::min(from.size(), now.out->room()));
    if (!fits.empty()) std::memcpy(now.out->data + now.out->size, fits.data(), fits.size());
    now.out->size += fits.size();
    from = from.subspan(fits.size());
  }
  now.kept->insert(now.kept->end(), from.begin(), from.end());
  return size;
}

int keep_secret(WOLFSSL* ssl, int id, const unsigned char* secret, int size, void*) noexcept {
  const auto& now = *static_cast<const call*>(wolfSSL_GetIOReadCtx(ssl));
  if (id == SERVER_TRAFFIC_SECRET && now.seen != nullptr) {
    now.seen->secret.emplace(std::as_bytes(std::span(secret, static_cast<std::size_t>(size))));
  }
  return 0;
}

// wolfSSL's room for a ticket's nonce is 16 bytes and for its tag 32: ours are 24 and 16. One of
// the 8 that are left says how many resumptions are behind the session.
constexpr std::size_t iv_bytes = WOLFSSL_TICKET_IV_SZ;
constexpr std::size_t nonce_rest = ticket_keys::nonce_bytes - iv_bytes;
static_assert(WOLFSSL_TICKET_NAME_SZ == ticket_keys::name_bytes);
constexpr std::size_t chain_at = ticket_keys::tag_bytes + nonce_rest;
static_assert(WOLFSSL_TICKET_MAC_SZ > chain_at);
// wolfSSL goes on counting a session's ticket nonces, of one byte, through all its resumptions, and
// fails the handshake that would be one too many (RFC 8446 4.6.1): well before that a session ends.
constexpr std::uint8_t ticket_chain_max = 200;

// A ticket opens for the server name it was issued under and no other (RFC 6066 3); the count is
// bound to it as well.
std::array<std::byte, 33> binding_for(const context_entry& of, std::string_view name,
                                      std::uint8_t chain) {
  std::array<std::byte, 33> out;
  crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size() - 1,
                     reinterpret_cast<const unsigned char*>(name.data()), name.size(),
                     reinterpret_cast<const unsigned char*>(of.ticket_binding.data()),
                     of.ticket_binding.size());
  out.back() = std::byte{chain};
  return out;
}

int ticket(WOLFSSL* ssl, unsigned char* name, unsigned char* iv, unsigned char* mac, int encrypt,
           unsigned char* bytes, int size, int* out_size, void* context) noexcept {
  const auto& from = *static_cast<const context_entry*>(context);
  const auto& now = *static_cast<const call*>(wolfSSL_GetIOReadCtx(ssl));
  if (now.ticket_chain == nullptr) return WOLFSSL_TICKET_RET_FATAL;  // never: see call
  const std::uint8_t chain = encrypt != 0 ? *now.ticket_chain : mac[chain_at];
  const auto binding = binding_for(from, now.server_name, chain);
  const std::span body(reinterpret_cast<std::byte*>(bytes), static_cast<std::size_t>(size));
  *out_size = size;
  if (encrypt == 0 && chain > ticket_chain_max) return WOLFSSL_TICKET_RET_REJECT;
  ticket_keys::sealing by;
  if (encrypt != 0) {
    by = from.keys->seal(body, binding);
    std::memcpy(name, by.name.data(), by.name.size());
    std::memcpy(iv, by.nonce.data(), iv_bytes);
    std::memset(mac, 0, WOLFSSL_TICKET_MAC_SZ);
    std::memcpy(mac, by.tag.data(), by.tag.size());
    std::memcpy(mac + by.tag.size(), by.nonce.data() + iv_bytes, nonce_rest);
    mac[chain_at] = chain;
    return WOLFSSL_TICKET_RET_OK;
  }
  std::memcpy(by.name.data(), name, by.name.size());
  std::memcpy(by.nonce.data(), iv, iv_bytes);
  std::memcpy(by.tag.data(), mac, by.tag.size());
  std::memcpy(by.nonce.data() + iv_bytes, mac + by.tag.size(), nonce_rest);
  const auto opened = from.keys->open(by, body, binding);
  if (opened == ticket_keys::opened::no) return WOLFSSL_TICKET_RET_REJECT;
  *now.ticket_chain = static_cast<std::uint8_t>(chain + 1);
  // CREATE renews the ticket. Only for TLS 1.2: TLS 1.3 gives a new one each time anyway, and there
  // wolfSSL takes CREATE for a refusal.
  const bool renew = opened == ticket_keys::opened::with_previous_key &&
                     wolfSSL_version(ssl) == static_cast<int>(protocol_version::tls12);
  return renew ? WOLFSSL_TICKET_RET_CREATE : WOLFSSL_TICKET_RET_OK;
}

}  // namespace

void attach_io(WOLFSSL_CTX* context) noexcept {
  wolfSSL_CTX_SetIORecv(context, receive);
  wolfSSL_CTX_SetIOSend(context, send);
}

void begin(WOLFSSL* ssl, call& now) noexcept {
  wolfSSL_SetIOReadCtx(ssl, &now);
  wolfSSL_SetIOWriteCtx(ssl, &now);
}

void attach_secret(WOLFSSL* ssl) noexcept {
  wolfSSL_set_tls13_secret_cb(ssl, keep_secret, nullptr);
}

void attach_tickets(context_entry& to, const ticket_keys* keys, std::string_view listener) {
  to.keys = keys;
  if (keys == nullptr) {
    for (WOLFSSL_CTX* const one : to.of_thread) {
      wolfSSL_CTX_NoTicketTLSv12(one);
      wolfSSL_CTX_no_ticket_TLSv13(one);
    }
    return;
  }
  const auto& print = to.served->fingerprint();
  crypto_generichash(reinterpret_cast<unsigned char*>(to.ticket_binding.data()),
                     to.ticket_binding.size(),
                     reinterpret_cast<const unsigned char*>(listener.data()), listener.size(),
                     reinterpret_cast<const unsigned char*>(print.data()), print.size());
  constexpr auto lifetime = static_cast<int>(
      std::chrono::duration_cast<std::chrono::seconds>(ticket_key_lifetime).count());
  for (WOLFSSL_CTX* const one : to.of_thread) {
    wolfSSL_CTX_set_timeout(one, lifetime);
    wolfSSL_CTX_set_TicketHint(one, lifetime);
    wolfSSL_CTX_set_num_tickets(one, 1);
    wolfSSL_CTX_only_dhe_psk(one);
    wolfSSL_CTX_set_TicketEncCb(one, ticket);
    wolfSSL_CTX_set_TicketEncCtx(one, &to);
  }
}

}  // namespace rw::tls
