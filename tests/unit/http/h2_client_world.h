// What tests of the client's side of HTTP/2 share: frames by hand, an answer that writes down what
// it is told, and a session between them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "h2_wire.h"
#include "http/h2_client.h"

namespace rw::http::test {

// A literal field without indexing.
inline std::string literal(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  out += static_cast<char>(name.size());
  out.append(name);
  out += static_cast<char>(value.size());
  return out.append(value);
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
    return heard_in(std::string_view(said_).substr(preface.size()), type);
  }
  // That the session has ended the connection, with which error.
  std::uint32_t last_error() const {
    return goaway_in(std::string_view(said_).substr(preface.size()));
  }
  bool is_over() const { return !session_.goes_on() || last_error() != UINT32_MAX; }

  h2_client session_{{.head = {}, .streams = 4, .glitches = 100}};
  std::vector<std::unique_ptr<answer>> answers_;
  std::int32_t last_ = 0;
  std::string said_;
};

}  // namespace rw::http::test
