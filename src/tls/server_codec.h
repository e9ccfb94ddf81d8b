// The server's side of a TLS connection.
#pragma once

#include <memory>
#include <string_view>

#include "tls/codec.h"
#include "tls/context.h"

struct WOLFSSL_CTX;

namespace rw::tls {

class hello_reader;
struct client_check;

// Move-only. Until the ClientHello is complete it holds no wolfSSL state at all.
class server_codec final : public codec {
 public:
  // `exportable`: write_keys() will be asked for, or keep_writing() be called.
  // `thread`: the caller's, below server_options::threads.
  explicit server_codec(std::shared_ptr<const server_context> context, bool exportable = false,
                        unsigned thread = 0) noexcept;
  server_codec(server_codec&& other) noexcept;
  server_codec& operator=(server_codec&& other) noexcept;
  ~server_codec() override;

  std::unique_ptr<peer_certificate> take_peer() noexcept override;
  std::string_view protocol() const noexcept override;

 private:
  step negotiate(std::span<const std::byte>& in, output& out) override;
  void explain(int library_code, failure_report& to) const noexcept override;

  step take_hello(std::span<const std::byte>& in, output& out);
  step start(std::span<const std::byte> message, std::span<const std::byte> record,
             std::span<const std::byte>& in, output& out);
  bool restrict_groups(const client_hello& hello);
  step accept(std::span<const std::byte> hello, std::span<const std::byte>& in, output& out);
  WOLFSSL_CTX* context_of(const context_entry& entry) const noexcept;
  void end_check() noexcept;

  std::shared_ptr<const server_context> context_;
  std::unique_ptr<hello_reader> hello_;  // while the ClientHello is incomplete
  std::unique_ptr<client_check> check_;  // during a handshake that asks for a certificate
  std::unique_ptr<peer_certificate> peer_;
  std::string_view protocol_;  // in the context's options
  unsigned thread_ = 0;
  std::uint8_t ticket_chain_ =
      0;  // resumptions behind this session, each by the ticket of the last
};

}  // namespace rw::tls
