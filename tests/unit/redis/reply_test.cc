#include "redis/reply.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rw::redis {
namespace {

using outcome = reply_reader::outcome;

outcome read(std::string_view bytes) {
  reply_reader reader;
  reader.feed(bytes);
  return reader.next();
}

TEST(Reply, EachKindIsRead) {
  reply_reader reader;
  reader.feed("+OK\r\n-NOSCRIPT none\r\n:-7\r\n$3\r\nabc\r\n$-1\r\n*3\r\n:1\r\n:0\r\n:9000\r\n");
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().what, reply::kind::text);
  EXPECT_EQ(reader.reply().text(), "OK");
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().what, reply::kind::error);
  EXPECT_EQ(reader.reply().text(), "NOSCRIPT none");
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().what, reply::kind::number);
  EXPECT_EQ(reader.reply().numbers[0], -7);
  EXPECT_EQ(reader.reply().text(), "");
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().text(), "abc");
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().what, reply::kind::nil);
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().what, reply::kind::array);
  ASSERT_EQ(reader.reply().count, 3U);
  EXPECT_EQ(reader.reply().numbers[2], 9000);
  EXPECT_EQ(reader.next(), outcome::partial);
}

TEST(Reply, FragmentsOfOneByteChangeNothing) {
  const std::string_view bytes = "*2\r\n:12\r\n:34\r\n+OK\r\n";
  reply_reader reader;
  unsigned whole = 0;
  for (const char c : bytes) {
    reader.feed({&c, 1});
    const outcome got = reader.next();
    ASSERT_NE(got, outcome::garbage);
    if (got == outcome::whole && ++whole == 1) EXPECT_EQ(reader.reply().numbers[1], 34);
  }
  EXPECT_EQ(whole, 2U);
  EXPECT_EQ(reader.reply().text(), "OK");
}

TEST(Reply, ArraysOfTextsWhereThoseAreAskedFor) {
  reply_reader reader(true);
  const std::string binary("\r\n\0x", 4);
  reader.feed("*3\r\n$1\r\na\r\n$0\r\n\r\n$4\r\n" + binary + "\r\n*1\r\n$1\r\nb\r\n");
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().what, reply::kind::array);
  EXPECT_EQ(reader.reply().texts, (std::vector<std::string>{"a", "", binary}));
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().texts, (std::vector<std::string>{"b"}));
  for (const char* bytes :
       {"*1\r\n:1\r\n", "*1\r\n*1\r\n$1\r\na\r\n", "*65\r\n", "*1\r\n$-1\r\n"}) {
    reply_reader other(true);
    other.feed(bytes);
    EXPECT_EQ(other.next(), outcome::garbage) << bytes;
  }
}

TEST(Reply, WhatNobodyAsksForIsGarbage) {
  for (const char* bytes :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "\r\n", "*1\r\n*1\r\n:1\r\n", "*1\r\n$1\r\na\r\n",
        "*1\r\n$-1\r\n", ":12x\r\n", "*2147483647\r\n", "*65\r\n", "$-2\r\n",
        "$99999999999999999999\r\n", "!", "\x16\x03\x01"}) {
    EXPECT_EQ(read(bytes), outcome::garbage) << bytes;
  }
}

TEST(Reply, ALongTextIsCutAndOneWithoutEndIsGarbage) {
  reply_reader reader;
  reader.feed("-ERR " + std::string(1000, 'x') + "\r\n");
  ASSERT_EQ(reader.next(), outcome::whole);
  EXPECT_EQ(reader.reply().text().size(), reply::text_bytes_max);
  EXPECT_EQ(read("$1000000\r\n" + std::string(10000, 'x')), outcome::partial);
  EXPECT_EQ(read("$1000000\r\n" + std::string(20000, 'x')), outcome::garbage);
  EXPECT_EQ(read("+" + std::string(20000, 'x')), outcome::garbage);
}

}  // namespace
}  // namespace rw::redis
