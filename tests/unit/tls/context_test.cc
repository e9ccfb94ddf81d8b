#include "tls/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "client.h"
#include "tls/library.h"

namespace rw::tls {
namespace {

using namespace testing;
using certificates = std::vector<std::shared_ptr<const certificate>>;

std::shared_ptr<const ticket_keys> fresh_keys() {
  return std::make_shared<const ticket_keys>(mono_time{});
}

std::shared_ptr<const server_context> make(server_options options, certificates from,
                                           std::shared_ptr<const ticket_keys> keys = fresh_keys()) {
  auto made = server_context::create(std::move(options), std::move(from), std::move(keys));
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().text);
  return made.value_or(nullptr);
}

std::string refused(server_options options, certificates from = {certificate_for({"a.example"})}) {
  const auto made = server_context::create(std::move(options), std::move(from), fresh_keys());
  if (made) return "(not refused)";
  EXPECT_EQ(made.error().code, fault::invalid);
  return made.error().text;
}

std::shared_ptr<const certificate> from_vector(const std::string& name) {
  auto loaded = certificate::load(vector_file(name + ".pem"), secret(vector_file(name + ".key")));
  EXPECT_TRUE(loaded.has_value()) << name;
  return std::make_shared<const certificate>(std::move(*loaded));
}

TEST(Context, RefusesOptionsThatServeNobody) {
  EXPECT_THAT(refused({}, {}), ::testing::HasSubstr("needs a certificate"));
  EXPECT_THAT(refused({.ciphers = {"ECDHE-RSA-AES128-SHA"}}), ::testing::HasSubstr("cipher"));
  EXPECT_THAT(refused({.groups = {"P-224"}}), ::testing::HasSubstr("group"));
  EXPECT_THAT(
      refused({.min_version = protocol_version::tls13, .ciphers = {"ECDHE-RSA-AES128-GCM-SHA256"}}),
      ::testing::HasSubstr("min_version"));
  EXPECT_THAT(refused({.ciphers = {"ECDHE-RSA-AES128-GCM-SHA256"}}),
              ::testing::HasSubstr("kind of key"));
}

TEST(Context, KnowsNamesOfCiphersAndGroups) {
  EXPECT_TRUE(is_cipher("TLS_AES_128_GCM_SHA256"));
  EXPECT_TRUE(is_cipher("ECDHE-ECDSA-CHACHA20-POLY1305"));
  EXPECT_TRUE(is_cipher("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"));
  EXPECT_FALSE(is_cipher("AES128-GCM-SHA256"));
  EXPECT_FALSE(is_cipher("TLS_AES_128_CCM_SHA256"));
  EXPECT_FALSE(is_cipher(""));
  for (const char* name : {"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"}) {
    EXPECT_TRUE(is_group(name));
  }
  EXPECT_FALSE(is_group("ffdhe2048"));
}

TEST(Context, SaysWhichGroupsTheLibraryLacks) {
  const auto made =
      make({.groups = {"X25519MLKEM768", "X25519"}}, {certificate_for({"a.example"})});
  if (features().mlkem) {
    EXPECT_TRUE(made->dropped_groups().empty());
  } else {
    EXPECT_THAT(made->dropped_groups(), ::testing::ElementsAre("X25519MLKEM768"));
  }
}

// Whose certificate a client of `name` gets: "a", "b", "wild", or the alert.
class Names : public ::testing::Test {
 protected:
  std::string served(const std::string& name, bool strict = false,
                     protocol_version version = protocol_version::tls13) {
    const std::vector<std::pair<std::string, std::shared_ptr<const certificate>>> all = {
        {"a", certificate_for({"a.example", "also.example"})},
        {"b", certificate_for({"b.example", "x.wild.example"})},
        {"wild", certificate_for({"*.wild.example"})}};
    const auto context =
        make({.strict_sni = strict}, {all[0].second, all[1].second, all[2].second});
    for (const auto& [label, expected] : all) {
      client one({.max_version = version,
                  .server_name = name,
                  .trusted = expected->chain_pem(),
                  .check_name = false});
      server other(context);
      if (connect(one, other)) return label;
      if (one.server_alert() > 0) return "alert " + std::to_string(one.server_alert());
    }
    return "none";
  }
};

TEST_F(Names, ChooseTheCertificate) {
  for (const bool strict : {false, true}) {
    for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
      EXPECT_EQ(served("a.example", strict, version), "a");
      EXPECT_EQ(served("also.example", strict, version), "a");
      EXPECT_EQ(served("b.example", strict, version), "b");
      EXPECT_EQ(served("B.EXAMPLE", strict, version), "b");
      EXPECT_EQ(served("y.wild.example", strict, version), "wild");
      EXPECT_EQ(served("x.wild.example", strict, version), "b");  // exact before wildcard
    }
  }
}

TEST_F(Names, UnknownOnesGetTheFirstOrAnAlert) {
  for (const std::string name :
       {"c.example", "wild.example", "z.y.wild.example", ".wild.example", "*.other.example"}) {
    EXPECT_EQ(served(name), "a") << name;
    EXPECT_EQ(served(name, true), "alert 112") << name;
  }
  EXPECT_EQ(served(""), "a");
  EXPECT_EQ(served("", true), "alert 109");  // missing_extension
  EXPECT_EQ(served("", true, protocol_version::tls12), "alert 112");
}

TEST(Context, ServesTheKindOfKeyThatTheClientCanVerify) {
  const auto context = make({}, {from_vector("p384"), from_vector("rsa")});
  client modern({.server_name = "both.example"});
  server first(context);
  ASSERT_TRUE(connect(modern, first));
  client old({.max_version = protocol_version::tls12,
              .ciphers = "ECDHE-RSA-AES128-GCM-SHA256",
              .server_name = "both.example"});
  server second(context);
  // It lists RSA signatures only, having no other suite.
  ASSERT_TRUE(connect(old, second)) << second.codec.failure().what.text << old.error();
  EXPECT_EQ(second.codec.cipher(), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
}

TEST(Context, ServesEveryKindOfKey) {
  for (const std::string name : {"rsa", "p384", "p521", "ed25519"}) {
    for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
      const auto from = from_vector(name);
      client one(
          {.max_version = version, .server_name = name + ".example", .trusted = from->chain_pem()});
      server other(make({}, {from}));
      EXPECT_TRUE(connect(one, other)) << name << other.codec.failure().what.text << one.error();
    }
  }
}

class Tickets : public ::testing::TestWithParam<protocol_version> {
 protected:
  client_options options(const std::string& name = "a.example") const {
    return {.max_version = GetParam(), .server_name = name};
  }

  session session_from(const std::shared_ptr<const server_context>& context,
                       const std::string& name = "a.example") const {
    client one(options(name));
    server other(context);
    EXPECT_TRUE(connect(one, other));
    EXPECT_FALSE(other.codec.resumed());
    one.read();  // TLS 1.3's ticket comes after the handshake
    return one.get_session();
  }

  bool resumes(const session& with, const std::shared_ptr<const server_context>& context,
               const std::string& name = "a.example") const {
    client one(options(name));
    one.resume(with);
    server other(context);
    const bool connected = connect(one, other);
    if (!connected && !other.codec.resumed() && GetParam() == protocol_version::tls12 &&
        client::misreads_refused_tickets()) {
      return false;
    }
    EXPECT_TRUE(connected) << other.codec.failure().what.text << one.error();
    one.write("hello");
    std::string got;
    EXPECT_EQ(other.read(one.sent, one.received, got), step::want_input);
    EXPECT_EQ(got, "hello");
    EXPECT_EQ(one.resumed(), other.codec.resumed());
    return other.codec.resumed();
  }

  const certificates certificate_ = {certificate_for({"a.example", "b.example"})};
};

TEST_P(Tickets, ResumeAtEveryContextWithTheSameKeys) {
  const auto keys = fresh_keys();
  const auto one = make({.listener = "https"}, certificate_, keys);
  const session kept = session_from(one);
  EXPECT_TRUE(resumes(kept, one));
  EXPECT_TRUE(resumes(kept, make({.listener = "https"}, certificate_, keys)));
}

TEST_P(Tickets, AreWorthlessElsewhere) {
  const auto keys = fresh_keys();
  const session kept = session_from(make({.listener = "https"}, certificate_, keys));
  EXPECT_FALSE(resumes(kept, make({.listener = "https"}, certificate_)));        // other keys
  EXPECT_FALSE(resumes(kept, make({.listener = "other"}, certificate_, keys)));  // listener
  EXPECT_FALSE(resumes(kept, make({.listener = "https"}, certificate_, keys), "b.example"));
  EXPECT_FALSE(resumes(kept, make({.listener = "https"}, {from_vector("p384")}, keys)));
}

TEST_P(Tickets, LiveThroughOneRotation) {
  const auto keys = std::make_shared<ticket_keys>(mono_time{});
  const auto context = make({.listener = "https"}, certificate_, keys);
  const session kept = session_from(context);
  keys->rotate(mono_time{std::chrono::hours(12)});
  EXPECT_TRUE(resumes(kept, context));
  keys->rotate(mono_time{std::chrono::hours(24)});
  EXPECT_FALSE(resumes(kept, context));
}

TEST_P(Tickets, AreRenewedWhenTheirKeyIsOld) {
  const auto keys = std::make_shared<ticket_keys>(mono_time{});
  const auto context = make({.listener = "https"}, certificate_, keys);
  session kept = session_from(context);
  keys->rotate(mono_time{std::chrono::hours(12)});
  client one(options());
  one.resume(kept);
  server other(context);
  ASSERT_TRUE(connect(one, other));
  EXPECT_TRUE(other.codec.resumed());
  one.read();
  const session renewed = one.get_session();
  keys->rotate(mono_time{std::chrono::hours(24)});
  EXPECT_TRUE(resumes(renewed, context));
}

TEST_P(Tickets, AreNotIssuedWhenOff) {
  for (const auto& keys : {fresh_keys(), std::shared_ptr<const ticket_keys>()}) {
    const auto context =
        make({.listener = "https", .session_tickets = keys == nullptr}, certificate_, keys);
    client one(options());
    server other(context);
    ASSERT_TRUE(connect(one, other));
    one.read();
    EXPECT_FALSE(one.has_ticket());
    EXPECT_EQ(one.error(), 0);
    // TLS 1.2 leaves the client a session id; nobody here remembers it.
    if (GetParam() == protocol_version::tls12) {
      EXPECT_FALSE(resumes(one.get_session(), context));
    }
  }
}

TEST_P(Tickets, AreNotTakenWhenOff) {
  const auto keys = fresh_keys();
  const session kept = session_from(make({.listener = "https"}, certificate_, keys));
  EXPECT_FALSE(
      resumes(kept, make({.listener = "https", .session_tickets = false}, certificate_, keys)));
}

INSTANTIATE_TEST_SUITE_P(Context, Tickets,
                         ::testing::Values(protocol_version::tls12, protocol_version::tls13),
                         [](const auto& each) {
                           return each.param == protocol_version::tls12 ? "Tls12" : "Tls13";
                         });

TEST(Context, IsSharedByThreads) {
  const auto keys = std::make_shared<ticket_keys>(mono_time{});
  const auto first = make({.listener = "https"}, {certificate_for({"a.example"})}, keys);
  std::atomic<int> failures{0};
  std::atomic<int> resumed{0};
  std::atomic<bool> stop{false};
  std::vector<std::jthread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&, i] {
      const client_options options{
          .max_version = i == 0 ? protocol_version::tls12 : protocol_version::tls13,
          .groups = {29},
          .server_name = "a.example"};
      session kept;
      for (int turn = 0; turn < 60; ++turn) {
        client one(options);
        if (kept.get() != nullptr) one.resume(kept);
        server other(first);
        if (!connect(one, other)) ++failures;
        resumed += other.codec.resumed();
        one.read();
        kept = one.get_session();
      }
    });
  }
  std::jthread rotator([&] {
    for (int i = 1; !stop.load(); ++i) {
      keys->rotate(mono_time{std::chrono::hours(12) * i});
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  workers.clear();
  stop = true;
  EXPECT_EQ(failures.load(), 0);
  EXPECT_GT(resumed.load(), 90);
}

TEST(Context, LeavesLittleMemoryToAnIdleConnection) {
  const auto context = make({.listener = "https"}, {certificate_for({"a.example"})});
  for (const auto version : {protocol_version::tls12, protocol_version::tls13}) {
    client one({.max_version = version, .server_name = "a.example"});
    one.handshake();
    const long before = allocated_bytes();
    server_codec codec(context);
    EXPECT_EQ(allocated_bytes(), before) << "a silent connection holds something";
    long client_share = 0;
    std::vector<std::byte> room(16384);
    for (step how = step::want_input; how != step::done;) {
      output out{room.data(), 0, room.size()};
      auto in = bytes(one.sent);
      how = codec.handshake(in, out);
      ASSERT_NE(how, step::failed);
      one.sent.clear();
      one.received += text({room.data(), out.size});
      const long mark = allocated_bytes();
      one.handshake();
      client_share += allocated_bytes() - mark;
    }
    const long held = allocated_bytes() - before - client_share;
    RecordProperty(version == protocol_version::tls12 ? "tls12" : "tls13", static_cast<int>(held));
    EXPECT_LE(held + static_cast<long>(sizeof codec), 3500);
  }
}

}  // namespace
}  // namespace rw::tls
