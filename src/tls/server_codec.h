// The server's side of a TLS connection.
#pragma once

#include <memory>
#include <string_view>

#include "tls/codec.h"
#include "tls/context.h"

namespace rw::tls {

class hello_reader;

// Move-only. Until the ClientHello is complete it holds no wolfSSL state at all.
class server_codec final : public codec {
 public:
  // `exportable`: write_keys() will be asked for, or keep_writing() be called.
  explicit server_codec(std::shared_ptr<const server_context> context,
                        bool exportable = false) noexcept;
  server_codec(server_codec&& other) noexcept;
  server_codec& operator=(server_codec&& other) noexcept;
  ~server_codec() override;

  // By ALPN, once established; "" when none was agreed. Valid until the context goes.
  std::string_view protocol() const noexcept;

 private:
  step negotiate(std::span<const std::byte>& in, output& out) override;
  void explain(int library_code, failure_report& to) const noexcept override;

  step take_hello(std::span<const std::byte>& in, output& out);
  step start(std::span<const std::byte> message, std::span<const std::byte> record,
             std::span<const std::byte>& in, output& out);
  bool restrict_groups(const client_hello& hello);
  step accept(std::span<const std::byte> hello, std::span<const std::byte>& in, output& out);

  std::shared_ptr<const server_context> context_;
  std::unique_ptr<hello_reader> hello_;  // while the ClientHello is incomplete
  std::string_view protocol_;            // in the context's options
  std::uint8_t ticket_chain_ =
      0;  // resumptions behind this session, each by the ticket of the last
};

}  // namespace rw::tls
