// A server's end of a connection, plain or TLS alike; TLS goes wrong when it is told to.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "../unit/tls/client.h"
#include "world.h"

namespace rw::sim {

// What a server is like to shake hands with.
enum class greeting : std::uint8_t {
  plain,  // no TLS
  tls13,
  tls12,
  // With these nobody may ever get to know a request.
  wrong_name,
  untrusted,
  silent,  // takes what comes and says nothing
  not_tls  // a port for plain HTTP
};

// Makes the certificates, once for the process.
void prepare_greetings();
// Those that clients are to trust, in PEM: one of them is for another name.
std::string greeting_authorities();
greeting draw_greeting(world& w, bool tls, double faults);
inline constexpr const char* greeting_name = "origin.example";

class origin_wire {
 public:
  origin_wire(world& w, socket& below, greeting how);

  // Moves what can be moved, the handshake included.
  void step();
  // How many bytes write() takes now.
  std::size_t room() const noexcept;
  void write(std::string_view bytes);
  bool has_unsent() const noexcept { return !sent_.empty(); }
  bool has_input() const noexcept { return !below_.readable().empty() || !plaintext_.empty(); }
  std::size_t input() const noexcept { return below_.readable().size() + plaintext_.size(); }
  // What has come, of `at_most` bytes; of TLS, of the ciphertext.
  std::string read(std::size_t at_most);
  // The other end has gone, or does not want to go on.
  bool is_over() const noexcept;
  bool may_see_requests() const noexcept { return how_ <= greeting::tls12; }
  bool is_plain() const noexcept { return how_ == greeting::plain; }

  // `properly`: with a close_notify. True when the other end can tell that this was meant to be the
  // end, once it has read all. What is unsent goes out first, by step().
  bool close(bool properly);
  bool is_closing() const noexcept { return closing_ && below_.is_open(); }
  void reset() { below_.reset(); }
  void cut() { below_.cut(); }
  socket& below() const noexcept { return below_; }

 private:
  void flush();

  world& world_;
  socket& below_;
  greeting how_;
  std::unique_ptr<tls::testing::server> tls_;  // null: plain, or nothing of the kind
  bool established_ = false;
  bool failed_ = false;
  bool closing_ = false;
  std::string received_;   // not yet taken by tls_
  std::string sent_;       // by tls_, for want of room not yet
  std::string plaintext_;  // decrypted by step(), not yet read
};

}  // namespace rw::sim
