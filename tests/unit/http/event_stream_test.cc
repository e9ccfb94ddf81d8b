#include "http/event_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace rw::http {
namespace {

TEST(EventBounds, AreBehindEmptyLinesAlone) {
  for (const auto& [text, between] : {std::pair{"", true},
                                      {"data: 1\n\n", true},
                                      {"data: 1\r\n\r\n", true},
                                      {"data: 1\n\r\n", true},
                                      {"data: 1\r\r\n", true},
                                      {"\n", true},
                                      {"\r\n", true},
                                      {"\n\n\n", true},
                                      {"data: 1\n\n\n", true},
                                      {"d", false},
                                      {"data: 1", false},
                                      {"data: 1\n", false},
                                      {"data: 1\r\n", false},
                                      {"data: 1\r", false},
                                      {"data: 1\r\n\r", false},
                                      {"data: 1\n\ndata: 2\n", false},
                                      {": comment\n", false},
                                      {"data: 1\r\r", false},
                                      {"data: a\n\nx\r\n", false},
                                      {"data: \n", false},
                                      {"\n\n ", false}}) {
    const std::string_view all(text);
    // However it is cut: in two at each octet, and in octets.
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      event_bounds two;
      two.feed(all.substr(0, cut));
      two.feed(all.substr(cut));
      EXPECT_EQ(two.between(), between) << text << " cut at " << cut;
    }
    event_bounds octets;
    for (std::size_t i = 0; i < all.size(); ++i) octets.feed(all.substr(i, 1));
    EXPECT_EQ(octets.between(), between) << text;
  }
}

bool takes(const std::string& fields) {
  const std::string text = "HTTP/1.1 200 OK\r\n" + fields + "\r\n";
  const auto head = std::make_unique<response_head>();
  EXPECT_EQ(parse_response(text, 0, {}, method::get, *head).state, progress::complete) << text;
  return is_event_stream(*head);
}

TEST(EventStream, IsWhatMayBeAddedTo) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  EXPECT_TRUE(takes("Content-Type: text/event-stream\r\n" + chunked));
  EXPECT_TRUE(takes("Content-Type: Text/Event-Stream; charset=utf-8\r\n" + chunked));
  EXPECT_TRUE(takes("content-type: text/event-stream ;a=b\r\nConnection: close\r\n"));
  EXPECT_FALSE(takes("Content-Type: text/event-stream\r\nContent-Length: 9\r\n"));
  EXPECT_FALSE(takes("Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n" + chunked));
  EXPECT_FALSE(takes("Content-Type: text/event-streams\r\n" + chunked));
  EXPECT_FALSE(takes("Content-Type: text/plain\r\n" + chunked));
  EXPECT_FALSE(takes("Content-Type: text/event\r\n" + chunked));
  EXPECT_FALSE(takes("Content-Type: text/event-stream\r\nContent-Type: text/html\r\n" + chunked));
  EXPECT_FALSE(takes(chunked));
}

}  // namespace
}  // namespace rw::http
