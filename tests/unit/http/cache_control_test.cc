#include "http/cache_control.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace rw::http {
namespace {

using std::chrono::seconds;

std::optional<seconds> freshness_of(const std::string& fields) {
  const std::string text = "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\n\r\n";
  const auto head = std::make_unique<response_head>();
  EXPECT_EQ(parse_response(text, 0, {}, method::get, *head).state, progress::complete) << fields;
  return freshness(*head);
}

TEST(CacheControl, SaysHowLong) {
  const struct {
    const char* fields;
    std::optional<seconds> is;
  } table[] = {
      {"", {}},
      {"Cache-Control: public\r\n", {}},
      {"Cache-Control: s-maxage=7\r\n", {}},
      {"Cache-Control: max-age=300\r\n", seconds{300}},
      {"cache-control: PUBLIC , Max-Age=300,must-revalidate\r\n", seconds{300}},
      {"Cache-Control: max-age=\"60\"\r\n", seconds{60}},
      {"Cache-Control: max-age=300\r\nAge: 100\r\n", seconds{200}},
      {"Cache-Control: max-age=300\r\nAge: 400\r\n", seconds{0}},
      {"Cache-Control: max-age=300\r\nAge: x\r\n", seconds{300}},
      {"Cache-Control: max-age=300, max-age=20\r\n", seconds{20}},
      {"Cache-Control: max-age=300\r\nCache-Control: no-store\r\n", seconds{0}},
      {"Cache-Control: no-cache, max-age=300\r\n", seconds{0}},
      {"Cache-Control: no-cache=\"set-cookie, x\", max-age=300\r\n", seconds{300}},
      {"Cache-Control: ext=\"no-store, max-age=1\", max-age=300\r\n", seconds{300}},
      {"Cache-Control: ext=\"\\\", no-store\", max-age=300\r\n", seconds{300}},
      {"Cache-Control: ext=\"never ends, max-age=300\r\n", {}},
      {"Cache-Control: max-age=-1\r\n", seconds{0}},
      {"Cache-Control: max-age=soon\r\n", seconds{0}},
      {"Cache-Control: max-age\r\n", seconds{0}},
      {"Cache-Control: max-age=99999999999999999999\r\n", seconds{0}},
      {"Cache-Control: max-age=999999999999\r\n", seconds{31'536'000}},
      {"Cache-Control: ,,\r\n", {}},
  };
  for (const auto& one : table) EXPECT_EQ(freshness_of(one.fields), one.is) << one.fields;
}

}  // namespace
}  // namespace rw::http
