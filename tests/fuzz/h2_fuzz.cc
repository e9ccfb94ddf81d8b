// Octets of a client's connection through the session, fed as a worker feeds them: in pieces, with
// answers in between. What comes out as a request must be one to HTTP/1.1's parser as well.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "http/h2_session.h"

namespace {

using namespace rw::http;

struct stream : h2_stream_events {
  void on_data(std::string_view bytes) override { taken += bytes.size(); }
  void on_end(std::string) override { ended = true; }
  void on_closed(bool) override { closed = true; }
  pulled pull(std::span<char> room) override {
    const std::size_t size = std::min(room.size(), left);
    std::fill_n(room.data(), size, 'x');
    left -= size;
    return {size, left == 0};
  }
  std::string_view trailers() override { return {}; }
  std::size_t taken = 0;
  std::size_t left = 40'000;
  bool ended = false;
  bool closed = false;
  bool answered = false;
};

// The request as it goes to an origin; a second reader must see the same one.
void check(const request_head& head) {
  std::string text(head.method_text);
  text.append(" ").append(head.target).append(" HTTP/1.1\r\nhost: ").append(head.authority);
  text.append("\r\n");
  std::size_t fields = 1;
  for (const field& one : head.fields) {
    if (one.id == field_id::host || one.hop_by_hop) continue;
    text.append(one.name).append(": ").append(one.value).append("\r\n");
    ++fields;
  }
  text.append("\r\n");
  static const auto again = std::make_unique<request_head>();
  const outcome got = parse_request(text, 0, {1U << 20U, fields_max, 1U << 20U}, *again);
  if (got.state != progress::complete || again->size != text.size()) std::abort();
  if (again->fields.size() != fields || again->target != head.target) std::abort();
}

struct client : h2_session_events {
  h2_stream_events* on_request(std::int32_t id, const h2_section& section, bool ends) override {
    const auto home = std::make_unique_for_overwrite<char[]>(section.text_bytes());
    static const auto head = std::make_unique<request_head>();
    if (section.make_request(home.get(), ends, *head).state == progress::complete) check(*head);
    return &streams[id];
  }
  std::map<std::int32_t, stream> streams;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size < 2) return 0;
  std::string_view input(reinterpret_cast<const char*>(octets), size);
  const std::size_t piece = 1 + octets[0] * std::size_t{4};
  const unsigned habits = octets[1];
  input.remove_prefix(2);
  client with;
  h2_session session(with, {.streams = 8, .glitches = 1000});
  std::string out;
  if ((habits & 1U) != 0) session.receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  while (!input.empty() && session.receive(input.substr(0, piece))) {
    input.remove_prefix(std::min(piece, input.size()));
    for (auto& [id, one] : with.streams) {
      if (one.closed) continue;
      session.consumed(id, one.taken);
      one.taken = 0;
      if (std::exchange(one.answered, true)) continue;
      if ((habits & 2U) != 0 && id % 4 == 1) {
        session.reset(id, h2_error::internal_error);
        one.closed = true;
      } else {
        session.answer(id, "HTTP/1.1 200 OK\r\nX: y\r\n\r\n", (habits & 4U) != 0);
      }
    }
    session.write(out, 16384);
    out.clear();
  }
  session.end(h2_error::no_error);
  session.write(out, 1U << 20U);
  return 0;
}
