#include "reply.h"

#include <fmt/format.h>

#include <string_view>

namespace rw::sim {
namespace {

std::string in_chunks(world& in, std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::size_t size = in.skewed(1, body.size());
    out += fmt::format("{:x}{}\r\n", size, in.chance(0.1) ? ";a=b" : "");
    out.append(body.substr(0, size)).append("\r\n");
    body.remove_prefix(size);
  }
  out += "0\r\n";
  if (in.chance(0.1)) out += "x-trailer: t\r\n";
  return out + "\r\n";
}

void cut_short(world& in, std::size_t head_bytes, answer_record& into, reply& out) {
  const std::size_t size = in.chance(0.3) ? in.random(head_bytes) : in.random(out.wire.size());
  out.wire.resize(size);
  constexpr ending ways[] = {ending::close, ending::reset, ending::stall};
  out.then = ways[in.random(3)];
  if (into.until_close) {
    into.body.resize(size > head_bytes ? size - head_bytes : 0);
  } else {
    into.body += "never whole";
  }
}

void break_it(world& in, answer_record& into, reply& out) {
  constexpr std::string_view broken[] = {
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 2x0 OK\r\n\r\n",
      "nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 101 Switching\r\n\r\n"};
  out.wire = broken[in.random(std::size(broken))];
  into.body = "never whole";
}

// What follows a whole answer is an answer to nothing; a server that does this is asked no more.
void add_to_it(std::uint64_t number, answer_record& into, reply& out) {
  const std::string more = stray(number);
  out.wire += more;
  if (into.until_close) {
    into.whole = into.body += more;  // all of it is body
  } else {
    out.then = ending::stall;
  }
}

}  // namespace

std::string stray(std::uint64_t number) {
  return fmt::format("HTTP/1.1 200 OK\r\nx-stray: {}\r\ncontent-length: 0\r\n\r\n", number);
}

void compose(world& in, bool calm, const origin_habits& habits, const request_record& to,
             std::uint64_t number, answer_record& into, reply& out) {
  into.request = to.id;
  constexpr unsigned statuses[] = {200, 200, 200, 200, 201, 404, 500, 204, 304};
  constexpr unsigned failures[] = {500, 502, 503, 504};
  into.status = habits.fails ? failures[in.random(std::size(failures))]
                             : statuses[in.random(std::size(statuses))];
  const bool bodiless = into.status == 204 || into.status == 304 || to.method == "HEAD";
  std::string body;
  if (!bodiless && !in.chance(0.1)) {
    body = body_of(number * 2 + 1, in.skewed(0, habits.body_bytes_max));
  }
  into.body = into.whole = body;

  const auto how = in.random(10);  // length, chunked, until the end
  std::string head = fmt::format("HTTP/1.{} {} Whatever\r\nX-Answer: {}\r\nx-id: {}\r\n",
                                 how == 9 ? 0 : 1, into.status, number, to.id);
  if (in.chance(0.2)) head += "Connection: x-hop\r\nx-hop: 1\r\n";
  if (how >= 8) out.then = ending::close;
  // One that closes without a word may do so just when the next request is on its way.
  const bool says_so = calm || in.chance(0.7);
  if (out.then == ending::close && says_so) head += "Connection: close\r\n";
  if (bodiless) {
    if (into.status != 204 && in.chance(0.5)) head += "Content-Length: 1234\r\n";
    out.wire = head + "\r\n";
  } else if (how < 5) {
    out.wire = head + fmt::format("Content-Length: {}\r\n\r\n", body.size()) + body;
  } else if (how < 8) {
    out.wire = head + "Transfer-Encoding: chunked\r\n\r\n" + in_chunks(in, body);
  } else {
    into.until_close = true;
    out.wire = head + "\r\n" + body;
  }
  const std::size_t head_bytes = out.wire.find("\r\n\r\n") + 4;
  if (in.chance(0.08 * habits.faults)) {
    cut_short(in, head_bytes, into, out);
  } else if (in.chance(0.03 * habits.faults)) {
    break_it(in, into, out);
  } else if (in.chance(0.03 * habits.faults)) {
    add_to_it(number, into, out);
  }
}

}  // namespace rw::sim
