#include "http/h2_head.h"

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "guarded.h"
#include "head_text.h"
#include "vector_file.h"

namespace rw::http {
namespace {

using test::vector_case;

// Small enough that a vector can be one field too long.
constexpr head_limits limits{.head_bytes = 32U << 10U, .header_count = 8, .target_bytes = 8192};

std::string text(const outcome& got) {
  if (got.state == progress::complete) return "accept";
  return "refuse " + std::to_string(got.status) + " " + got.reason;
}

// The words that are the verdict; the others say how to read a case.
std::string verdict(const vector_case& one) {
  std::string all;
  for (const std::string& word : one.words) {
    if (word != "get" && word != "body" && word != "trailers")
      all += (all.empty() ? "" : " ") + word;
  }
  return all;
}

class H2Section : public testing::Test {
 protected:
  void read(const vector_case& one) {
    section_.start(limits,
                   one.says("trailers") ? section_kind::request_trailers : section_kind::request);
    if (one.says("get")) {
      section_.add(":method", "GET");
      section_.add(":scheme", "https");
      section_.add(":authority", "a");
      section_.add(":path", "/");
    }
    // A name of several pieces is written as one string with a factor; values likewise.
    std::vector<std::string> strings = one.strings;
    if (strings.size() % 2 != 0) {
      strings[strings.size() - 2] += strings.back();
      strings.pop_back();
    }
    for (std::size_t i = 0; i < strings.size(); i += 2) section_.add(strings[i], strings[i + 1]);
  }

  outcome request(bool ends) {
    home_ = std::make_unique_for_overwrite<char[]>(section_.text_bytes());
    return section_.make_request(home_.get(), ends, head_);
  }

  h2_section section_;
  std::unique_ptr<char[]> home_;
  request_head head_;
};

TEST_F(H2Section, GivesTheVerdictOfEachVector) {
  const std::vector<vector_case> cases = test::read_vectors("h2_requests.txt");
  ASSERT_GT(cases.size(), 80U);
  for (const vector_case& one : cases) {
    SCOPED_TRACE(one.where);
    read(one);
    if (one.says("trailers")) {
      std::string lines;
      EXPECT_EQ(text(section_.make_trailers(lines)), verdict(one));
      if (one.expected.contains("lines")) EXPECT_EQ(lines, one.expected.at("lines"));
      continue;
    }
    const outcome got = request(!one.says("body"));
    EXPECT_EQ(text(got), verdict(one));
    if (got.state != progress::complete) continue;
    test::properties all = test::describe(head_);
    if (head_.has(field_id::cookie)) all["value"] = head_.value(field_id::cookie);
    for (const auto& [key, value] : one.expected) EXPECT_EQ(all.at(key), value) << key;
  }
}

// What HTTP/1.1's parser refuses in a field must not come in by the other way, whatever it is.
TEST_F(H2Section, IsAsStrictAsTheParserOfHttp1) {
  const auto both = [this](const std::string& name, const std::string& value) {
    section_.start(limits);
    for (const auto& [n, v] :
         {std::pair{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}) {
      section_.add(n, v);
    }
    section_.add(name, value);
    if (request(true).state != progress::complete) return;
    request_head other;
    const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n" + name + ": " + value + "\r\n\r\n";
    const outcome got = parse_request(line, 0, limits, other);
    ASSERT_EQ(got.state, progress::complete) << testing::PrintToString(line) << got.reason;
    ASSERT_EQ(other.fields.size(), 2U);
    EXPECT_EQ(other.fields[1].name, name);
    EXPECT_EQ(other.fields[1].value, value);
  };
  for (int c = 0; c < 256; ++c) {
    const std::string octet(1, static_cast<char>(c));
    both("x", octet);
    both("x", "a" + octet);
    both("x", octet + "a");
    both("x", "a" + octet + "b");
    both(octet, "a");
    both("a" + octet, "a");
    both("a" + octet + "b", "a");
  }
}

TEST_F(H2Section, AnOriginMayHaveUnderscoresInItsNames) {
  section_.start(limits, section_kind::response_trailers);
  section_.add("x_sum", "1");
  std::string lines;
  EXPECT_EQ(text(section_.make_trailers(lines)), "accept");
  EXPECT_EQ(lines, "x_sum: 1\r\n");
  section_.start(limits, section_kind::request_trailers);
  section_.add("x_sum", "1");
  EXPECT_EQ(text(section_.make_trailers(lines)), "refuse 400 underscore_in_field_name");
}

TEST_F(H2Section, KeepsNoMoreThanTheLimits) {
  section_.start(limits);
  for (int i = 0; i < 100'000; ++i) section_.add("x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
  EXPECT_LE(section_.text_bytes(), limits.head_bytes);
  EXPECT_EQ(text(request(true)), "refuse 0 missing_method");
}

TEST_F(H2Section, LooksNowhereBehindItsText) {
  test::guarded memory;
  section_.start(limits);
  section_.add(":method", "GET");
  section_.add(":scheme", "https");
  section_.add(":path", "/?q");
  section_.add("host", "a:1");
  section_.add("cookie", "a");
  section_.add("cookie", "b");
  const std::span<char> room = memory.room(section_.text_bytes());
  EXPECT_EQ(text(section_.make_request(room.data(), true, head_)), "accept");
  EXPECT_EQ(head_.size, room.size());
  EXPECT_EQ(head_.value(field_id::cookie), "a; b");
}

}  // namespace
}  // namespace rw::http
