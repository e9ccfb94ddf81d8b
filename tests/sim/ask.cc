#include "ask.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace rw::sim {
namespace {

struct way {
  const char* path;
  door at;
  unsigned share;
  bool limited = false;
};
constexpr way ways[] = {{"/fixed", door::open, 1},    {"/limited", door::open, 2, true},
                        {"/other", door::open, 4},    {"/keys", door::keys, 4},
                        {"/tokens", door::tokens, 3}, {"/either", door::either, 4},
                        {"/mint", door::mint, 2},     {"/any", door::open, 10}};

const way& choose(world& in) {
  unsigned sum = 0;
  for (const way& one : ways) sum += one.share;
  auto at = in.random(sum);
  const way* one = ways;
  while (at >= one->share) at -= (one++)->share;
  return *one;
}

// What only the gateway may say of a client.
void forge(world& in, std::string& head) {
  if (in.chance(0.2)) head += "x-auth-identity: forged\r\nx-forwarded-for: 203.0.113.9\r\n";
  if (in.chance(0.05)) head += "X-Auth-Identity: bob\r\nConnection: x-auth-identity\r\n";
}

// Content-Length or chunks, and sometimes the wish to be asked for it first.
void frame(world& in, const client_habits& habits, ask& one, std::string& head) {
  request_record& r = *one.record;
  const bool with_body = r.method == "POST" || r.method == "PUT" || in.chance(0.03);
  if (!with_body) return;
  r.body = body_of(r.id * 2, in.chance(0.1) ? 0 : in.skewed(1, habits.body_bytes_max));
  if (r.minor == 1 && in.chance(0.4)) {
    r.chunked = true;
    head += "Transfer-Encoding: chunked\r\n";
    for (std::string_view left = r.body; !left.empty();) {
      const std::size_t size = in.skewed(1, left.size());
      one.body += fmt::format("{:X}\r\n", size);
      one.body.append(left.substr(0, size)).append("\r\n");
      left.remove_prefix(size);
    }
    one.body += in.chance(0.1) ? "0\r\nx-trailer: 1\r\n\r\n" : "0\r\n\r\n";
  } else {
    head += fmt::format("Content-Length: {}\r\n", r.body.size());
    one.body = r.body;
  }
  if (r.minor == 1 && !one.body.empty() && in.chance(0.15)) {
    one.expect = true;
    head += "Expect: 100-continue\r\n";
  }
}

// Breaks the request in one of many ways. Nothing of it may count as a request.
bool spoil(world& in, ask& one, std::string& head) {
  request_record& r = *one.record;
  one.may_be_refused = true;
  switch (in.random(6)) {
    case 0:
      head += "x bad: 1\r\n";
      break;
    case 1:
      head += "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
      break;
    case 2:
      head += "x-bare: 1\n";
      break;
    case 3:
      head += "x-long: " + std::string(40'000, 'l') + "\r\n";
      break;
    case 4:
      if (!r.chunked) return false;
      one.body.insert(0, "zz\r\n");
      r.malformed = true;
      return true;
    default:
      if (one.body.empty() || r.chunked) return false;
      head += "Content-Length: 99999999999999999999\r\n";
  }
  r.malformed = true;
  r.to_origin = false;
  return true;
}

}  // namespace

ask make_ask(world& in, ledger& book, const std::string& address, const client_habits& habits) {
  constexpr std::string_view methods[] = {"GET",  "GET",  "GET", "HEAD",
                                          "POST", "POST", "PUT", "DELETE"};
  ask one;
  const std::uint64_t id = book.next_request++;
  one.record = &book.requests[id];
  request_record& r = *one.record;
  r.id = id;
  r.client = address;
  r.method = methods[in.random(std::size(methods))];
  r.minor = in.chance(0.1) ? 0 : 1;
  const way& to = habits.only_proxied ? *std::prev(std::end(ways)) : choose(in);
  r.at = to.at;
  r.target = fmt::format("{}/{}", to.path, id);
  r.to_origin = to.path != std::string_view("/fixed") && to.at != door::mint;
  one.may_be_refused = !r.to_origin || to.limited || to.at != door::open;
  if (to.at == door::mint && in.chance(0.8)) r.method = "POST";
  if (in.chance(0.3)) r.target += "?q=" + std::to_string(in.random(1000));

  std::string head = fmt::format("{} {} HTTP/1.{}\r\nHost: sim.example\r\nx-id: {}\r\n", r.method,
                                 r.target, r.minor, id);
  forge(in, head);
  one.last = in.chance(0.1);
  if (one.last) {
    head += "Connection: close\r\n";
  } else if (r.minor == 0) {
    one.last = in.chance(0.5);
    if (!one.last) head += "Connection: keep-alive\r\n";
  } else if (in.chance(0.1)) {
    head += "Connection: x-hop\r\nx-hop: 1\r\n";
  }
  frame(in, habits, one, head);
  if (in.chance(0.04 * habits.faults) && spoil(in, one, head)) one.last = true;
  one.head = std::move(head);
  return one;
}

void show_claim(world& in, const ledger& book, ask& one) {
  request_record& r = *one.record;
  r.shown = make_claim(in, r.at, book.minted);
  one.head += r.shown.fields + "\r\n";
  if (r.shown.doubled) one.may_be_refused = true;
}

}  // namespace rw::sim
