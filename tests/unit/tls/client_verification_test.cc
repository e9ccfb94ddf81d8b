// Clients that show certificates.
#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <cstring>

#include "client.h"
#include "tls/authorities.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

using namespace testing;

wall_time now() {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

std::shared_ptr<const authorities> load(std::string_view pem) {
  return authorities::load(pem, now()).value_or(nullptr);
}

std::shared_ptr<const server_context> asking(bool required, unsigned threads = 1) {
  return context_with({.listener = "https",
                       .client_ca = load(vector_file("root.pem")),
                       .client_required = required,
                       .threads = threads});
}

client_options showing(std::string_view chain, std::string_view key, client_options options = {}) {
  options.own_chain = vector_file(chain);
  options.own_key = vector_file(key);
  return verified(std::move(options));
}

class ClientVerification : public ::testing::TestWithParam<protocol_version> {
 protected:
  static client_options plain() { return {.max_version = GetParam()}; }
  static client_options leaf() { return showing("chain.pem", "leaf.key", plain()); }
};

INSTANTIATE_TEST_SUITE_P(Versions, ClientVerification,
                         ::testing::Values(protocol_version::tls12, protocol_version::tls13),
                         [](const auto& version) {
                           return version.param == protocol_version::tls12 ? "Tls12" : "Tls13";
                         });

TEST_P(ClientVerification, AClientIsItsCertificate) {
  for (const bool required : {true, false}) {
    for (const std::size_t piece : {std::size_t{1}, SIZE_MAX}) {
      client one(leaf());
      server other(asking(required));
      ASSERT_TRUE(connect(one, other, piece));
      const auto peer = other.codec.take_peer();
      ASSERT_NE(peer, nullptr);
      EXPECT_EQ(peer->name, "www.example.org");
      const std::string der = read_certificates(vector_file("leaf.pem"), 1)->front();
      std::array<std::byte, 32> digest;
      crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                         reinterpret_cast<const unsigned char*>(der.data()), der.size());
      EXPECT_EQ(peer->thumbprint, digest);
      EXPECT_GT(peer->not_after, now() + std::chrono::hours(24 * 365));
      EXPECT_LT(peer->not_after, wall_time::max());
      EXPECT_EQ(other.codec.take_peer(), nullptr) << "asked twice";
    }
  }
}

TEST_P(ClientVerification, NoneWillDoWhereItIsOptional) {
  client one(verified(plain()));
  server other(asking(false));
  ASSERT_TRUE(connect(one, other));
  EXPECT_EQ(other.codec.take_peer(), nullptr);
}

TEST_P(ClientVerification, NobodyIsAskedByOthers) {
  client one(leaf());
  server other(context_with());
  ASSERT_TRUE(connect(one, other));
  EXPECT_EQ(other.codec.take_peer(), nullptr);
}

struct refusal {
  codec::flaw found;
  int alert;
};

refusal refused(client_options options, std::shared_ptr<const server_context> context) {
  client one(std::move(options));
  server other(std::move(context));
  EXPECT_FALSE(connect(one, other));
  EXPECT_TRUE(other.codec.failed());
  EXPECT_EQ(other.codec.take_peer(), nullptr);
  EXPECT_NE(*other.codec.failure().what.text, '\0');
  one.read();
  return {other.codec.failure().found, one.server_alert()};
}

TEST_P(ClientVerification, NoneIsRefusedWhereItIsRequired) {
  const refusal how = refused(verified(plain()), asking(true));
  EXPECT_EQ(how.found, codec::flaw::missing);
  constexpr int handshake_failure = 40;
  constexpr int certificate_required = 116;
  EXPECT_EQ(how.alert,
            GetParam() == protocol_version::tls12 ? handshake_failure : certificate_required);
}

TEST_P(ClientVerification, WhatNoAuthorityHasIssuedIsRefused) {
  constexpr int unknown_ca = 48;
  for (const bool required : {true, false}) {
    const refusal alone = refused(showing("leaf.pem", "leaf.key", plain()), asking(required));
    EXPECT_EQ(alone.found, codec::flaw::untrusted) << "without the intermediate";
    EXPECT_EQ(alone.alert, unknown_ca);
    EXPECT_EQ(refused(showing("p384.pem", "p384.key", plain()), asking(required)).found,
              codec::flaw::untrusted)
        << "self-signed";
  }
}

// Nobody can be sure that its authority has seen it.
TEST_P(ClientVerification, ASignatureBySha1IsRefused) {
  EXPECT_EQ(refused(showing("sha1.pem", "sha1.key", plain()), asking(true)).found,
            codec::flaw::unfit);
}

TEST_P(ClientVerification, AnIntermediateCountsForItsOwnHandshakeAlone) {
  const auto context = asking(true, 2);
  for (unsigned thread : {0U, 1U, 0U}) {
    client one(leaf());
    server other(context, 32768, thread);
    ASSERT_TRUE(connect(one, other));
    EXPECT_EQ(refused(showing("leaf.pem", "leaf.key", plain()), context).found,
              codec::flaw::untrusted);
  }
}

TEST_P(ClientVerification, NoSessionIsResumed) {
  const auto context = asking(false);
  client one(leaf());
  server other(context);
  ASSERT_TRUE(connect(one, other));
  std::string sent;
  other.write("x", one.received);
  EXPECT_EQ(one.read(), "x");
  EXPECT_FALSE(one.has_ticket());
}

TEST_P(ClientVerification, ATicketOfAnotherListenerIsNoCertificate) {
  auto keys = std::make_shared<const ticket_keys>(mono_time{});
  const auto make = [&](server_options options) {
    return server_context::create(std::move(options), {certificate_for({"a.example"})}, keys)
        .value_or(nullptr);
  };
  client one(verified(plain()));
  server other(make({.listener = "https"}));
  ASSERT_TRUE(connect(one, other));
  other.write("x", one.received);
  one.read();
  ASSERT_TRUE(one.has_ticket());
  const session held = one.get_session();
  for (const bool required : {true, false}) {
    // The same name, as after a reload.
    const auto asks = make({.listener = "https",
                            .client_ca = load(vector_file("root.pem")),
                            .client_required = required});
    client again(verified(plain()));
    if (GetParam() == protocol_version::tls12 && client::misreads_refused_tickets()) continue;
    again.resume(held);
    server there(asks);
    EXPECT_EQ(connect(again, there), !required);
    EXPECT_FALSE(there.codec.resumed());
    EXPECT_EQ(there.codec.take_peer(), nullptr);
  }
}

TEST_P(ClientVerification, ACertificateLeavesNothingBehind) {
  const auto context = asking(false);
  const auto held_after = [&](const client_options& options) {
    client one(options);
    const long before = allocated_bytes();
    auto other = std::make_unique<server>(context);
    long clients_share = 0;
    for (step how = step::want_input; how != step::done;) {
      const long mark = allocated_bytes();
      one.handshake();
      clients_share += allocated_bytes() - mark;
      how = other->handshake(one.sent, one.received);
      EXPECT_NE(how, step::failed);
      if (how == step::failed) break;
    }
    return allocated_bytes() - before - clients_share;
  };
  held_after(leaf());  // what is allocated once is there
  const long without = held_after(verified(plain()));
  EXPECT_LE(held_after(leaf()), without + 64);
  EXPECT_LE(without, 3500);
}

TEST(Authorities, IncludeOthersWhateverTheirOrder) {
  const std::string root = vector_file("root.pem");
  const std::string other = vector_file("intermediate.pem");
  const auto both = load(root + other);
  EXPECT_TRUE(both->includes(*load(other + root)));
  EXPECT_TRUE(both->includes(*load(root)));
  EXPECT_FALSE(load(root)->includes(*both));
  EXPECT_FALSE(load(root)->includes(*load(other)));
}

}  // namespace
}  // namespace rw::tls
