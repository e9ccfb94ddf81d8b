#include "tls/client_codec.h"

#include <gtest/gtest.h>

#include <array>

#include "client.h"
#include "tls/library.h"
#include "tls/pem.h"

namespace rw::tls {
namespace {

using testing::allocated_bytes;
using testing::certificate_for;
using testing::context_with;
using testing::server;
using testing::vector_file;

constexpr mono_time start{std::chrono::hours(1)};

wall_time today() {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

std::shared_ptr<const authorities> trusting(std::string_view pem) {
  auto made = authorities::load(pem, today());
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().text);
  return made.value_or(nullptr);
}

std::shared_ptr<const client_context> context_of(client_options options) {
  auto made = client_context::create(std::move(options), 1);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().text);
  return made.value_or(nullptr);
}

std::shared_ptr<client_target> target_of(client_options options, std::string name) {
  return std::make_shared<client_target>(context_of(std::move(options)), 0, std::move(name));
}

// Trusts the certificate of context_with().
std::shared_ptr<client_target> usual_target(std::string name = "a.example") {
  return target_of({.trusted = trusting(certificate_for({"a.example"})->chain_pem())},
                   std::move(name));
}

// A client_codec with its output, driven against a server's.
struct origin_talk {
  explicit origin_talk(std::shared_ptr<client_target> with,
                       std::shared_ptr<const server_context> context = context_with(),
                       mono_time now = start)
      : codec(std::move(with), now), other(std::move(context)) {}

  step handshake(std::size_t piece = SIZE_MAX) {
    step how = step::want_input;
    bool server_done = false;
    for (int turns = 0; turns < 20; ++turns) {
      how = step_with(from_server, piece);
      if (how == step::failed) break;
      if (!server_done) server_done = other.handshake(to_server, from_server, piece) == step::done;
      if (how == step::done && server_done) break;
    }
    return how;
  }

  step step_with(std::string& in, std::size_t piece) {
    for (;;) {
      auto given = testing::bytes(std::string_view(in).substr(0, piece));
      const std::size_t before = given.size();
      const step how = codec.handshake(given, out);
      in.erase(0, before - given.size());
      drain();
      if (how == step::want_output) continue;
      if (how != step::want_input || in.empty()) return how;
    }
  }

  void drain() {
    to_server.append(reinterpret_cast<const char*>(room.data()), out.size);
    out.size = 0;
  }

  // What the server has sent, decrypted.
  std::string read() {
    std::string got;
    std::array<std::byte, 20000> plain;
    for (;;) {
      auto in = testing::bytes(from_server);
      const std::size_t before = in.size();
      const transfer how = codec.read(in, plain, out);
      from_server.erase(0, before - in.size());
      got.append(reinterpret_cast<const char*>(plain.data()), how.size);
      last = how.state;
      drain();
      if (how.state != step::done && how.state != step::want_output) return got;
    }
  }

  void talk() {
    ASSERT_EQ(codec.write(testing::bytes("GET"), out).state, step::done);
    drain();
    std::string got;
    other.read(to_server, from_server, got);
    EXPECT_EQ(got, "GET");
    other.write("answer", from_server);
    EXPECT_EQ(read(), "answer");
  }

  client_codec codec;
  server other;
  std::array<std::byte, 32768> room;
  output out{room.data(), 0, room.size()};
  std::string to_server;
  std::string from_server;
  step last = step::want_input;
};

std::shared_ptr<const server_context> serving(std::string_view chain, std::string_view key,
                                              server_options options = {}) {
  auto loaded = certificate::load(vector_file(chain), secret(vector_file(key)));
  EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().text);
  auto made = server_context::create(std::move(options),
                                     {std::make_shared<const certificate>(std::move(*loaded))},
                                     std::make_shared<const ticket_keys>(mono_time{}));
  EXPECT_TRUE(made.has_value());
  return made.value_or(nullptr);
}

server_options tls12_only() { return {.ciphers = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}}; }

// Of TLS 1.2 not with wolfSSL 5.7.
bool may_resume(const server_options& by) {
  return by.ciphers.empty() || !testing::client::misreads_refused_tickets();
}

TEST(ClientCodec, TalksInPiecesOfAnySize) {
  for (const auto& options : {server_options{}, tls12_only()}) {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
      origin_talk talk(usual_target(), context_with(options));
      ASSERT_EQ(talk.handshake(piece), step::done) << talk.codec.failure().what.text;
      EXPECT_EQ(talk.codec.version(),
                options.ciphers.empty() ? protocol_version::tls13 : protocol_version::tls12);
      EXPECT_EQ(talk.other.codec.server_name(), "a.example");
      EXPECT_FALSE(talk.codec.resumed());
      talk.talk();
    }
  }
}

TEST(ClientCodec, OffersHttpAndTakesNothingElse) {
  origin_talk both(usual_target(), context_with({.protocols = {"h2", "http/1.1"}}));
  ASSERT_EQ(both.handshake(), step::done);
  EXPECT_EQ(both.other.codec.protocol(), "http/1.1");
  origin_talk other(usual_target(), context_with({.protocols = {"h2"}}));
  EXPECT_EQ(other.handshake(), step::failed);
  EXPECT_EQ(other.codec.failure().what.code, fault::tls);
  EXPECT_EQ(other.codec.failure().peer_alert, 120);  // no_application_protocol
}

TEST(ClientCodec, ResumesWithinTheHourAndThenVerifiesAgain) {
  for (const auto& options : {server_options{}, tls12_only()}) {
    const auto context = context_with(options);
    const auto target = usual_target();
    const auto resumed_at = [&](mono_time now) {
      origin_talk talk(target, context, now);
      EXPECT_EQ(talk.handshake(), step::done) << talk.codec.failure().what.text;
      talk.talk();
      EXPECT_EQ(target->has_session(), may_resume(options));
      EXPECT_EQ(talk.codec.resumed(), talk.other.codec.resumed());
      return talk.codec.resumed();
    };
    EXPECT_FALSE(resumed_at(start));
    EXPECT_EQ(resumed_at(start + std::chrono::minutes(59)), may_resume(options));
    EXPECT_FALSE(resumed_at(start + std::chrono::minutes(61)));
    EXPECT_EQ(resumed_at(start + std::chrono::minutes(62)), may_resume(options));
    target->forget_session();
    EXPECT_FALSE(resumed_at(start + std::chrono::minutes(63)));
  }
}

// By a server that was restarted, say, and has other keys for its tickets.
TEST(ClientCodec, ARefusedTicketCostsAFullHandshakeAndNoMore) {
  for (const auto& options : {server_options{}, tls12_only()}) {
    const auto target = usual_target();
    for (int restarts = 0; restarts < 3; ++restarts) {
      const auto context = context_with(options);
      for (int connection = 0; connection < 4; ++connection) {
        origin_talk talk(target, context);
        ASSERT_EQ(talk.handshake(), step::done) << talk.codec.failure().what.text;
        if (connection == 0) EXPECT_FALSE(talk.codec.resumed());
        if (connection >= 2) EXPECT_EQ(talk.codec.resumed(), may_resume(options));
        talk.talk();
      }
    }
  }
}

TEST(ClientCodec, TwoMayResumeTheSameSessionAtOnce) {
  const auto context = context_with();
  const auto target = usual_target();
  {
    origin_talk first(target, context);
    ASSERT_EQ(first.handshake(), step::done);
    first.talk();
  }
  origin_talk one(target, context);
  origin_talk two(target, context_with());  // other ticket keys: a full handshake
  EXPECT_EQ(one.step_with(one.from_server, SIZE_MAX), step::want_input);
  ASSERT_EQ(two.handshake(), step::done) << two.codec.failure().what.text;
  EXPECT_FALSE(two.codec.resumed());
  ASSERT_EQ(one.handshake(), step::done) << one.codec.failure().what.text;
  EXPECT_TRUE(one.codec.resumed());
  one.talk();
  two.talk();
}

TEST(ClientCodec, SaysWhatIsWrongWithACertificate) {
  using flaw = codec::flaw;
  const auto found = [](const std::shared_ptr<client_target>& target,
                        std::shared_ptr<const server_context> context) {
    origin_talk talk(target, std::move(context));
    const step how = talk.handshake();
    EXPECT_EQ(how == step::failed, talk.codec.failure().found != flaw::none);
    EXPECT_FALSE(how == step::failed && target->has_session());
    EXPECT_FALSE(how == step::failed && talk.to_server.empty()) << "no alert";
    return talk.codec.failure().found;
  };
  EXPECT_EQ(found(usual_target(), context_with()), flaw::none);
  EXPECT_EQ(found(usual_target("b.example"), context_with()), flaw::name);
  const auto root = trusting(vector_file("root.pem"));
  const auto chain = serving("chain.pem", "leaf.key");
  for (const auto* name : {"www.example.org", "x.example.org", "192.0.2.1", "2001:db8::1"}) {
    EXPECT_EQ(found(target_of({.trusted = root}, name), chain), flaw::none) << name;
  }
  for (const auto* name : {"example.org", "a.b.example.org", "not.used.example", "192.0.2.2"}) {
    EXPECT_EQ(found(target_of({.trusted = root}, name), chain), flaw::name) << name;
  }
  // The intermediate is missing, though it was there a moment ago.
  const auto target = target_of({.trusted = root}, "www.example.org");
  EXPECT_EQ(found(target, chain), flaw::none);
  target->forget_session();
  EXPECT_EQ(found(target, serving("leaf.pem", "leaf.key")), flaw::untrusted);
  EXPECT_EQ(found(usual_target("www.example.org"), chain), flaw::untrusted);
  EXPECT_EQ(found(target_of({.verify = false}, "elsewhere.example"), chain), flaw::none);
}

TEST(ClientCodec, HoldsNothingOfTheHandshakeLater) {
  const auto context = context_with();
  const auto target = usual_target();
  const auto bytes_of = [&] {
    const long before = allocated_bytes();
    origin_talk talk(target, context);
    EXPECT_EQ(talk.handshake(), step::done);
    talk.talk();
    return allocated_bytes() - before;
  };
  bytes_of();
  EXPECT_LT(bytes_of(), 2 * 8192);  // both ends of it
}

TEST(ClientCodec, ShowsItsCertificateWhenAsked) {
  // Our server's side asks for none: what can be asserted here is that one does no harm.
  const auto own = certificate_for({"gate.example"});
  const auto trusted = trusting(certificate_for({"a.example"})->chain_pem());
  origin_talk talk(target_of({.trusted = trusted, .own = own}, "a.example"));
  ASSERT_EQ(talk.handshake(), step::done);
  talk.talk();
}

TEST(ClientCodec, TellsWhatIsNoTls) {
  origin_talk talk(usual_target());
  std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
  EXPECT_EQ(talk.step_with(talk.from_server, SIZE_MAX), step::want_input);
  EXPECT_EQ(talk.step_with(answer, SIZE_MAX), step::failed);
  EXPECT_EQ(talk.codec.failure().what.code, fault::malformed);
  EXPECT_EQ(talk.codec.failure().what.from, origin::upstream);
}

TEST(ClientCodec, KnowsCloseNotifyFromACut) {
  origin_talk talk(usual_target());
  ASSERT_EQ(talk.handshake(), step::done);
  talk.talk();
  EXPECT_FALSE(talk.codec.peer_closed());
  talk.other.codec.close(talk.other.out);
  talk.other.drain(talk.from_server);
  EXPECT_EQ(talk.read(), "");
  EXPECT_EQ(talk.last, step::closed);
  EXPECT_TRUE(talk.codec.peer_closed());
}

TEST(ClientContext, HasAFingerprintOfAllThatDecides) {
  const auto trusted = trusting(vector_file("root.pem"));
  const client_options usual{.trusted = trusted};
  const auto print = client_context::fingerprint_of(usual);
  EXPECT_EQ(print, client_context::fingerprint_of({.trusted = trusting(vector_file("root.pem"))}));
  EXPECT_NE(print, client_context::fingerprint_of({.verify = false}));
  EXPECT_NE(print, client_context::fingerprint_of({.pins = {key_pin{}}, .trusted = trusted}));
  EXPECT_NE(print, client_context::fingerprint_of({.trusted = trusting(vector_file("chain.pem"))}));
  EXPECT_NE(print, client_context::fingerprint_of(
                       {.trusted = trusted, .own = certificate_for({"gate.example"})}));
}

}  // namespace
}  // namespace rw::tls
