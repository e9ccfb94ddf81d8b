#include "origin_wire.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "seeded.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/tickets.h"

namespace rw::sim {
namespace {

using context_ptr = std::shared_ptr<const tls::server_context>;

// wolfSSL goes by the machine's clock when it verifies.
constexpr wall_time from{std::chrono::seconds{1'600'000'000}};
constexpr std::chrono::hours valid{24 * 365 * 29};

tls::self_signed make(const std::string& name) {
  const std::array<std::string, 1> names = {name};
  auto made = tls::make_self_signed(names, {}, from, valid);
  if (!made) std::abort();
  return std::move(*made);
}

context_ptr serving(const tls::self_signed& pair, std::vector<std::string> ciphers = {}) {
  auto loaded = tls::certificate::load(pair.chain_pem, pair.key_pem);
  if (!loaded) std::abort();
  auto made =
      tls::server_context::create({.ciphers = std::move(ciphers), .protocols = {"http/1.1"}},
                                  {std::make_shared<const tls::certificate>(std::move(*loaded))},
                                  std::make_shared<const tls::ticket_keys>(mono_time{}));
  if (!made) std::abort();
  return *made;
}

struct greetings {
  // The same ones whatever the seed, as configuration.cc has it.
  static tls::self_signed seeded(const std::string& name) {
    seed_random(2);
    return make(name);
  }
  tls::self_signed ours = seeded(greeting_name);
  tls::self_signed others = make("elsewhere.example");
  tls::self_signed strangers = make(greeting_name);
  context_ptr tls13 = serving(ours);
  context_ptr tls12 = serving(ours, {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"});
  context_ptr wrong_name = serving(others);
  context_ptr untrusted = serving(strangers);
};

const greetings& made() {
  static const greetings all;
  return all;
}

context_ptr context_of(greeting how) {
  switch (how) {
    case greeting::tls13:
      return made().tls13;
    case greeting::tls12:
      return made().tls12;
    case greeting::wrong_name:
      return made().wrong_name;
    case greeting::untrusted:
      return made().untrusted;
    case greeting::plain:
    case greeting::silent:
    case greeting::not_tls:
      break;
  }
  return nullptr;
}

}  // namespace

void prepare_greetings() { made(); }

std::string greeting_authorities() { return made().ours.chain_pem + made().others.chain_pem; }

greeting draw_greeting(world& w, bool tls, double faults) {
  if (!tls) return greeting::plain;
  constexpr greeting bad[] = {greeting::wrong_name, greeting::untrusted, greeting::silent,
                              greeting::not_tls};
  if (w.chance(0.12 * faults)) return bad[w.random(std::size(bad))];
  return w.chance(0.3) ? greeting::tls12 : greeting::tls13;
}

origin_wire::origin_wire(world& w, socket& below, greeting how)
    : world_(w), below_(below), how_(how) {
  if (const context_ptr with = context_of(how)) tls_ = std::make_unique<tls::testing::server>(with);
  if (how == greeting::not_tls) {
    constexpr std::string_view refusal = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    below_.send(refusal.substr(0, std::min(refusal.size(), below_.room())));
  }
}

void origin_wire::flush() {
  while (!sent_.empty() && below_.may_send()) {
    std::size_t size = std::min(below_.room(), sent_.size());
    if (size == 0) return;
    if (world_.chance(0.1)) size = world_.skewed(1, size);
    below_.send(std::string_view(sent_).substr(0, size));
    sent_.erase(0, size);
  }
}

void origin_wire::step() {
  if (how_ == greeting::silent || how_ == greeting::not_tls) {
    below_.consume(below_.readable().size());
    return;
  }
  if (!tls_) return;
  if (closing_) {
    flush();
    if (sent_.empty() || !below_.may_send()) below_.close();
    return;
  }
  if (!established_ && !failed_) {
    received_.append(below_.readable());
    below_.consume(below_.readable().size());
    const tls::step now = tls_->handshake(received_, sent_);
    established_ = now == tls::step::done;
    failed_ = now == tls::step::failed;
    if (established_) plaintext_ = read(0);
  }
  flush();
}

std::size_t origin_wire::room() const noexcept {
  if (!below_.may_send()) return 0;
  if (is_plain()) return below_.room();
  constexpr std::size_t record = 16'384;
  return established_ && sent_.empty() ? record : 0;
}

void origin_wire::write(std::string_view bytes) {
  if (is_plain()) return below_.send(bytes);
  tls_->write(bytes, sent_);
  flush();
}

std::string origin_wire::read(std::size_t at_most) {
  std::string got = std::exchange(plaintext_, {});
  const std::string_view there = below_.readable().substr(0, at_most);
  if (is_plain()) {
    got.append(there);
  } else if (established_) {
    received_.append(there);
    failed_ = tls_->read(received_, sent_, got) == tls::step::failed;
    flush();
  }
  below_.consume(there.size());
  return got;
}

bool origin_wire::is_over() const noexcept {
  return below_.was_reset() || (below_.ended() && plaintext_.empty()) || failed_;
}

bool origin_wire::close(bool properly) {
  bool told = is_plain() || (properly && established_ && !failed_);
  if (told && tls_) {
    tls_->codec.close(tls_->out);
    tls_->drain(sent_);
    flush();
  }
  told = told && below_.readable().empty();
  closing_ = true;
  if (!told || sent_.empty()) below_.close();
  return told;
}

}  // namespace rw::sim
