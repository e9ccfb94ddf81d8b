// The client's side of a TLS connection: what an upstream connection speaks.
#pragma once

#include <memory>

#include "base/clock.h"
#include "tls/client_context.h"
#include "tls/codec.h"

namespace rw::tls {

struct server_check;

// Resumes the target's session when it has one that is young enough, and leaves there what the
// server gives for the next time: TLS 1.3 servers do so after the handshake, in what is read.
class client_codec final : public codec {
 public:
  client_codec(std::shared_ptr<client_target> target, mono_time now) noexcept;
  ~client_codec() override;
  std::string_view protocol() const noexcept override;

 private:
  step negotiate(std::span<const std::byte>& in, output& out) override;
  void explain(int library_code, failure_report& to) const noexcept override;
  void on_ticket() override;

  bool start();
  bool agree_on_protocol();

  std::shared_ptr<client_target> target_;
  std::unique_ptr<server_check> check_;  // until the handshake is done
  mono_time began_at_;
  bool offered_ = false;   // a session of before
  bool answered_ = false;  // the server has said something
};

}  // namespace rw::tls
