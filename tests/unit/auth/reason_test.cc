#include "auth/reason.h"

#include <gtest/gtest.h>

#include <set>

#include "auth/authenticate.h"

namespace rw::auth {
namespace {

TEST(Reason, EveryOneHasItsOwnNameAndAStatus) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < reason_count; ++i) {
    const auto one = static_cast<reason>(i);
    names.insert(name(one));
    const unsigned status = status_of(one);
    EXPECT_EQ(status == 200, one == reason::none);
  }
  EXPECT_EQ(names.size(), reason_count);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(status_of(reason::missing), 401U);
  EXPECT_EQ(status_of(reason::ambiguous), 400U);
  EXPECT_EQ(status_of(reason::insufficient_scope), 403U);
  EXPECT_EQ(status_of(reason::revoked), 401U);
  EXPECT_EQ(status_of(reason::replayed), 401U);
  EXPECT_EQ(status_of(reason::certificate), 401U);
  EXPECT_EQ(status_of(reason::replay_full), 503U);
}

std::string challenge(reason why, std::vector<std::string> scopes = {}) {
  std::string out;
  append_challenge(out, why, scopes);
  return out;
}

// RFC 6750 3.1: no error code when the request carried no authentication information.
TEST(Challenge, TellsTheCodeAndNothingElse) {
  EXPECT_EQ(challenge(reason::missing), "Bearer realm=\"api\"");
  EXPECT_EQ(challenge(reason::unsupported_scheme), "Bearer realm=\"api\"");
  EXPECT_EQ(challenge(reason::ambiguous), "Bearer realm=\"api\", error=\"invalid_request\"");
  for (reason why : {reason::unknown_key, reason::expired, reason::bad_signature,
                     reason::unknown_kid, reason::wrong_audience, reason::malformed}) {
    EXPECT_EQ(challenge(why, {"read"}), "Bearer realm=\"api\", error=\"invalid_token\"");
  }
  EXPECT_EQ(challenge(reason::insufficient_scope, {"read", "bad\"one", "write:all"}),
            "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"read write:all\"");
}

}  // namespace
}  // namespace rw::auth
