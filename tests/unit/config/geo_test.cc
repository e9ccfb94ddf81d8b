// [geo], route.countries and limits by country.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/names.h"
#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view geo_table = "[geo]\ndatabase = \"/var/lib/geo/countries.mmdb\"\n";

std::string route_with(std::string_view line) {
  return "[[route]]\nname = \"r\"\npath = \"/\"\nupstream = \"origin\"\nauth = []\n" +
         std::string(line) + "\n";
}

TEST(Geo, IsADatabaseAndWhatGoesByIt) {
  EXPECT_FALSE(must_parse(with_upstream).has_geo);
  const configuration made =
      must_parse(std::string(with_upstream) + std::string(geo_table) +
                 "[[limit]]\nname = \"per-country\"\nby = \"country+route\"\nrate = \"1/s\"\n" +
                 route_with("countries = [\"DE\", \"XK\"]\nlimits = [\"per-country\"]"));
  EXPECT_TRUE(made.has_geo);
  EXPECT_EQ(made.geo.database, "/var/lib/geo/countries.mmdb");
  EXPECT_EQ(made.geo.database_at.line, 19U);
  EXPECT_THAT(made.limits.back().by, ElementsAre(limit_key::country, limit_key::route));
  EXPECT_THAT(made.routes.back().countries, ElementsAre("DE", "XK"));
}

TEST(Geo, IsNeededByWhatGoesByIt) {
  EXPECT_THAT(after_upstream(route_with("countries = [\"DE\"]")),
              ElementsAre("t:23:13: error: route.countries: needs a [geo] table: who is to say "
                          "where"));
  EXPECT_THAT(
      after_upstream("[[limit]]\nname = \"l\"\nrate = \"1/s\"\nby = \"client.ip+country\"\n"),
      ElementsAre("t:21:6: error: limit.by: \"country\" needs a [geo] table: who is to say where"));
  EXPECT_THAT(after_upstream(route_with("countries = []")), IsEmpty());
}

TEST(Geo, NeedsAnAbsolutePath) {
  EXPECT_THAT(after_upstream("[geo]\n"), ElementsAre("t:18:1: error: geo.database: required"));
  EXPECT_THAT(after_upstream("[geo]\ndatabase = \"a.mmdb\"\n"),
              ElementsAre("t:19:12: error: geo.database: must be an absolute path"));
}

TEST(Geo, CountriesAreThoseOfIso3166) {
  for (const char* one : {"DE", "AD", "ZW", "GB", "XK", "US"}) EXPECT_EQ(refuse_country(one), "");
  EXPECT_THAT(std::string(refuse_country("UK")), HasSubstr("\"GB\""));
  EXPECT_THAT(std::string(refuse_country("EU")), HasSubstr("name the countries"));
  for (const char* one : {"de", "DEU", "D", "", "D1", "*"}) {
    EXPECT_THAT(std::string(refuse_country(one)), HasSubstr("two upper-case letters")) << one;
  }
  for (const char* one : {"AA", "ZZ", "XX", "DD", "SU", "YU", "AN"}) {
    EXPECT_THAT(std::string(refuse_country(one)), HasSubstr("no country's code")) << one;
  }
}

TEST(Geo, AWrongCountryHasItsPlace) {
  const auto refused = [](std::string_view list) {
    return after_upstream(std::string(geo_table) + route_with(list));
  };
  EXPECT_THAT(refused("countries = [\"DE\", \"UK\"]"),
              ElementsAre("t:25:20: error: route.countries: \"UK\" is not a country's code: the "
                          "United Kingdom's is \"GB\""));
  EXPECT_THAT(refused("countries = [\"DE\", \"DE\"]"),
              ElementsAre("t:25:20: error: route.countries: \"DE\" is given twice"));
}

}  // namespace
}  // namespace rw::config
