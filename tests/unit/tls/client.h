// A TLS client in memory for the tests, on wolfSSL: the codec's other end, to be dripped, split and
// broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tls/server_codec.h"

struct WOLFSSL;
struct WOLFSSL_CTX;
struct WOLFSSL_SESSION;

namespace rw::tls::testing {

std::span<const std::byte> bytes(std::string_view text);
std::string_view text(std::span<const std::byte> bytes);

struct client_options {
  protocol_version min_version = protocol_version::tls12;
  protocol_version max_version = protocol_version::tls13;
  std::string ciphers;      // wolfSSL's names, ':' between; empty: its default
  std::vector<int> groups;  // numbers on the wire; empty: wolfSSL's default
  std::string server_name;
  std::string protocols;   // ALPN, ',' between
  std::string trusted;     // PEM; empty: verifies nothing
  bool check_name = true;  // that the certificate is for server_name; with `trusted` only
  std::string own_chain;   // PEM; empty: it has no certificate to show
  std::string own_key;     // PEM
};

// What a client keeps to resume with.
class session {
 public:
  session() = default;
  explicit session(WOLFSSL_SESSION* taken) : held_(taken) {}
  session(session&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  session& operator=(session&& other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~session();
  WOLFSSL_SESSION* get() const { return held_; }

 private:
  WOLFSSL_SESSION* held_ = nullptr;
};

class client {
 public:
  explicit client(client_options options = {});
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  void resume(const session& with);
  // wolfSSL 5.7's client takes any session id of a server of TLS 1.2 for a yes to its ticket, where
  // it may be a new one (RFC 5077 3.4), and ends the connection when it was none.
  static bool misreads_refused_tickets();
  // True once established. Looks at `received`, appends to `sent`.
  bool handshake();
  void write(std::string_view plaintext);
  // Whatever plaintext `received` holds.
  std::string read();
  void close();
  void update_key();

  session get_session();
  bool resumed() const;
  bool saw_close() const { return saw_close_; }
  bool has_ticket() const;
  std::string protocol() const;
  std::string cipher() const;
  int version() const;
  // wolfSSL's error that ended it, 0 while there is none; the alert the server sent, or -1.
  int error() const { return error_; }
  int server_alert() const;
  WOLFSSL* ssl() const { return ssl_; }

  std::string sent;      // what is to go to the server
  std::string received;  // what came from it

 private:
  friend struct client_io;
  client_options options_;
  WOLFSSL_CTX* context_ = nullptr;
  WOLFSSL* ssl_ = nullptr;
  int error_ = 0;
  bool saw_close_ = false;
};

// A codec with its output buffer, driven against a client.
class server {
 public:
  explicit server(std::shared_ptr<const server_context> context, std::size_t capacity = 32768,
                  unsigned thread = 0)
      : codec(std::move(context), false, thread), room_(capacity) {
    out.data = room_.data();
    out.capacity = room_.size();
  }

  // Moves everything in `out` to the end of `to`.
  void drain(std::string& to) {
    to.append(reinterpret_cast<const char*>(out.data), out.size);
    flights += out.size > 0;
    out.size = 0;
  }

  // Feeds `from` (consumed) in pieces of at most `piece` bytes until it is used up and the
  // handshake is done or stuck; what is to be sent goes to `to`.
  step handshake(std::string& from, std::string& to, std::size_t piece = SIZE_MAX);
  // The same for reading; appends to `plaintext`.
  step read(std::string& from, std::string& to, std::string& plaintext,
            std::size_t piece = SIZE_MAX, std::size_t plaintext_room = 20000);
  // Writes all of `plaintext`.
  step write(std::string_view plaintext, std::string& to);

  server_codec codec;
  output out;
  int flights = 0;  // drains that had something

 private:
  std::vector<std::byte> room_;
};

// Runs both until the client is established and the server too, or either fails. `piece`: how many
// bytes each side gets to see at once.
bool connect(client& one, server& other, std::size_t piece = SIZE_MAX);

// What wolfSSL has allocated and not freed, in all threads.
long allocated_bytes();

// A self-signed certificate for the names; made once per list and kept.
std::shared_ptr<const certificate> certificate_for(std::vector<std::string> names);
// A context with a certificate for a.example, and clients that verify it.
std::shared_ptr<const server_context> context_with(server_options options = {});
client_options verified(client_options options = {});
client_options only_tls12(client_options options = {});

std::string read_file(const std::string& path);
std::string vector_file(std::string_view name);  // of tests/vectors/tls

}  // namespace rw::tls::testing
