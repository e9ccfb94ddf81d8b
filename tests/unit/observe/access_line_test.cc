#include "observe/access_line.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace rw::observe {
namespace {

using namespace std::chrono_literals;

const std::array<std::string, 2> redact = {"authorization", "?token"};

access_record example() {
  access_record r;
  r.at = wall_time{1'795'458'371s + 123'456'789ns};
  r.request_id = "0a1b2c";
  r.client = "192.0.2.7";
  r.identity = "alice";
  r.route = "api";
  r.upstream = "origin";
  r.method = "GET";
  r.host = "example.org";
  r.path = "/v1/things";
  r.query = "?a=1&token=secret";
  r.protocol = "HTTP/1.1";
  r.tls = "TLSv1.3";
  r.status = 200;
  r.attempts = 1;
  r.bytes_in = 12;
  r.bytes_out = 3456;
  r.head = 10us;
  r.decide = 2us;
  r.connect = 30us;
  r.first_byte = 1500us;
  r.total = 2ms + 999ns;
  return r;
}

std::string line(const access_record& r, access_format format = access_format::json) {
  access_formatter formatter(format, redact);
  std::vector<char> out(formatter.bytes_max(r));
  const std::size_t size = formatter.write(r, out);
  EXPECT_LE(size, out.size());
  return {out.data(), size};
}

TEST(AccessLine, IsOneJsonObject) {
  EXPECT_EQ(line(example()),
            R"({"time":"2026-11-23T18:26:11.123456Z","id":"0a1b2c","client":"192.0.2.7",)"
            R"("identity":"alice","route":"api","upstream":"origin","method":"GET",)"
            R"("host":"example.org","path":"/v1/things?a=1&token=***","protocol":"HTTP/1.1",)"
            R"("tls":"TLSv1.3","status":200,"bytes_in":12,"bytes_out":3456,"us_head":10,)"
            R"("us_decide":2,"us_connect":30,"us_first_byte":1500,"us_total":2000})"
            "\n");
}

TEST(AccessLine, HasTheTraceBehindTheId) {
  access_record r = example();
  r.trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  r.span = "00f067aa0ba902b7";
  EXPECT_NE(line(r).find(R"("id":"0a1b2c","trace":"4bf92f3577b34da6a3ce929d0e0e4736",)"
                         R"("span":"00f067aa0ba902b7","client":)"),
            std::string::npos);
}

TEST(AccessLine, LeavesOutWhatIsNotKnown) {
  access_record r;
  r.status = 400;
  r.reason = "malformed";
  r.total = -1ns;
  EXPECT_EQ(line(r),
            R"({"time":"1970-01-01T00:00:00.000000Z","path":"","status":400,"reason":"malformed",)"
            R"("bytes_in":0,"bytes_out":0,"us_head":0,"us_decide":0,"us_connect":0,)"
            R"("us_first_byte":0,"us_total":0})"
            "\n");
  r.attempts = 2;
  EXPECT_NE(line(r).find(R"(,"attempts":2,)"), std::string::npos);
}

TEST(AccessLine, SaysWhereTheClientIs) {
  access_record r = example();
  r.country = "DE";
  EXPECT_NE(line(r).find(R"("client":"192.0.2.7","country":"DE","identity":"alice")"),
            std::string::npos);
  EXPECT_EQ(line(r, access_format::combined), line(example(), access_format::combined));
}

// Every octet in every place of a text: the line stays one line and one valid JSON document, which
// has the text back.
TEST(AccessLine, EscapesEveryOctetInEveryPlace) {
  simdjson::dom::parser parser;
  for (std::size_t length : {1U, 7U, 8U, 9U, 16U, 19U}) {
    for (std::size_t at = 0; at < length; ++at) {
      for (int octet = 0; octet < 256; ++octet) {
        std::string text(length, 'x');
        text[at] = static_cast<char>(octet);
        access_record r = example();
        r.identity = text;
        const std::string out = line(r);
        ASSERT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
        simdjson::dom::element whole;
        ASSERT_EQ(parser.parse(out).get(whole), simdjson::SUCCESS) << out;
        std::string_view back;
        ASSERT_EQ(whole["identity"].get(back), simdjson::SUCCESS);
        if (octet < 0x80) {
          ASSERT_EQ(back, text);
        }
      }
    }
  }
}

TEST(AccessLine, IsValidWhateverTheOctets) {
  simdjson::dom::parser parser;
  std::mt19937_64 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::array<std::string, 7> texts;
    for (std::string& one : texts) {
      one.resize(random() % 40);
      for (char& c : one) c = static_cast<char>(random());
    }
    if (i % 2 == 0) {
      texts[0] = "?";
      for (std::uint64_t n = random() % 8; n > 0; --n) texts[0] += "token=&";
    }
    access_record r = example();
    r.query = texts[0];
    r.path = texts[1];
    r.request_id = texts[2];
    r.host = texts[3];
    r.user_agent = texts[4];
    r.referer = texts[5];
    r.identity = texts[6];
    simdjson::dom::element whole;
    ASSERT_EQ(parser.parse(line(r)).get(whole), simdjson::SUCCESS) << line(r);
    for (const access_format format : {access_format::combined, access_format::pretty}) {
      const std::string out = line(r, format);
      ASSERT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
      ASSERT_TRUE(simdjson::validate_utf8(out));
    }
  }
}

TEST(AccessLine, CombinedIsWhatLogToolsRead) {
  access_record r = example();
  r.user_agent = "curl/8 \"x\"";
  EXPECT_EQ(line(r, access_format::combined),
            "192.0.2.7 - alice [23/Nov/2026:18:26:11 +0000] "
            "\"GET /v1/things?a=1&token=*** HTTP/1.1\" 200 3456 \"-\" \"curl/8 \\\"x\\\"\"\n");
}

// A caller does not write fields of its own by its name.
TEST(AccessLine, CombinedKeepsNamesInTheirField) {
  access_record r = example();
  r.identity = "eve [01/Jan/2020:00:00:00 +0000] \"GET / HTTP/1.1\" 200\n";
  const std::string out = line(r, access_format::combined);
  EXPECT_EQ(out.substr(0, out.find(" [")),
            "192.0.2.7 - eve__01/Jan/2020:00:00:00_+0000___GET_/_HTTP/1.1__200\\u000a");
}

TEST(AccessLine, PrettyIsForPeople) {
  access_record r = example();
  r.status = 429;
  r.reason = "rate_limited";
  EXPECT_EQ(line(r, access_format::pretty),
            "18:26:11.123  429  GET /v1/things?a=1&token=***  alice  rate_limited  2.00 ms\n");
  EXPECT_EQ(line(r, access_format::coloured),
            "18:26:11.123  \x1b[33m429\x1b[0m  GET /v1/things?a=1&token=***  alice  rate_limited  "
            "2.00 ms\n");
}

}  // namespace
}  // namespace rw::observe
