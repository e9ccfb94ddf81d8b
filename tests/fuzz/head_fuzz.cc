// Heads of both kinds, from octets nobody meant well. What holds for every input:
// - pieces give the answer that the whole gives, wherever the cuts are and wherever the buffer
// goes;
// - what is final stays final when more octets come;
// - an accepted request, written again, is read as the same request.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "http/authority.h"
#include "http/head.h"
#include "http/serialise.h"

namespace {

using namespace rw::http;

constexpr head_limits limits{.head_bytes = 512, .header_count = 12, .target_bytes = 64};

outcome parse(std::string_view input, std::size_t seen, request_head& out) {
  return parse_request(input, seen, limits, out);
}

outcome parse(std::string_view input, std::size_t seen, response_head& out) {
  return parse_response(input, seen, limits, method::get, out);
}

bool same(const outcome& a, const outcome& b) {
  return a.state == b.state && a.status == b.status && std::string_view{a.reason} == b.reason;
}

bool same_message(const message_head& a, const message_head& b) {
  bool equal = a.minor == b.minor && a.body == b.body && a.keep_alive == b.keep_alive &&
               a.has_upgrade == b.has_upgrade && a.accepts_trailers == b.accepts_trailers &&
               a.content_length == b.content_length && a.present == b.present &&
               a.fields.size() == b.fields.size();
  for (std::size_t i = 0; equal && i < a.fields.size(); ++i) {
    const field& x = a.fields[i];
    const field& y = b.fields[i];
    equal = x.name == y.name && x.value == y.value && x.id == y.id && x.hop_by_hop == y.hop_by_hop;
  }
  return equal;
}

bool same_head(const request_head& a, const request_head& b) {
  return same_message(a, b) && a.verb == b.verb && a.method_text == b.method_text &&
         a.authority == b.authority && a.host == b.host && a.path == b.path && a.query == b.query &&
         a.expect_continue == b.expect_continue;
}

bool same_head(const response_head& a, const response_head& b) {
  return same_message(a, b) && a.status == b.status && a.reason == b.reason;
}

// What the rest of the program relies on, whatever the octets were.
void check(const message_head& head) {
  for (const field& one : head.fields) {
    RW_ASSERT(is_token(one.name) && is_field_value(one.value));
    RW_ASSERT(one.id == identify(one.name));
    RW_ASSERT(head.has(one.id));
  }
  RW_ASSERT(head.count(field_id::content_length) + head.count(field_id::transfer_encoding) <= 1);
  RW_ASSERT(head.size <= limits.head_bytes && head.fields.size() <= limits.header_count);
}

void check(const request_head& head) {
  authority_parts parts;
  check(static_cast<const message_head&>(head));
  for (const field& one : head.fields) RW_ASSERT(is_field_name(one.name));
  RW_ASSERT(head.path == "*" || head.path.starts_with('/'));
  RW_ASSERT(head.query.empty() || head.query.starts_with('?'));
  RW_ASSERT(head.target.size() <= limits.target_bytes);
  RW_ASSERT(head.minor == 0 || head.count(field_id::host) == 1);
  RW_ASSERT(head.authority.empty() || parse_authority(head.authority, parts));
}

void check_writing(const request_head& head) {
  char room[2048];
  head_writer out{room};
  auto again = std::make_unique<request_head>();
  out.request_line(head.method_text, head.path, head.query);
  for (const field& one : head.fields) out.field(one.name, one.value);
  out.end();
  RW_ASSERT(!out.overflow());
  if (head.minor == 0) return;  // what is written is 1.1
  const head_limits wide{.head_bytes = 4096};
  RW_ASSERT(parse_request(out.view(), 0, wide, *again).state == progress::complete);
  RW_ASSERT(same_head(head, *again) && again->size == out.size());
}

void check_writing(const response_head& head) {
  char room[2048];
  head_writer out{room};
  auto again = std::make_unique<response_head>();
  out.status_line(head.status, head.reason);
  for (const field& one : head.fields) out.field(one.name, one.value);
  out.end();
  RW_ASSERT(!out.overflow());
  if (head.minor == 0) return;
  const head_limits wide{.head_bytes = 4096};
  RW_ASSERT(parse_response(out.view(), 0, wide, method::get, *again).state == progress::complete);
  RW_ASSERT(same_head(head, *again));
}

template <class Head>
void run(std::string_view input, std::uint8_t cut) {
  auto whole = std::make_unique<Head>();
  auto pieces = std::make_unique<Head>();
  const outcome expected = parse(input, 0, *whole);

  outcome got;
  std::string_view seen;
  std::unique_ptr<char[]> buffer;
  for (std::size_t step = cut; got.state == progress::partial && seen.size() < input.size();) {
    step = (step * 7 + 3) % 61 + (cut % 3 == 0 ? 1 : 0);
    const std::size_t size = std::min(input.size(), seen.size() + std::max<std::size_t>(step, 1));
    auto moved = std::make_unique<char[]>(size);
    std::memcpy(moved.get(), input.data(), size);
    got = parse({moved.get(), size}, seen.size(), *pieces);
    buffer = std::move(moved);
    seen = {buffer.get(), size};
  }
  RW_ASSERT(same(got, expected));
  if (expected.state == progress::partial) return;

  if (expected.state == progress::complete) {
    RW_ASSERT(same_head(*whole, *pieces));
    check(*whole);
    check_writing(*whole);
  }
  std::string longer{input};
  longer.append("x: y\r\n\r\n").append(600, static_cast<char>(cut));
  RW_ASSERT(same(parse(longer, 0, *pieces), expected));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // An exact copy, so that a read past the end is seen.
  auto copy = std::make_unique<char[]>(size - 1);
  std::memcpy(copy.get(), data + 1, size - 1);
  const std::string_view input{copy.get(), size - 1};
  run<request_head>(input, data[0]);
  run<response_head>(input, data[0]);
  return 0;
}
