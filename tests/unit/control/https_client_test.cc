#include "control/https_client.h"

#include <gtest/gtest.h>

#include "https_world.h"

namespace rw::control::test {
namespace {

TEST_F(HttpsClient, AsksForJsonAsItIsAndClosesAfterwards) {
  const https_outcome got =
      get(counted("{}", "ETag: \"a\"\r\nCache-Control: max-age=60\r\nAge: 10\r\n"));
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_FALSE(got->unchanged);
  EXPECT_EQ(got->body, "{}");
  EXPECT_EQ(got->etag, "\"a\"");
  EXPECT_EQ(got->max_age, seconds{50});
  EXPECT_EQ(request_, "GET /keys?all HTTP/1.1\r\nHost: " + what_.url.authority() +
                          "\r\nUser-Agent: ringward\r\nAccept: application/json, "
                          "application/jwk-set+json\r\nAccept-Encoding: identity\r\n"
                          "Connection: close\r\n\r\n");
}

TEST_F(HttpsClient, WhatItHasIsNotSentAgain) {
  what_.etag = "\"a\"";
  const https_outcome got =
      get("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nCache-Control: max-age=7\r\n\r\n");
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_TRUE(got->unchanged);
  EXPECT_TRUE(got->body.empty());
  EXPECT_EQ(got->max_age, seconds{7});
  EXPECT_NE(request_.find("\r\nIf-None-Match: \"a\"\r\n"), std::string::npos);
  const https_outcome changed = get(counted("new", "ETag: \"b\"\r\n"));
  ASSERT_TRUE(changed) << changed.error().text();
  EXPECT_EQ(changed->body, "new");
  EXPECT_EQ(changed->etag, "\"b\"");
}

// slow that it comes before the server has got there; then there is more time.
TEST_F(HttpsClient, OneDeadlineHoldsForAllOfIt) {
  struct {
    silent where;
    const char* answer;
    bool drips;
    https_stage at;
  } const cases[] = {
      {silent::before_tls, "", false, https_stage::tls},
      {silent::before_answer, "", false, https_stage::head},
      {silent::never, "HTTP/1.1 200 O", false, https_stage::head},
      {silent::never, "HTTP/1.1 200 OK\r\nX: ", true, https_stage::head},
      {silent::never, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx", false, https_stage::body},
      {silent::never, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", true, https_stage::body}};
  for (const auto& one : cases) {
    silent_ = one.where;
    drips_ = one.drips;
    for (nanoseconds within = milliseconds{200}; within < seconds{60}; within *= 2) {
      const mono_time began = loop_->kernel().now();
      const https_outcome got = get(one.answer, within);
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().why.code, fault::timed_out) << got.error().text();
      EXPECT_GE(loop_->kernel().now() - began, within);
      if (got.error().at == one.at && (!one.drips || dripped_ > 0)) break;
      ASSERT_LT(within, seconds{30}) << name(one.at) << ", and " << got.error().text();
    }
  }
}

TEST_F(HttpsClient, NothingIsAskedWhenTheTimeIsOver) {
  const https_outcome got = get(counted("late"), -seconds{1});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().why.code, fault::timed_out) << got.error().text();
  EXPECT_EQ(request_, "");
}

TEST_F(HttpsClient, AServerThatIsNotThereIsSaidSo) {
  at_.fd.reset();
  const https_outcome got = get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().at, https_stage::connection);
  EXPECT_EQ(got.error().why.code, fault::refused);
}

TEST_F(HttpsClient, ANameIsLookedUpAndItsAddressesTriedInTurn) {
  what_.url.host = "keys.localhost";  // ::1, where nobody listens, and 127.0.0.1
  EXPECT_EQ(body_of(counted("found")), "found");
  EXPECT_NE(request_.find("Host: keys.localhost:"), std::string::npos);
}

// Its other addresses have no better one, and an attacker no second try.
TEST_F(HttpsClient, AWrongAnswerIsNotAskedForElsewhere) {
  what_.url.host = "keys.localhost";
  fails("garbage\r\n\r\n", https_stage::head, "");
  EXPECT_EQ(connections_, 1);
}

TEST_F(HttpsClient, TheChainAndTheNameAreVerified) {
  what_.tls = trusting(make_pair().chain_pem);
  fails(counted("secret"), https_stage::tls, "");
  EXPECT_EQ(request_, "");
  what_.tls = trusting(own_pair().chain_pem);
  what_.url.host = "other.localhost";
  fails(counted("secret"), https_stage::tls, "");
  EXPECT_EQ(request_, "");
}

TEST_F(HttpsClient, APinMustFit) {
  what_.tls = trusting(own_pair().chain_pem, {tls::key_pin{}});
  fails(counted("secret"), https_stage::tls, "");
  EXPECT_EQ(request_, "");
}

TEST_F(HttpsClient, EndCancelsWhatIsUnderWayAndWhatComes) {
  silent_ = silent::before_answer;
  what_.by = in(hours{1});
  outcome<https_outcome> got;
  start(ask(client_, what_), got);
  ASSERT_TRUE(until([&] { return look() && request_.ends_with("\r\n\r\n"); }, seconds{120}));
  client_.end();
  ASSERT_TRUE(until([&] { return got.done(); }, seconds{120}));
  EXPECT_EQ(got.value->error().why.code, fault::canceled);
  const https_outcome later = get(counted("no"));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().why.code, fault::canceled);
  EXPECT_EQ(connections_, 1);
}

}  // namespace
}  // namespace rw::control::test
