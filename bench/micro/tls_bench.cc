// What a TLS 1.3 handshake costs the server, by key exchange and certificate. The client, on the
// same library, is not in the figures.
#include <benchmark/benchmark.h>
#include <wolfssl/ssl.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/library.h"
#include "tls/server_codec.h"
#include "tls/tickets.h"

namespace {

using namespace rw;
using clock = std::chrono::steady_clock;

struct ssl_free {
  void operator()(WOLFSSL* what) const { wolfSSL_free(what); }
  void operator()(WOLFSSL_CTX* what) const { wolfSSL_CTX_free(what); }
  void operator()(WOLFSSL_SESSION* what) const { wolfSSL_SESSION_free(what); }
};

// What goes from one end to the other, as the client's callbacks see it.
struct wire {
  std::string to_client;
  std::string to_server;

  static int receive(WOLFSSL*, char* to, int size, void* context) {
    std::string& from = static_cast<wire*>(context)->to_client;
    if (from.empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
    const std::size_t part = from.copy(to, static_cast<std::size_t>(size));
    from.erase(0, part);
    return static_cast<int>(part);
  }
  static int send(WOLFSSL*, char* data, int size, void* context) {
    static_cast<wire*>(context)->to_server.append(data, static_cast<std::size_t>(size));
    return size;
  }
};

struct variant {
  const char* group = "X25519";
  int group_number = WOLFSSL_ECC_X25519;
  const char* cipher = "TLS_AES_128_GCM_SHA256";
  bool rsa = false;
  bool resumed = false;
};

// RSA keys take long to make and we have no other use for making them.
std::string output_of(const char* command) {
  std::string out;
  const std::unique_ptr<FILE, int (*)(FILE*)> from(popen(command, "r"), &pclose);
  if (!from) return out;
  std::array<char, 4096> room;
  while (const std::size_t got = std::fread(room.data(), 1, room.size(), from.get())) {
    out.append(room.data(), got);
  }
  return out;
}

result<tls::certificate> make_certificate(bool rsa) {
  if (rsa) {
    const std::string both = output_of(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout - -out - -days 2 -subj /CN=a.example "
        "2>/dev/null");
    return tls::certificate::load(both, secret(std::string_view(both)));
  }
  const std::array<std::string, 1> names = {"a.example"};
  const auto now = std::chrono::system_clock::now();
  result<tls::self_signed> made = tls::make_self_signed(names, {}, now, std::chrono::hours{24});
  if (!made) return failure(made.error());
  return tls::certificate::load(made->chain_pem, made->key_pem);
}

std::shared_ptr<const tls::server_context> make_server(const variant& how) {
  result<tls::certificate> held = make_certificate(how.rsa);
  if (!held) return nullptr;
  auto made =
      tls::server_context::create({.groups = {how.group}, .ciphers = {how.cipher}},
                                  {std::make_shared<const tls::certificate>(std::move(*held))},
                                  std::make_shared<const tls::ticket_keys>(clock::now()));
  return made ? *made : nullptr;
}

// The server's time for one handshake; negative when it failed. `keep` gets what to resume with.
std::chrono::nanoseconds shake(const std::shared_ptr<const tls::server_context>& context,
                               WOLFSSL_CTX* clients, const variant& how, WOLFSSL_SESSION* with,
                               std::unique_ptr<WOLFSSL_SESSION, ssl_free>* keep) {
  wire between;
  const std::unique_ptr<WOLFSSL, ssl_free> client(wolfSSL_new(clients));
  wolfSSL_SetIOReadCtx(client.get(), &between);
  wolfSSL_SetIOWriteCtx(client.get(), &between);
  wolfSSL_UseKeyShare(client.get(), static_cast<word16>(how.group_number));
  if (with != nullptr) wolfSSL_set_session(client.get(), with);
  std::array<std::byte, 16384> room;
  bool established = wolfSSL_connect(client.get()) == WOLFSSL_SUCCESS;
  const clock::time_point made = clock::now();
  tls::server_codec server(context);
  clock::duration taken = clock::now() - made;
  for (tls::step at = tls::step::want_input; at != tls::step::done;) {
    tls::output out{room.data(), 0, room.size()};
    std::span<const std::byte> in = std::as_bytes(std::span(between.to_server));
    const clock::time_point began = clock::now();
    at = server.handshake(in, out);
    taken += clock::now() - began;
    between.to_server.clear();
    if (at == tls::step::failed) return std::chrono::nanoseconds{-1};
    between.to_client.append(reinterpret_cast<const char*>(room.data()), out.size);
    established = established || wolfSSL_connect(client.get()) == WOLFSSL_SUCCESS;
    if (!established && between.to_server.empty()) return std::chrono::nanoseconds{-1};
  }
  std::array<char, 64> nothing;
  wolfSSL_read(client.get(), nothing.data(), nothing.size());  // the ticket
  if (keep != nullptr) keep->reset(wolfSSL_get1_session(client.get()));
  const bool reused = wolfSSL_session_reused(client.get()) == 1;
  if (reused != (with != nullptr)) return std::chrono::nanoseconds{-1};
  const clock::time_point ends = clock::now();
  {
    const tls::server_codec gone = std::move(server);
  }
  return taken + (clock::now() - ends);
}

void handshake(benchmark::State& state, const variant& how) {
  random_init();
  if (!tls::library_init()) return state.SkipWithError("the library does not start");
  const auto context = make_server(how);
  if (!context) return state.SkipWithError("no such group or certificate here");
  const std::unique_ptr<WOLFSSL_CTX, ssl_free> clients(
      wolfSSL_CTX_new(wolfTLSv1_3_client_method()));
  wolfSSL_CTX_SetIORecv(clients.get(), &wire::receive);
  wolfSSL_CTX_SetIOSend(clients.get(), &wire::send);
  wolfSSL_CTX_UseSessionTicket(clients.get());
  wolfSSL_CTX_set_verify(clients.get(), WOLFSSL_VERIFY_NONE, nullptr);
  std::unique_ptr<WOLFSSL_SESSION, ssl_free> session;
  if (how.resumed) shake(context, clients.get(), how, nullptr, &session);
  for (auto _ : state) {
    const auto taken = shake(context, clients.get(), how, session.get(), nullptr);
    if (taken.count() < 0) return state.SkipWithError("the handshake failed");
    state.SetIterationTime(std::chrono::duration<double>(taken).count());
  }
}

constexpr variant ecdsa{};
constexpr variant aes256{.cipher = "TLS_AES_256_GCM_SHA384"};
constexpr variant p256{.group = "P-256", .group_number = WOLFSSL_ECC_SECP256R1};
constexpr variant hybrid{.group = "X25519MLKEM768", .group_number = WOLFSSL_X25519MLKEM768};
constexpr variant rsa2048{.rsa = true};
constexpr variant resumed{.resumed = true};

BENCHMARK_CAPTURE(handshake, ecdsa_x25519, ecdsa)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(handshake, aes256_sha384, aes256)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(handshake, p256, p256)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(handshake, x25519mlkem768, hybrid)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(handshake, rsa2048, rsa2048)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(handshake, resumed, resumed)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
