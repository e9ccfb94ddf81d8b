// Octets of an origin's connection through the client's side of HTTP/2, fed as a link feeds them:
// in pieces, with requests begun, given up, and bodies taken in between. Each answer is told what
// its session promises, in that order and no more; and a head that is taken is one to HTTP/1.1's
// parser.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "http/h2_client.h"

namespace {

using namespace rw::http;

constexpr std::uint32_t streams_max = 8;
constexpr std::size_t requests_max = 24;

void must(bool claim) {
  if (!claim) std::abort();
}

// The head as an exchange reads it; a second reader must see the same one.
void check(const std::string& text, unsigned status) {
  static const auto head = std::make_unique<response_head>();
  const outcome got =
      parse_response(text, 0, {1U << 20U, fields_max, 1U << 20U}, method::get, *head);
  // Two lengths that say the same, or one beside a status that has no body, are HTTP/1.1's to
  // judge.
  if (got.state != progress::complete) return must(got.state == progress::refused);
  must(head->size == text.size() && head->status == status);
}

struct answer final : h2_answer_events {
  bool on_head(const h2_section& section, bool ends) override {
    must(!over() && !has_final);
    std::string text;
    unsigned status = 0;
    const outcome got = section.make_response(text, status);
    must((got.state == progress::refused) == text.empty());
    if (got.state == progress::refused || (status < 200 && ends)) {
      is_closed = true;
      return false;
    }
    check(text, status);
    has_final = status >= 200;
    ended = ends;
    return true;
  }
  bool has_head() const noexcept override { return has_final; }
  void on_refused() noexcept override {
    must(!is_closed && !refused);
    refused = true;
  }
  void on_data(std::string_view bytes) override {
    must(!over() && has_final && !bytes.empty());
    held += bytes.size();
    must(held <= window);
  }
  void on_end(std::string lines) override {
    must(!over());
    must(lines.empty() || lines.ends_with("\r\n"));
    ended = true;
  }
  void on_closed(bool) override {
    must(!is_closed);
    is_closed = true;
  }
  pulled pull(std::span<char> room) override {
    must(!is_closed && !sent_all);
    const std::size_t size = std::min(room.size(), left);
    std::fill_n(room.data(), size, 'x');
    left -= size;
    sent_all = left == 0;
    return {size, sent_all};
  }
  std::string_view trailers() override { return "x-sum: 1\r\n"; }
  bool over() const { return is_closed || ended; }

  std::int32_t id = 0;
  std::size_t held = 0;  // of the body, not given back to its window
  std::size_t window = receive_window::first;
  std::size_t left = 0;
  bool has_final = false;
  bool ended = false;
  bool is_closed = false;
  bool refused = false;
  bool sent_all = false;
};

class carrier {
 public:
  explicit carrier(unsigned habits) : habits_(habits) {}

  void run(std::string_view input, std::size_t piece) {
    if ((habits_ & 1U) != 0) session_.receive(std::string_view("\0\0\0\4\0\0\0\0\0", 9));
    say();
    begin();
    while (!input.empty() && session_.receive(input.substr(0, piece))) {
      input.remove_prefix(std::min(piece, input.size()));
      tend();
      if ((habits_ & 16U) == 0) say();  // else the origin takes nothing
      begin();
    }
    must(session_.is_agreed() || (habits_ & 1U) == 0);
    session_.end(h2_error::no_error);
    say();
  }

 private:
  void say() {
    session_.write(out_, 16384);
    out_.clear();
  }

  void begin() {
    std::size_t under_way = 0;
    for (const auto& one : all_) under_way += one->is_closed ? 0U : 1U;
    while (under_way < streams_max && all_.size() < requests_max && session_.may_begin()) {
      const bool posts = (habits_ & 2U) != 0 && all_.size() % 2 == 1;
      all_.push_back(std::make_unique<answer>());
      answer& made = *all_.back();
      made.left = posts ? 20'000 : 0;
      made.id = session_.request(posts ? "POST / HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\r\n"
                                       : "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                 "https", !posts, made);
      must(made.id != 0);
      ++under_way;
    }
  }

  void tend() {
    for (auto& one : all_) {
      if (one->is_closed) continue;
      if ((habits_ & 4U) != 0 && one->id % 8 == 3) {
        // Whoever gave it up is gone: AddressSanitizer sees who speaks to it.
        session_.reset(one->id, h2_error::cancel);
        one = std::make_unique<answer>();
        one->is_closed = true;
      } else if ((habits_ & 8U) != 0 && one->held > 0) {
        session_.consumed(one->id, one->held);
        one->held = 0;
        one->window = std::min<std::size_t>(2 * one->window, receive_window::most);
        session_.widen(one->id, static_cast<std::uint32_t>(one->window));
      }
    }
  }

  unsigned habits_;
  std::vector<std::unique_ptr<answer>> all_;
  h2_client session_{{.head = {}, .streams = streams_max, .glitches = 200}};
  std::string out_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size < 2) return 0;
  std::string_view input(reinterpret_cast<const char*>(octets), size);
  const std::size_t piece = 1 + octets[0] * std::size_t{4};
  input.remove_prefix(2);
  carrier(octets[1]).run(input, piece);
  return 0;
}
