#include "client.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "base/random.h"
#include "tls/library.h"

namespace rw::tls::testing {

namespace {

std::atomic<long> allocated{0};

void* allocate(std::size_t size) {
  void* got = std::malloc(size);
  allocated += static_cast<long>(malloc_usable_size(got));
  return got;
}

void release(void* held) {
  allocated -= static_cast<long>(malloc_usable_size(held));
  std::free(held);
}

void* resize(void* held, std::size_t size) {
  allocated -= static_cast<long>(malloc_usable_size(held));
  void* got = std::realloc(held, size);
  allocated += static_cast<long>(malloc_usable_size(got));
  return got;
}

}  // namespace

long allocated_bytes() { return allocated.load(); }

std::span<const std::byte> bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

session::~session() { wolfSSL_SESSION_free(held_); }

struct client_io {
  static int receive(WOLFSSL*, char* to, int size, void* context) {
    auto& from = static_cast<client*>(context)->received;
    if (from.empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
    const auto part = std::min(from.size(), static_cast<std::size_t>(size));
    std::memcpy(to, from.data(), part);
    from.erase(0, part);
    return static_cast<int>(part);
  }

  static int send(WOLFSSL*, char* data, int size, void* context) {
    static_cast<client*>(context)->sent.append(data, static_cast<std::size_t>(size));
    return size;
  }
};

namespace {

class libraries : public ::testing::Environment {
 public:
  void SetUp() override {
    random_init();
    wolfSSL_SetAllocators(allocate, release, resize);
    ASSERT_TRUE(library_init());
  }
};
[[maybe_unused]] const auto* const started = ::testing::AddGlobalTestEnvironment(new libraries);

WOLFSSL_METHOD* method(const client_options& options) {
  if (options.max_version == protocol_version::tls12) return wolfTLSv1_2_client_method();
  if (options.min_version == protocol_version::tls13) return wolfTLSv1_3_client_method();
  return wolfSSLv23_client_method();
}

}  // namespace

client::client(client_options options) : options_(std::move(options)) {
  context_ = wolfSSL_CTX_new(method(options_));
  EXPECT_NE(context_, nullptr);
  wolfSSL_CTX_SetIORecv(context_, client_io::receive);
  wolfSSL_CTX_SetIOSend(context_, client_io::send);
  wolfSSL_CTX_UseSessionTicket(context_);
  if (!options_.ciphers.empty()) {
    EXPECT_EQ(wolfSSL_CTX_set_cipher_list(context_, options_.ciphers.c_str()), WOLFSSL_SUCCESS);
  }
  if (options_.trusted.empty()) {
    wolfSSL_CTX_set_verify(context_, WOLFSSL_VERIFY_NONE, nullptr);
  } else {
    EXPECT_EQ(wolfSSL_CTX_load_verify_buffer(
                  context_, reinterpret_cast<const unsigned char*>(options_.trusted.data()),
                  static_cast<long>(options_.trusted.size()), WOLFSSL_FILETYPE_PEM),
              WOLFSSL_SUCCESS);
  }
  if (!options_.groups.empty()) {
    EXPECT_EQ(wolfSSL_CTX_set_groups(context_, options_.groups.data(),
                                     static_cast<int>(options_.groups.size())),
              WOLFSSL_SUCCESS);
    for (const int each : options_.groups) {
      wolfSSL_CTX_UseSupportedCurve(context_, static_cast<unsigned short>(each));
    }
  }
  if (!options_.own_chain.empty()) {
    const auto raw = [](const std::string& pem) {
      return reinterpret_cast<const unsigned char*>(pem.data());
    };
    EXPECT_EQ(wolfSSL_CTX_use_certificate_chain_buffer(
                  context_, raw(options_.own_chain), static_cast<long>(options_.own_chain.size())),
              WOLFSSL_SUCCESS);
    EXPECT_EQ(wolfSSL_CTX_use_PrivateKey_buffer(context_, raw(options_.own_key),
                                                static_cast<long>(options_.own_key.size()),
                                                WOLFSSL_FILETYPE_PEM),
              WOLFSSL_SUCCESS);
  }
  ssl_ = wolfSSL_new(context_);
  EXPECT_NE(ssl_, nullptr);
  if (!options_.groups.empty())
    wolfSSL_UseKeyShare(ssl_, static_cast<unsigned short>(options_.groups[0]));
  if (!options_.server_name.empty()) {
    wolfSSL_UseSNI(ssl_, WOLFSSL_SNI_HOST_NAME, options_.server_name.data(),
                   static_cast<unsigned short>(options_.server_name.size()));
    if (!options_.trusted.empty() && options_.check_name)
      wolfSSL_check_domain_name(ssl_, options_.server_name.c_str());
  }
  if (!options_.protocols.empty()) {
    wolfSSL_UseALPN(ssl_, options_.protocols.data(),
                    static_cast<unsigned>(options_.protocols.size()),
                    WOLFSSL_ALPN_CONTINUE_ON_MISMATCH);
  }
  wolfSSL_SetIOReadCtx(ssl_, this);
  wolfSSL_SetIOWriteCtx(ssl_, this);
}

client::~client() {
  wolfSSL_free(ssl_);
  wolfSSL_CTX_free(context_);
}

void client::resume(const session& with) {
  EXPECT_EQ(wolfSSL_set_session(ssl_, with.get()), WOLFSSL_SUCCESS);
}

bool client::handshake() {
  const int done = wolfSSL_connect(ssl_);
  if (done == WOLFSSL_SUCCESS) return true;
  const int code = wolfSSL_get_error(ssl_, done);
  if (code != WOLFSSL_ERROR_WANT_READ && error_ == 0) error_ = code;
  return false;
}

void client::write(std::string_view plaintext) {
  while (!plaintext.empty()) {
    const auto part = plaintext.substr(0, 16384);
    ASSERT_EQ(wolfSSL_write(ssl_, part.data(), static_cast<int>(part.size())),
              static_cast<int>(part.size()));
    plaintext.remove_prefix(part.size());
  }
}

std::string client::read() {
  std::string out;
  std::vector<char> room(1U << 16U);
  for (;;) {
    const int got = wolfSSL_read(ssl_, room.data(), static_cast<int>(room.size()));
    if (got <= 0) {
      const int code = wolfSSL_get_error(ssl_, got);
      if (code == WOLFSSL_ERROR_ZERO_RETURN) {
        saw_close_ = true;
      } else if (code != WOLFSSL_ERROR_WANT_READ && error_ == 0) {
        error_ = code;
      }
      return out;
    }
    out.append(room.data(), static_cast<std::size_t>(got));
  }
}

void client::close() { wolfSSL_shutdown(ssl_); }

void client::update_key() { EXPECT_EQ(wolfSSL_update_keys(ssl_), WOLFSSL_SUCCESS); }

bool client::misreads_refused_tickets() { return LIBWOLFSSL_VERSION_HEX < 0x05008000; }

session client::get_session() { return session(wolfSSL_get1_session(ssl_)); }

bool client::resumed() const { return wolfSSL_session_reused(ssl_) == 1; }

bool client::has_ticket() const {
  unsigned char room[4096];
  unsigned size = sizeof room;
  return wolfSSL_get_SessionTicket(ssl_, room, &size) == WOLFSSL_SUCCESS && size > 0;
}

std::string client::protocol() const {
  char* name = nullptr;
  unsigned short size = 0;
  if (wolfSSL_ALPN_GetProtocol(ssl_, &name, &size) != WOLFSSL_SUCCESS) return {};
  return {name, size};
}

std::string client::cipher() const { return wolfSSL_get_cipher_name(ssl_); }
int client::version() const { return wolfSSL_version(ssl_); }

int client::server_alert() const {
  WOLFSSL_ALERT_HISTORY alerts{};
  wolfSSL_get_alert_history(ssl_, &alerts);
  return alerts.last_rx.code;
}

step server::handshake(std::string& from, std::string& to, std::size_t piece) {
  for (;;) {
    auto in = bytes(std::string_view(from).substr(0, piece));
    const std::size_t given = in.size();
    const step how = codec.handshake(in, out);
    from.erase(0, given - in.size());
    const bool full = how == step::want_output;
    drain(to);
    if (full) continue;
    if (how != step::want_input) return how;
    EXPECT_TRUE(in.empty()) << "want_input with input left";
    if (from.empty()) return how;
  }
}

step server::read(std::string& from, std::string& to, std::string& plaintext, std::size_t piece,
                  std::size_t plaintext_room) {
  std::vector<std::byte> room(plaintext_room);
  for (;;) {
    auto in = bytes(std::string_view(from).substr(0, piece));
    const std::size_t given = in.size();
    const transfer how = codec.read(in, room, out);
    from.erase(0, given - in.size());
    plaintext.append(reinterpret_cast<const char*>(room.data()), how.size);
    drain(to);
    if (how.state == step::done || how.state == step::want_output) continue;
    if (how.state != step::want_input) return how.state;
    EXPECT_TRUE(in.empty()) << "want_input with input left";
    if (from.empty()) return how.state;
  }
}

step server::write(std::string_view plaintext, std::string& to) {
  for (;;) {
    const transfer how = codec.write(bytes(plaintext), out);
    plaintext.remove_prefix(how.size);
    drain(to);
    if (how.state != step::want_output) return how.state;
  }
}

bool connect(client& one, server& other, std::size_t piece) {
  bool client_done = false;
  bool server_done = false;
  for (int turns = 0; turns < 20 && !(client_done && server_done); ++turns) {
    if (!client_done) client_done = one.handshake();
    if (one.error() != 0 && one.sent.empty()) return false;
    if (!server_done) {
      const step how = other.handshake(one.sent, one.received, piece);
      if (how == step::failed) {
        if (!client_done) one.handshake();  // takes note of the alert
        return false;
      }
      server_done = how == step::done;
    }
  }
  return client_done && server_done;
}

std::shared_ptr<const certificate> certificate_for(std::vector<std::string> names) {
  static std::map<std::vector<std::string>, std::shared_ptr<const certificate>> made;
  auto& kept = made[names];
  if (!kept) {
    const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
    const auto pair = make_self_signed(names, {}, now, std::chrono::hours(24));
    EXPECT_TRUE(pair.has_value());
    auto loaded = certificate::load(pair->chain_pem, pair->key_pem);
    EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().text);
    kept = std::make_shared<const certificate>(std::move(*loaded));
  }
  return kept;
}

std::shared_ptr<const server_context> context_with(server_options options) {
  auto keys = std::make_shared<const ticket_keys>(mono_time{});
  auto made = server_context::create(std::move(options), {certificate_for({"a.example"})}, keys);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().text);
  return made.value_or(nullptr);
}

client_options verified(client_options options) {
  options.server_name = "a.example";
  options.trusted = certificate_for({"a.example"})->chain_pem();
  return options;
}

client_options only_tls12(client_options options) {
  options.max_version = protocol_version::tls12;
  return options;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

std::string vector_file(std::string_view name) {
  const char* const root = std::getenv("RW_VECTORS");
  return read_file((root == nullptr ? std::string("tests/vectors") : std::string(root)) + "/tls/" +
                   std::string(name));
}

}  // namespace rw::tls::testing
