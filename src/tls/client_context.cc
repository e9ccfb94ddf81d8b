#include "tls/client_context.h"

#include <sodium.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <utility>

#include "tls/io.h"
#include "tls/library.h"
#include "tls/suites.h"
#include "tls/verification.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

// X25519 first: what every server has, in a ClientHello of one packet. One that prefers the hybrid
// group asks for it (RFC 8446 4.1.4).
constexpr std::string_view group_names[] = {"X25519", "X25519MLKEM768", "P-256", "P-384"};

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool show_own(WOLFSSL_CTX* context, const certificate& own) {
  const std::string_view chain = own.chain_pem();
  const std::string_view key = own.key_der().view();
  return wolfSSL_CTX_use_certificate_chain_buffer_format(context, bytes_of(chain),
                                                         static_cast<long>(chain.size()),
                                                         WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS &&
         wolfSSL_CTX_use_PrivateKey_buffer(context, bytes_of(key), static_cast<long>(key.size()),
                                           WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
}

bool set_up(WOLFSSL_CTX* context, const client_options& from) {
  std::string list;
  for (const suite* each : usual_suites()) {
    if (!list.empty()) list += ':';
    list += each->library;
  }
  std::vector<int> groups;
  for (const std::string_view name : group_names) {
    const group* found = find_group(name);
    if (found->linked) groups.push_back(found->id);
  }
  constexpr auto ok = WOLFSSL_SUCCESS;
  if (wolfSSL_CTX_SetMinVersion(context, WOLFSSL_TLSV1_2) != ok ||
      wolfSSL_CTX_set_cipher_list(context, list.c_str()) != ok ||
      wolfSSL_CTX_set_groups(context, groups.data(), static_cast<int>(groups.size())) != ok ||
      wolfSSL_CTX_set_group_messages(context) != ok ||
      wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF) != ok ||
      wolfSSL_CTX_UseSessionTicket(context) != ok) {
    return false;
  }
  wolfSSL_CTX_only_dhe_psk(context);
  constexpr auto resumable = std::chrono::seconds(client_target::verified_for).count();
  wolfSSL_CTX_set_timeout(context, static_cast<unsigned>(resumable));
  wolfSSL_CTX_SetMinRsaKey_Sz(context, 2048);
  attach_io(context);
  attach_verification(context);
  if (from.trusted) {
    for (const std::string& der : from.trusted->certificates()) {
      if (wolfSSL_CTX_load_verify_buffer(context, bytes_of(der), static_cast<long>(der.size()),
                                         WOLFSSL_FILETYPE_ASN1) != ok) {
        return false;
      }
    }
  }
  return !from.own || show_own(context, *from.own);
}

}  // namespace

result<key_pin> parse_pin(std::string_view text) {
  constexpr std::string_view prefix = "sha256/";
  key_pin pin;
  std::size_t size = 0;
  const char* end = nullptr;
  if (text.starts_with(prefix)) {
    const std::string_view digits = text.substr(prefix.size());
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(pin.data()), pin.size(), digits.data(),
                          digits.size(), nullptr, &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) == 0 &&
        size == pin.size() && end == digits.data() + digits.size()) {
      return pin;
    }
  }
  return failure({.code = fault::invalid,
                  .from = origin::configuration,
                  .text = "a pin is \"sha256/\" and the SHA-256 of a public key in Base64"});
}

std::array<std::byte, 32> client_context::fingerprint_of(const client_options& options) {
  std::array<std::byte, 32> out;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, out.size());
  const auto add = [&state](const void* bytes, std::size_t size) {
    crypto_generichash_update(&state, static_cast<const unsigned char*>(bytes), size);
  };
  const auto add_part = [&add](std::string_view part) {
    const std::uint64_t size = part.size();
    add(&size, sizeof size);
    add(part.data(), part.size());
  };
  const unsigned char verify = options.verify ? 1 : 0;
  add(&verify, 1);
  const std::uint64_t pins = options.pins.size();
  add(&pins, sizeof pins);
  for (const key_pin& one : options.pins) add(one.data(), one.size());
  const key_pin none{};
  const auto& trusted = options.trusted ? options.trusted->fingerprint() : none;
  add(trusted.data(), trusted.size());
  add_part(options.protocol);
  add_part(options.own ? std::string_view(options.own->chain_pem()) : std::string_view{});
  add_part(options.own ? options.own->key_der().view() : std::string_view{});
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(out.data()), out.size());
  return out;
}

result<std::shared_ptr<const client_context>> client_context::create(client_options options,
                                                                     unsigned threads) {
  if (auto started = library_init(); !started) return failure(started.error());
  std::shared_ptr<client_context> made(new client_context);
  made->fingerprint_ = fingerprint_of(options);
  for (unsigned i = 0; i < threads; ++i) {
    made->of_thread_.push_back(wolfSSL_CTX_new(wolfSSLv23_client_method()));
    if (made->of_thread_.back() == nullptr || !set_up(made->of_thread_.back(), options)) {
      return failure({.code = fault::invalid,
                      .from = origin::configuration,
                      .text = "wolfSSL refuses the authorities or the certificate of our own"});
    }
  }
  made->options_ = std::move(options);
  return made;
}

client_context::~client_context() {
  for (WOLFSSL_CTX* one : of_thread_) wolfSSL_CTX_free(one);
}

client_target::client_target(std::shared_ptr<const client_context> by, unsigned thread,
                             std::string_view server_name)
    : context_(std::move(by)), thread_(thread), server_name_(lower_case(server_name)) {}

client_target::~client_target() { forget_session(); }

void client_target::forget_session() noexcept {
  wolfSSL_SESSION_free(std::exchange(session_, nullptr));
}

}  // namespace rw::tls
