#include "http/h2_frames.h"

#include <gtest/gtest.h>

#include <string>

namespace rw::http {
namespace {

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string frame(char type, char flags, std::size_t size) {
  std::string out;
  for (const unsigned shift : {16U, 8U, 0U}) out += static_cast<char>(size >> shift & 0xffU);
  return (out += {type, flags, 0, 0, 0, 1}).append(size, '\x04');
}

constexpr char data = 0, headers = 1, settings = 4, continuation = 9;
constexpr char end_headers = 4;

TEST(H2Frames, ASectionIsOpenUntilItsLastOctet) {
  const std::string all =
      frame(headers, 0, 3) + frame(continuation, 0, 0) + frame(continuation, end_headers, 2);
  h2_frames frames;
  frames.pass(std::string(preface) + frame(settings, 0, 0));
  for (std::size_t i = 0; i < all.size(); ++i) {
    // Nobody knows what it is before its header has come.
    EXPECT_EQ(frames.open_section(), i < 9 ? 0U : 1U) << i;
    frames.pass(std::string_view(all).substr(i, 1));
  }
  EXPECT_EQ(frames.open_section(), 0U);
}

TEST(H2Frames, EachSectionHasItsNumber) {
  h2_frames frames;
  frames.pass(preface);
  frames.pass(frame(headers, end_headers, 10) + frame(headers, 0, 10));
  EXPECT_EQ(frames.open_section(), 2U);
  frames.pass(frame(continuation, end_headers, 70'000) + frame(headers, end_headers, 0));
  EXPECT_EQ(frames.open_section(), 0U);
  frames.pass(frame(headers, 0, 0));
  EXPECT_EQ(frames.open_section(), 4U);
}

TEST(H2Frames, OtherFramesAreNoSections) {
  h2_frames frames;
  frames.pass(preface);
  for (const char type : {data, settings, '\x02', '\xab'}) {
    const std::string one = frame(type, 0, 100);
    frames.pass(std::string_view(one).substr(0, 50));
    EXPECT_EQ(frames.open_section(), 0U);
    frames.pass(std::string_view(one).substr(50));
  }
}

TEST(H2Frames, DataIsCountedWithItsHeaders) {
  h2_frames frames;
  frames.pass(std::string(preface) + frame(headers, end_headers, 10) + frame(data, 0, 30));
  frames.pass(frame(data, 1, 0).substr(0, 8));
  EXPECT_EQ(frames.data().frames, 1U);
  EXPECT_EQ(frames.data().octets, 39U);
  frames.pass(frame(data, 1, 0).substr(8));
  EXPECT_EQ(frames.data().frames, 2U);
  EXPECT_EQ(frames.data().octets, 48U);
}

TEST(H2Frames, EverySplitIsTheSame) {
  const std::string all = std::string(preface) + frame(settings, 0, 6) +
                          frame(headers, end_headers, 20) + frame(data, 0, 30) +
                          frame(headers, 0, 20) + frame(continuation, 0, 5);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    h2_frames frames;
    frames.pass(std::string_view(all).substr(0, cut));
    frames.pass(std::string_view(all).substr(cut));
    EXPECT_EQ(frames.open_section(), 2U) << cut;
  }
}

}  // namespace
}  // namespace rw::http
