#include "http/field.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <vector>

#include "guarded.h"
#include "http/method.h"
#include "http/scan.h"

namespace rw::http {
namespace {

TEST(Field, EveryKnownNameIsFoundInAnyCase) {
  test::guarded memory;
  for (std::size_t i = 1; i < field_id_count; ++i) {
    const auto id = static_cast<field_id>(i);
    std::string text{name(id)};
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(identify(memory.hold(text)), id) << text;
    for (char& c : text) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(identify(memory.hold(text)), id) << text;
  }
  EXPECT_EQ(name(field_id::none), "");
}

TEST(Field, NothingNearAKnownNameIsOne) {
  for (std::size_t i = 1; i < field_id_count; ++i) {
    const std::string text{name(static_cast<field_id>(i))};
    EXPECT_EQ(identify(text + "s"), field_id::none);
    EXPECT_EQ(identify(text.substr(0, text.size() - 1)), field_id::none) << text;
    for (std::size_t place = 0; place < text.size(); ++place) {
      for (int octet = 0; octet < 256; ++octet) {
        std::string other = text;
        other[place] = static_cast<char>(octet);
        std::string lower = other;
        for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        const bool same = lower == text;
        const field_id found = identify(other);
        if (same) ASSERT_EQ(found, static_cast<field_id>(i)) << other;
        if (!same) ASSERT_NE(found, static_cast<field_id>(i)) << other;
      }
    }
  }
  for (const char* other : {"", "a", "x", "-", "x-", "hostx", "cookies"}) {
    EXPECT_EQ(identify(other), field_id::none) << other;
  }
}

TEST(Field, NamesAndValues) {
  EXPECT_TRUE(is_token("a_b"));
  EXPECT_FALSE(is_field_name("a_b"));
  EXPECT_TRUE(is_field_name("X-A.b~"));
  for (const char* bad : {"", "a b", "a:", "a\r\nb", "a\x80", "a\t"}) {
    EXPECT_FALSE(is_token(bad)) << bad;
    EXPECT_FALSE(is_field_name(bad)) << bad;
  }
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("a \t\x80\xff"));
  for (const char* bad : {"a\r\nb", "a\n", "\r", "\x01", "\x7f"}) EXPECT_FALSE(is_field_value(bad));
  EXPECT_FALSE(is_field_value({"a\0b", 3}));
}

// Sixteen octets at a time must find what one at a time finds.
TEST(Field, ScansAgreeWithTheTable) {
  test::guarded memory;
  for (int octet = 0; octet < 256; ++octet) {
    for (std::size_t place = 0; place < 50; ++place) {
      std::string text(50, 'a');
      text[place] = static_cast<char>(octet);
      const std::string_view held = memory.hold(text);
      const char* const begin = held.data();
      const char* const end = begin + held.size();
      ASSERT_EQ(skip_value(begin, end), skip_by_table<value_char>(begin, end)) << octet;
      ASSERT_EQ(skip_target(begin, end), skip_by_table<target_char>(begin, end)) << octet;
      ASSERT_EQ(skip_name(begin, end), skip_by_table<name_char>(begin, end)) << octet;
    }
  }
}

TEST(Method, KnownOnesAreFoundByTheirExactName) {
  for (int i = 0; i < static_cast<int>(method::other); ++i) {
    const auto verb = static_cast<method>(i);
    EXPECT_EQ(parse_method(name(verb)), verb);
    EXPECT_EQ(parse_method(std::string{name(verb)} + "X"), method::other);
  }
  for (const char* other : {"", "get", "Get", "GE", "PURGE", "OPTION"}) {
    EXPECT_EQ(parse_method(other), method::other);
  }
  EXPECT_EQ(name(method::other), "");
}

TEST(Method, SafeAndIdempotent) {
  EXPECT_TRUE(is_safe(method::get));
  EXPECT_FALSE(is_safe(method::put));
  EXPECT_TRUE(is_idempotent(method::put));
  EXPECT_TRUE(is_idempotent(method::delete_));
  EXPECT_FALSE(is_idempotent(method::post));
  EXPECT_FALSE(is_idempotent(method::patch));
  EXPECT_FALSE(is_idempotent(method::other));
}

// Each is where it was put, at every size; what was cleared has room for as many again.
TEST(FieldList, KeepsTheirOrderAsItGrows) {
  field_list list;
  std::vector<std::string> names(fields_max);
  for (std::size_t i = 0; i < fields_max; ++i) names[i] = "n" + std::to_string(i);
  for (const std::size_t size :
       {field_list::in_place, fields_max, field_list::in_place + 1, std::size_t{1}}) {
    list.clear();
    EXPECT_TRUE(list.empty());
    for (std::size_t i = 0; i < size; ++i) {
      list.append(names[i], "v", i % 2 == 0 ? field_id::host : field_id::none, i % 3 == 0);
    }
    ASSERT_EQ(list.size(), size);
    std::size_t i = 0;
    for (const field& one : list) {
      EXPECT_EQ(one.name, names[i]);
      EXPECT_EQ(one.id, i % 2 == 0 ? field_id::host : field_id::none);
      EXPECT_EQ(one.hop_by_hop, i % 3 == 0);
      ++i;
    }
    EXPECT_EQ(i, size);
  }
}

}  // namespace
}  // namespace rw::http
