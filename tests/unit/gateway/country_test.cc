// route.countries, limits by country, and how often an address is looked up.
#include "gateway/client_address.h"
#include "gateway/decide.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

class Country : public test::GatewayTest {
 protected:
  void SetUp() override {
    const char* vectors = std::getenv("RW_VECTORS");
    configure(fmt::format(
        R"(
[geo]
database = "{}/geo/countries.mmdb"
[auth.api_keys]
file = "{}"
[[limit]]
name = "two"
by = "country"
rate = "2/h"
burst = 2
[[route]]
name = "some"
path = "/some"
upstream = "origin"
auth = ["api_keys"]
countries = ["DE", "CH"]
limits = ["two"]
cors = {{ origins = ["*"] }}
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = []
limits = ["two"]
)",
        std::filesystem::absolute(vectors != nullptr ? vectors : "tests/vectors").string(),
        write("keys", "alice:0123456789abcdef0123456789abcdef\n")));
  }
  std::string verdict_on(const std::string& ip, const std::string& what,
                         const std::string& lines = "") {
    peer_ = from(ip);
    exchange& x = ask(what + " HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n");
    decide(x);
    return fmt::format("{} {} {}", x.country.text(), x.decision.status, x.decision.reason);
  }
};

TEST_F(Country, ARouteTakesThoseItNames) {
  EXPECT_EQ(verdict_on("198.51.100.1", "GET /some"), "DE 401 missing");
  EXPECT_EQ(verdict_on("198.51.100.7", "GET /some"), "CH 401 missing");
  EXPECT_EQ(verdict_on("198.51.100.200", "GET /some"), "FR 403 country_refused");
  EXPECT_EQ(verdict_on("192.0.2.1", "GET /some"), " 403 country_unknown");
  EXPECT_EQ(verdict_on("2001:db8:1::1", "GET /some"), "JP 403 country_refused");
}

TEST_F(Country, WhoIsNotLetInTakesNothingFromABudget) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(verdict_on("198.51.100.200", "GET /some"), "FR 403 country_refused");
  }
  EXPECT_EQ(verdict_on("198.51.100.200", "GET /all"), "FR 0 ");
  EXPECT_EQ(verdict_on("198.51.100.201", "GET /all"), "FR 0 ");
  EXPECT_EQ(verdict_on("198.51.100.202", "GET /all"), "FR 429 rate_limited");
  EXPECT_EQ(verdict_on("2001:db8::1", "GET /all"), "DE 0 ");
}

TEST_F(Country, PreflightsAreFromSomewhereToo) {
  const std::string asks = "Origin: https://a\r\nAccess-Control-Request-Method: GET\r\n";
  EXPECT_EQ(verdict_on("198.51.100.1", "OPTIONS /some", asks), "DE 0 ");
  EXPECT_EQ(verdict_on("198.51.100.200", "OPTIONS /some", asks), "FR 403 country_refused");
}

TEST_F(Country, AClientOfAUnixSocketIsNowhere) {
  peer_ = from_unix();
  exchange& x = ask("GET /some HTTP/1.1\r\nHost: a\r\n\r\n");
  decide(x);
  EXPECT_STREQ(x.decision.reason, "country_unknown");
}

TEST_F(Country, IsAskedForOncePerClientOfAConnection) {
  peer_ = from("198.51.100.1");
  exchange& x = ask("GET /all HTTP/1.1\r\nHost: a\r\n\r\n");
  find_client(x, {});
  find_country(x);
  EXPECT_EQ(x.country.text(), "DE");
  client_->located->country = rw::country::of("XK");  // what is known is taken
  find_country(x);
  EXPECT_EQ(x.country.text(), "XK");
  x.client_ip = from("198.51.100.7").ip;  // a proxy's next client
  find_country(x);
  EXPECT_EQ(x.country.text(), "CH");
  client_->located->by += 1;  // another database
  client_->located->country = {};
  find_country(x);
  EXPECT_EQ(x.country.text(), "CH");
}

}  // namespace
}  // namespace rw::gateway
