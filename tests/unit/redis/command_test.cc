#include "redis/command.h"

#include <gtest/gtest.h>

namespace rw::redis {
namespace {

TEST(Command, IsWrittenAsAnArrayOfBulkStrings) {
  command first;
  first.add("EVALSHA").add("abc");
  command rest;
  rest.add(1U).add("key").add("");
  std::string out = "before";
  append(out, first, rest);
  EXPECT_EQ(out, "before*5\r\n$7\r\nEVALSHA\r\n$3\r\nabc\r\n$1\r\n1\r\n$3\r\nkey\r\n$0\r\n\r\n");
}

TEST(Command, AnyOctetsMayBeInAWord) {
  command one;
  one.add(std::string_view("a\0\r\nb", 5));
  std::string out;
  append(out, one, {});
  EXPECT_EQ(out, std::string("*1\r\n$5\r\na\0\r\nb\r\n", 15));
}

TEST(Command, WordsAreWhatWasAdded) {
  command one;
  one.add("a").add("").add(18446744073709551615U);
  ASSERT_EQ(one.size(), 3U);
  EXPECT_EQ(one.word(0), "a");
  EXPECT_EQ(one.word(1), "");
  EXPECT_EQ(one.word(2), "18446744073709551615");
  one.clear();
  EXPECT_EQ(one.size(), 0U);
}

}  // namespace
}  // namespace rw::redis
