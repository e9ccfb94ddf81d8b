#include "wire.h"

#include <fmt/format.h>

#include <algorithm>

namespace rw::sim {
namespace {

tls::testing::client_options options_for(world& w) {
  tls::testing::client_options options;
  options.server_name = "sim.example";
  options.protocols = "http/1.1";
  if (w.chance(0.3)) options.max_version = tls::protocol_version::tls12;
  return options;
}

}  // namespace

wire::wire(world& w, socket& below, bool tls) : world_(w), below_(below) {
  if (tls) tls_ = std::make_unique<tls::testing::client>(options_for(w));
}

void wire::flush() {
  while (!tls_->sent.empty() && below_.may_send()) {
    std::size_t size = std::min(below_.room(), tls_->sent.size());
    if (size == 0) return;
    if (world_.chance(0.1)) size = world_.skewed(1, size);
    below_.send(std::string_view(tls_->sent).substr(0, size));
    tls_->sent.erase(0, size);
  }
}

void wire::step() {
  if (!tls_) return;
  if (!established_) {
    tls_->received.append(below_.readable());
    below_.consume(below_.readable().size());
    established_ = tls_->handshake();
    if (established_) plaintext_ += tls_->read();
  }
  flush();
}

std::size_t wire::room() const noexcept {
  if (!below_.may_send()) return 0;
  if (!tls_) return below_.room();
  constexpr std::size_t record = 16'384;
  return established_ && tls_->sent.empty() ? record : 0;
}

void wire::write(std::string_view bytes) {
  if (!tls_) {
    below_.send(bytes);
    return;
  }
  tls_->write(bytes);
  flush();
}

void wire::end_writing() {
  if (tls_ && established_) {
    tls_->close();
    flush();
  }
  below_.end_writing();
}

std::string wire::read(std::size_t at_most) {
  std::string got = std::exchange(plaintext_, {});
  const std::string_view there = below_.readable().substr(0, at_most);
  if (!tls_) {
    got.append(there);
  } else if (established_) {
    tls_->received.append(there);
    got += tls_->read();
    flush();  // answers to key updates
  }
  below_.consume(there.size());
  return got;
}

bool wire::ended() const noexcept {
  if (below_.was_reset() || !plaintext_.empty()) return false;
  return tls_ ? tls_->saw_close() : below_.ended();
}

bool wire::is_cut() const noexcept {
  if (!below_.readable().empty() || !plaintext_.empty()) return false;
  return below_.was_reset() || (tls_ && below_.ended() && !tls_->saw_close());
}

std::string wire::error() const {
  return tls_ && tls_->error() != 0 ? fmt::format("TLS error {}", tls_->error()) : std::string();
}

}  // namespace rw::sim
