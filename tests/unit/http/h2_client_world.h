// What tests of the client's side of HTTP/2 share: frames by hand, an answer that writes down what
// it is told, and a session between them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/h2_client.h"

namespace rw::http::test {

inline constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Frames as RFC 9113 4.1 has them, by hand: what is sent here no library would send.
inline std::string frame(unsigned type, unsigned flags, std::uint32_t stream,
                         std::string_view payload) {
  std::string out;
  const auto size = static_cast<std::uint32_t>(payload.size());
  for (const unsigned octet : {size >> 16U, size >> 8U, size, type, flags, stream >> 24U,
                               stream >> 16U, stream >> 8U, stream}) {
    out += static_cast<char>(octet & 0xffU);
  }
  return out.append(payload);
}

inline constexpr unsigned data = 0, headers = 1, reset = 3, settings = 4, push = 5, ping = 6,
                          goaway = 7, update = 8, continuation = 9;
inline constexpr unsigned end_stream = 1, end_headers = 4, padded = 8;
inline constexpr std::string_view ok = "\x88";  // HPACK (RFC 7541): :status 200

// A literal field without indexing.
inline std::string literal(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  out += static_cast<char>(name.size());
  out.append(name);
  out += static_cast<char>(value.size());
  return out.append(value);
}

inline std::string number(std::uint32_t n) {
  std::string out;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(n >> shift & 0xffU);
  return out;
}

struct answer final : h2_answer_events {
  bool on_head(const h2_section& section, bool ends) override {
    unsigned status = 0;
    std::string text;
    const outcome got = section.make_response(text, status);
    flaw = got.reason;
    if (got.state == progress::refused) return false;
    heads += text;
    head = status >= 200;
    ended = ends;
    return true;
  }
  bool has_head() const noexcept override { return head; }
  void on_refused() noexcept override { refused = true; }
  void on_data(std::string_view bytes) override { body += bytes; }
  void on_end(std::string lines) override {
    ended = true;
    answer_trailers = std::move(lines);
  }
  void on_closed(bool in_order) override { closed = in_order ? "in order" : "reset"; }
  pulled pull(std::span<char> room) override {
    const std::size_t size = std::min(room.size(), request.size());
    request.copy(room.data(), size);
    request.erase(0, size);
    return {size, request.empty()};
  }
  std::string_view trailers() override { return {}; }

  std::string heads, body, answer_trailers, closed, request;
  std::string flaw;
  bool head = false, ended = false, refused = false;
};

class H2Client : public testing::Test {
 protected:
  bool say(std::string_view bytes) {
    const bool sound = session_.receive(bytes);
    session_.write(said_, SIZE_MAX);
    return sound;
  }
  void begin() {
    session_.write(said_, SIZE_MAX);
    ASSERT_TRUE(say(frame(settings, 0, 0, "")));
  }
  // A GET on stream 1, then 3 and so on.
  answer& ask(std::string_view head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n") {
    answers_.emplace_back(std::make_unique<answer>());
    last_ = session_.request(head, "https", true, *answers_.back());
    session_.write(said_, SIZE_MAX);
    return *answers_.back();
  }
  // What the session has said: its frames of a type, payload alone.
  std::vector<std::string> heard(unsigned type) const {
    std::vector<std::string> found;
    for (std::string_view left = std::string_view(said_).substr(preface.size());
         left.size() >= 9;) {
      const auto octet = [&](std::size_t i) -> std::size_t {
        return static_cast<unsigned char>(left[i]);
      };
      const std::size_t size = octet(0) << 16U | octet(1) << 8U | octet(2);
      if (octet(3) == type) found.emplace_back(left.substr(9, size));
      left.remove_prefix(9 + size);
    }
    return found;
  }
  // That the session has ended the connection, with which error.
  std::uint32_t last_error() const {
    const std::vector<std::string> all = heard(goaway);
    return all.empty() ? UINT32_MAX : static_cast<unsigned char>(all.back().at(7));
  }
  bool is_over() const { return !session_.goes_on() || last_error() != UINT32_MAX; }

  h2_client session_{{.head = {}, .streams = 4, .glitches = 100}};
  std::vector<std::unique_ptr<answer>> answers_;
  std::int32_t last_ = 0;
  std::string said_;
};

}  // namespace rw::http::test
