// [geo] and route.countries: where clients are.
#include <fmt/core.h>

#include <algorithm>

#include "base/country.h"
#include "config/names.h"
#include "config/sections.h"

namespace rw::config {
namespace {

// ISO 3166-1 alpha-2 as of 2026, and XK, which databases have for Kosovo.
constexpr std::string_view assigned =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA "
    "ZM ZW ";
constexpr std::size_t octets_each = 3;
static_assert(assigned.size() == 250 * octets_each);

bool is_assigned(std::string_view code) noexcept {
  for (std::size_t at = 0; at < assigned.size(); at += octets_each) {
    if (assigned.substr(at, 2) == code) return true;
  }
  return false;
}

}  // namespace

std::string_view refuse_country(std::string_view code) noexcept {
  if (code == "UK") return "is not a country's code: the United Kingdom's is \"GB\"";
  if (code == "EU") return "is not a country's code: name the countries";
  if (!country::of(code).is_known()) {
    return "must be two upper-case letters, as in \"DE\" (ISO 3166-1 alpha-2)";
  }
  return is_assigned(code) ? "" : "is no country's code (ISO 3166-1 alpha-2)";
}

void read_geo(table_reader& in, geo& out) {
  const node* at = in.text("database", out.database, need::required);
  if (at == nullptr) return;
  out.database_at = at->at;
  if (!out.database.starts_with('/')) in.error(*at, "database", "must be an absolute path");
}

void read_countries(table_reader& in, const configuration& settings, route& out) {
  const node* at = in.texts("countries", out.countries);
  if (at == nullptr || out.countries.empty()) return;
  if (!settings.has_geo) in.error(*at, "countries", "needs a [geo] table: who is to say where");
  for (std::size_t i = 0; i < out.countries.size(); ++i) {
    const node& where = std::get<list>(at->value)[i];
    const auto item = out.countries.begin() + static_cast<std::ptrdiff_t>(i);
    const std::string& one = out.countries[i];
    if (const std::string_view why = refuse_country(one); !why.empty()) {
      in.error(where, "countries", fmt::format("\"{}\" {}", one.substr(0, 64), why));
    } else if (std::find(out.countries.begin(), item, one) != item) {
      in.error(where, "countries", fmt::format("\"{}\" is given twice", one));
    }
  }
}

}  // namespace rw::config
