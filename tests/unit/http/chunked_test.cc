#include "http/chunked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "guarded.h"
#include "vector_file.h"

namespace rw::http {
namespace {

using test::guarded;
using test::vector_case;
using status = chunked_decoder::status;

struct reading {
  std::string verdict;
  std::string data;
  std::string trailers;
  std::size_t consumed = 0;
  bool operator==(const reading&) const = default;
};

// Feeds pieces of 1..`longest` octets, each at the edge of readable memory.
reading read(std::string_view input, std::size_t longest, std::mt19937& random, guarded& memory) {
  reading got;
  chunked_decoder decoder;
  while (got.consumed < input.size() && decoder.state() == status::reading) {
    const std::size_t size = 1 + random() % longest;
    std::string_view piece = memory.hold(input.substr(got.consumed, size));
    while (!piece.empty() && decoder.state() == status::reading) {
      const auto [consumed, data] = decoder.feed(piece);
      EXPECT_GT(consumed, 0U);
      got.data += data;
      got.consumed += consumed;
      piece.remove_prefix(consumed);
    }
  }
  switch (decoder.state()) {
    case status::reading:
      got.verdict = "partial";
      break;
    case status::done:
      got.verdict = "accept";
      break;
    case status::refused:
      got.verdict = std::string("refuse 400 ") + decoder.reason();
      break;
  }
  if (decoder.state() == status::done) got.trailers = decoder.trailers();
  return got;
}

TEST(Chunked, GivesTheVerdictOfEachVectorHoweverItIsCut) {
  guarded memory;
  std::mt19937 random{11};
  for (const vector_case& one : test::read_vectors("chunked.txt")) {
    SCOPED_TRACE(one.where);
    const std::string input = one.input();
    const reading whole = read(input, 1U << 20U, random, memory);
    std::string verdict;
    for (const std::string& word : one.words) verdict += (verdict.empty() ? "" : " ") + word;
    EXPECT_EQ(whole.verdict, verdict);
    for (const auto& [key, value] : one.expected) {
      if (key == "data") EXPECT_EQ(whole.data, value);
      if (key == "trailers") EXPECT_EQ(whole.trailers, value);
      if (key == "rest") EXPECT_EQ(input.substr(whole.consumed), value);
    }
    for (const std::size_t longest : {1U, 2U, 3U, 7U, 20U, 300U}) {
      const reading cut = read(input, longest, random, memory);
      EXPECT_EQ(cut.verdict, whole.verdict);
      if (whole.verdict != "accept") continue;
      EXPECT_EQ(cut, whole);
    }
    // A verdict, once given, does not depend on what follows.
    if (whole.verdict == "partial") continue;
    EXPECT_EQ(read(input + "5\r\nX: y\r\n\r\n", 1U << 20U, random, memory).verdict, verdict);
    // And no proper prefix of an accepted body is one.
    for (std::size_t size = 0; size < std::min<std::size_t>(whole.consumed, 500); ++size) {
      const std::string before = read(input.substr(0, size), 1U << 20U, random, memory).verdict;
      EXPECT_TRUE(before == "partial" || (before == verdict && before != "accept")) << size;
    }
  }
}

TEST(Chunked, DataIsAViewOfTheInput) {
  chunked_decoder decoder;
  const std::string input = "5\r\nhello\r\n";
  const auto piece = decoder.feed(input);
  EXPECT_EQ(piece.data.data(), input.data() + 3);
  EXPECT_EQ(piece.consumed, 8U);
}

TEST(Chunked, DataMayGoAround) {
  chunked_decoder decoder;
  EXPECT_EQ(decoder.chunk_left(), 0U);
  EXPECT_EQ(decoder.feed("100000\r\nab").data, "ab");
  EXPECT_EQ(decoder.chunk_left(), 0x100000U - 2);
  decoder.skip(10);
  EXPECT_EQ(decoder.chunk_left(), 0x100000U - 12);
  decoder.skip(0x100000U - 12);
  EXPECT_EQ(decoder.chunk_left(), 0U);
  decoder.feed("\r\n0\r\n\r\n");
  EXPECT_EQ(decoder.state(), status::done);
}

TEST(Chunked, TrailersComeOneByOne) {
  chunked_decoder decoder;
  decoder.feed("0\r\nA: b\r\nHost: c\r\nD:\r\n\r\n");
  ASSERT_EQ(decoder.state(), status::done);
  std::string_view lines = decoder.trailers();
  field one;
  ASSERT_TRUE(next_trailer(lines, one));
  EXPECT_EQ(one.name, "A");
  EXPECT_EQ(one.value, "b");
  ASSERT_TRUE(next_trailer(lines, one));
  EXPECT_EQ(one.name, "D");
  EXPECT_EQ(one.value, "");
  EXPECT_FALSE(next_trailer(lines, one));
}

TEST(Chunked, AnOriginMayHaveUnderscoresInItsTrailers) {
  chunked_decoder origin{{.names = underscores::taken}};
  origin.feed("0\r\nx_sum: 1\r\nContent_Length: 5\r\n\r\n");
  ASSERT_EQ(origin.state(), status::done);
  std::string_view lines = origin.trailers();
  field one;
  ASSERT_TRUE(next_trailer(lines, one));
  EXPECT_EQ(one.name, "x_sum");
  ASSERT_TRUE(next_trailer(lines, one));
  EXPECT_EQ(one.id, field_id::none);
  chunked_decoder client;
  client.feed("0\r\nx_sum: 1\r\n\r\n");
  EXPECT_STREQ(client.reason(), "underscore_in_field_name");
}

TEST(Chunked, LimitsAreExact) {
  const chunked_limits limits{.line_bytes = 6, .trailer_bytes = 8, .trailer_count = 1};
  chunked_decoder fits{limits};
  fits.feed("0;ab\r\nX: a\r\n\r\n");
  EXPECT_EQ(fits.state(), status::done);
  chunked_decoder line{limits};
  line.feed("0;abc\r\n");
  EXPECT_STREQ(line.reason(), "chunk_line_too_long");
  chunked_decoder octets{limits};
  octets.feed("0\r\nX: ab\r\n\r\n");
  EXPECT_STREQ(octets.reason(), "trailers_too_large");
  chunked_decoder count{{.trailer_count = 1}};
  count.feed("0\r\nX: a\r\nY: b\r\n\r\n");
  EXPECT_STREQ(count.reason(), "too_many_trailers");
}

TEST(Chunked, WritesWhatItReads) {
  EXPECT_EQ(make_chunk_head(0x1a).view(), "1a\r\n");
  EXPECT_EQ(make_chunk_head(1).view(), "1\r\n");
  EXPECT_EQ(make_chunk_head(0).view(), "0\r\n");
  EXPECT_EQ(make_chunk_head(0xffff).view(), "ffff\r\n");
  EXPECT_EQ(make_chunk_head(0x10000).view(), "10000\r\n");
  EXPECT_EQ(make_chunk_head(UINT64_MAX).view(), "ffffffffffffffff\r\n");
  for (const std::size_t size : {1U, 15U, 16U, 255U, 256U, 70000U}) {
    const std::string data(size, 'x');
    std::string stream{make_chunk_head(size).view()};
    stream.append(data).append(chunk_end).append(last_chunk_end);
    guarded memory;
    std::mt19937 random{1};
    const reading got = read(stream, 100, random, memory);
    EXPECT_EQ(got.verdict, "accept");
    EXPECT_EQ(got.data, data);
  }
}

}  // namespace
}  // namespace rw::http
