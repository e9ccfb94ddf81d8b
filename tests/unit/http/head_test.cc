#include "http/head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>

#include "guarded.h"
#include "head_text.h"
#include "vector_file.h"

namespace rw::http {
namespace {

using test::guarded;
using test::properties;
using test::vector_case;

// One parser with both kinds of head behind one face, so that every check runs on both.
struct requests {
  using head = request_head;
  static constexpr const char* file = "requests.txt";
  static outcome parse(std::string_view input, std::size_t seen, const vector_case&, head& out) {
    return parse_request(input, seen, {}, out);
  }
};

struct responses {
  using head = response_head;
  static constexpr const char* file = "responses.txt";
  static outcome parse(std::string_view input, std::size_t seen, const vector_case& one,
                       head& out) {
    const auto asked = one.expected.find("asked");
    const method verb = asked == one.expected.end() ? method::get : parse_method(asked->second);
    return parse_response(input, seen, {}, verb, out);
  }
};

std::string text(const outcome& got) {
  switch (got.state) {
    case progress::complete:
      return "accept";
    case progress::partial:
      return "partial";
    case progress::refused:
      break;
  }
  return "refuse " + std::to_string(got.status) + " " + got.reason;
}

std::string verdict(const vector_case& one) {
  std::string all;
  for (const std::string& word : one.words) all += (all.empty() ? "" : " ") + word;
  return all;
}

template <class Side>
class Head : public testing::Test {
 protected:
  void SetUp() override { cases_ = test::read_vectors(Side::file); }

  std::vector<vector_case> cases_;
  guarded memory_;
  typename Side::head head_;
};

using both = testing::Types<requests, responses>;
TYPED_TEST_SUITE(Head, both);

TYPED_TEST(Head, GivesTheVerdictOfEachVector) {
  for (const vector_case& one : this->cases_) {
    SCOPED_TRACE(one.where);
    const outcome got = TypeParam::parse(this->memory_.hold(one.input()), 0, one, this->head_);
    EXPECT_EQ(text(got), verdict(one));
    if (got.state != progress::complete) continue;
    properties all = test::describe(this->head_);
    for (const auto& [key, value] : one.expected) {
      if (key == "asked") continue;
      if (all.contains(key)) {
        EXPECT_EQ(all[key], value) << key;
      } else {
        const field* found = this->head_.find(key);
        ASSERT_NE(found, nullptr) << key;
        EXPECT_EQ(found->value, value) << key;
      }
    }
  }
}

// Whatever is cut off, the answer is `partial` until it is final; and it is the same for octets
// that came one by one as for octets that came at once.
TYPED_TEST(Head, EveryPrefixAgreesWithOneOctetAtATime) {
  for (const vector_case& one : this->cases_) {
    SCOPED_TRACE(one.where);
    const std::string input = one.input();
    const std::size_t step = input.size() > 2000 ? 97 : 1;  // long ones repeat themselves
    auto slow = std::make_unique<typename TypeParam::head>();
    std::string final_answer;
    std::size_t seen = 0;
    for (std::size_t size = 0; size <= input.size(); size += step) {
      const std::string_view prefix = this->memory_.hold(std::string_view{input}.substr(0, size));
      const std::string at_once = text(TypeParam::parse(prefix, 0, one, this->head_));
      if (final_answer.empty()) {
        ASSERT_EQ(text(TypeParam::parse(prefix, seen, one, *slow)), at_once) << size;
        if (at_once != "partial") final_answer = at_once;
      } else {
        ASSERT_EQ(at_once, final_answer) << size;
      }
      if (final_answer == "accept") ASSERT_EQ(test::describe(*slow), test::describe(this->head_));
      if (final_answer == "accept") break;
      seen = size;
    }
  }
}

TYPED_TEST(Head, PiecesInABufferThatMovesGiveTheSame) {
  std::mt19937 random{7};
  auto pieces = std::make_unique<typename TypeParam::head>();
  for (const vector_case& one : this->cases_) {
    SCOPED_TRACE(one.where);
    const std::string input = one.input();
    const outcome whole = TypeParam::parse(this->memory_.hold(input), 0, one, this->head_);
    for (int round = 0; round < 10; ++round) {
      outcome got;
      std::size_t seen = 0;
      std::unique_ptr<std::string> buffer;
      for (std::size_t size = 0; got.state == progress::partial && seen < input.size();) {
        size = std::min(input.size(), size + 1 + random() % (1 + input.size() / 4));
        auto moved = std::make_unique<std::string>(input.substr(0, size));
        moved->shrink_to_fit();
        got = TypeParam::parse(*moved, seen, one, *pieces);
        buffer = std::move(moved);  // and the old one goes
        seen = size;
      }
      ASSERT_EQ(text(got), text(whole));
      if (got.state == progress::complete) {
        ASSERT_EQ(test::describe(*pieces), test::describe(this->head_));
      }
    }
  }
}

TYPED_TEST(Head, WhatIsFinalStaysSoWhateverFollows) {
  const std::string tails[] = {"x",
                               "\r\n\r\n",
                               std::string("\0", 1),
                               ": a\r\n\r\n",
                               " HTTP/1.1\r\nHost: a\r\n\r\n",
                               std::string(40000, 'a')};
  for (const vector_case& one : this->cases_) {
    SCOPED_TRACE(one.where);
    if (one.words.front() == "partial") continue;
    for (const std::string& tail : tails) {
      const std::string input = one.input() + tail;
      const outcome got = TypeParam::parse(this->memory_.hold(input), 0, one, this->head_);
      ASSERT_EQ(text(got), verdict(one));
    }
  }
}

TYPED_TEST(Head, RebaseMovesEveryView) {
  for (const vector_case& one : this->cases_) {
    SCOPED_TRACE(one.where);
    auto first = std::make_unique<std::string>(one.input());
    if (TypeParam::parse(*first, 0, one, this->head_).state != progress::complete) continue;
    const properties before = test::describe(this->head_);
    const std::string second = *first;
    this->head_.rebase(second.data());
    first->assign(first->size(), '?');
    first.reset();
    EXPECT_EQ(test::describe(this->head_), before);
  }
}

outcome parse(std::string_view input, const head_limits& limits, request_head& out) {
  return parse_request(input, 0, limits, out);
}

TEST(HeadLimits, AreExact) {
  request_head head;
  const std::string input = "GET /abc HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
  const auto size = static_cast<std::uint32_t>(input.size());
  EXPECT_EQ(text(parse(input, {size, 2, 4}, head)), "accept");
  EXPECT_EQ(text(parse(input, {size - 1, 2, 4}, head)), "refuse 431 head_too_large");
  EXPECT_EQ(text(parse(input, {size, 1, 4}, head)), "refuse 431 too_many_fields");
  EXPECT_EQ(text(parse(input, {size, 2, 3}, head)), "refuse 414 target_too_long");
}

TEST(HeadLimits, HoldForPartialInput) {
  request_head head;
  EXPECT_EQ(text(parse("GET /abc", {100, 2, 4}, head)), "partial");
  EXPECT_EQ(text(parse("GET /abcd", {100, 2, 4}, head)), "refuse 414 target_too_long");
  EXPECT_EQ(text(parse("GET /abc", {9, 2, 4}, head)), "partial");
  EXPECT_EQ(text(parse("GET /abc ", {9, 2, 4}, head)), "refuse 431 head_too_large");
}

TEST(HeadLimits, FieldsNeverPassTheirStorage) {
  request_head head;
  std::string input = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 1; i < fields_max; ++i) input += "X: b\r\n";
  const head_limits limits{.header_count = 100000};
  EXPECT_EQ(text(parse(input + "\r\n", limits, head)), "accept");
  EXPECT_EQ(head.fields.size(), fields_max);
  EXPECT_EQ(text(parse(input + "X: b\r\n\r\n", limits, head)), "refuse 431 too_many_fields");
}

TEST(HeadOfRequest, IsReusableAfterAnyAnswer) {
  request_head head;
  parse(
      "OPTIONS http://a.b/c?d HTTP/1.0\r\nConnection: x, close\r\nExpect: 100-continue\r\n"
      "Content-Length: 7\r\n\r\n",
      {}, head);
  parse("GET / HTTP/1.1\r\nHost: a\r\nX", {}, head);
  ASSERT_EQ(text(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, head)), "accept");
  request_head fresh;
  ASSERT_EQ(text(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, fresh)), "accept");
  EXPECT_EQ(test::describe(head), test::describe(fresh));
}

TEST(HeadOfRequest, RefusedKeepsWhatTheLogWants) {
  request_head head;
  parse("GET /a?b HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n", {}, head);
  EXPECT_EQ(head.method_text, "GET");
  EXPECT_EQ(head.target, "/a?b");
  parse("G\0T /a", {}, head);
  EXPECT_EQ(head.method_text, "");
  EXPECT_EQ(head.target, "");
}

TEST(HeadOfRequest, FindsFields) {
  request_head head;
  ASSERT_EQ(text(parse("GET / HTTP/1.1\r\nHost: a\r\nCookie: b\r\nCookie: c\r\nX-Y: d\r\n\r\n", {},
                       head)),
            "accept");
  EXPECT_EQ(head.count(field_id::cookie), 2U);
  EXPECT_EQ(head.value(field_id::cookie), "b");
  EXPECT_EQ(head.find("x-y")->value, "d");
  EXPECT_EQ(head.find("x-z"), nullptr);
  EXPECT_EQ(head.find(field_id::te), nullptr);
  EXPECT_EQ(head.count(field_id::te), 0U);
  EXPECT_TRUE(head.has(field_id::host));
  EXPECT_FALSE(head.has(field_id::te));
}

// A megabyte of one octet at a time must not take a megabyte squared.
TEST(HeadOfRequest, DrippingIsLinear) {
  const std::string starts[] = {"GET /", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX:",
                                "GET / HTTP/1.1\r\nX: ", "GET / HTTP/1.1\r\nHost: a\r\nX: "};
  const std::string fill[] = {"a", "a", " ", "a", "\t"};
  const head_limits limits{.head_bytes = 2U << 20U, .target_bytes = 2U << 20U};
  for (std::size_t i = 0; i < std::size(starts); ++i) {
    request_head head;
    std::string input = starts[i];
    for (std::size_t n = 0; n < (1U << 20U); ++n) input += fill[i];
    std::size_t seen = 0;
    for (std::size_t size = 1; size <= input.size(); ++size) {
      const outcome got = parse_request({input.data(), size}, seen, limits, head);
      ASSERT_EQ(got.state, progress::partial) << got.reason;
      seen = size;
    }
  }
}

}  // namespace
}  // namespace rw::http
