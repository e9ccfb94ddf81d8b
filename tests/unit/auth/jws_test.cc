#include "auth/jws.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "auth/json.h"
#include "auth/signature.h"
#include "unit/auth/vectors.h"

namespace rw::auth::testing {
namespace {

constexpr algorithm_set all{0x3ff};

TEST(Jws, VectorsOfTheRfcs) {
  jws_reader reader;
  for (const row& one : read_rows("rfc.tsv")) {
    ASSERT_EQ(one.size(), 4U);
    const key_set keys = load_keys_or_die("{\"keys\":[" + one[2] + "]}");
    const auto parts = reader.read(one[3]);
    reason why = reason::none;
    if (!parts) {
      why = parts.error();
    } else if (const auto ok = verify_jws(*parts, keys, all); !ok) {
      why = ok.error();
    }
    EXPECT_EQ(name(why), one[1]) << one[0];
  }
}

TEST(Jws, GivesPayloadAndClaims) {
  jws_reader reader;
  const std::string token = read_rows("valid.tsv").front()[1];
  const auto parts = reader.read(token);
  ASSERT_TRUE(parts);
  EXPECT_TRUE(parts->payload.starts_with("{\"iss\":\"https://issuer.example\""));
  EXPECT_EQ(parts->signing_input, token.substr(0, token.rfind('.')));
  ASSERT_NE(reader.claims(), nullptr);
  EXPECT_EQ(reader.claims()->find_string("sub"), "alice");
  EXPECT_FALSE(reader.read("..."));
  EXPECT_EQ(reader.claims(), nullptr);
}

// A JWS may carry anything; only a JWT's payload must be JSON.
TEST(Jws, PayloadNeedNotBeJson) {
  jws_reader reader;
  for (const row& one : read_rows("rfc.tsv")) {
    if (!one[0].starts_with("RFC 7520 4.1")) continue;
    const auto parts = reader.read(one[3]);
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->header.kid, "bilbo.baggins@hobbiton.example");
    EXPECT_TRUE(parts->payload.ends_with("where you might be swept off to."));
    EXPECT_EQ(reader.claims(), nullptr);
  }
}

// One key set, many threads: run under TSan, this shows that verifying writes to nothing shared.
TEST(Jws, OneKeySetServesManyThreads) {
  const key_set keys = load_keys_or_die(read_vector("keys.jwks"));
  const std::vector<row> rows = read_rows("valid.tsv");
  std::vector<std::thread> threads;
  std::atomic<int> verified = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      jws_reader reader;
      for (const row& one : rows) {
        const auto parts = reader.read(one[1]);
        if (parts && verify_jws(*parts, keys, all)) ++verified;
      }
    });
  }
  for (std::thread& one : threads) one.join();
  EXPECT_EQ(verified, 4 * static_cast<int>(rows.size()));
}

}  // namespace
}  // namespace rw::auth::testing
