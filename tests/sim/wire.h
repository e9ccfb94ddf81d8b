// A client's end of a connection, plain or TLS alike.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "../unit/tls/client.h"
#include "world.h"

namespace rw::sim {

class wire {
 public:
  wire(world& w, socket& below, bool tls);

  // Moves what can be moved, the handshake included.
  void step();
  // How many bytes write() takes now.
  std::size_t room() const noexcept;
  void write(std::string_view bytes);
  // What has come, `at_most` bytes of it; of TLS, of the ciphertext.
  std::string read(std::size_t at_most);
  // Says that nothing follows; what is not sent by now is lost.
  void end_writing();
  bool has_input() const noexcept { return !below_.readable().empty() || !plaintext_.empty(); }

  // The gateway has said that nothing follows: by FIN, or close_notify.
  bool ended() const noexcept;
  // The connection is over and nothing said so.
  bool is_cut() const noexcept;
  // What is wrong with the TLS of the other end, "" while nothing is.
  std::string error() const;
  socket& below() const noexcept { return below_; }

 private:
  void flush();

  world& world_;
  socket& below_;
  std::unique_ptr<tls::testing::client> tls_;
  bool established_ = false;
  std::string plaintext_;  // decrypted by step(), not yet read
};

}  // namespace rw::sim
