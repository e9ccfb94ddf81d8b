#include "control/https_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "http/cache_control.h"
#include "http/chunked.h"
#include "net/address.h"

namespace rw::control {
namespace {

constexpr http::head_limits limits{16U << 10U, 100, 8U << 10U};
constexpr unsigned interim_heads_max = 16;
constexpr std::size_t etag_bytes_max = 256;
constexpr std::chrono::milliseconds farewell{200};

std::unexpected<https_failure> fail(https_stage at, const error& why) {
  return std::unexpected(https_failure{at, why});
}

std::unexpected<https_failure> refuse(https_stage at, fault code, const char* text,
                                      unsigned status = 0) {
  return std::unexpected(
      https_failure{at, {.code = code, .from = origin::upstream, .text = text}, status});
}

std::string request_text(const https_request& what) {
  std::string text = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ringward\r\nAccept: application/json, "
      "application/jwk-set+json\r\nAccept-Encoding: identity\r\n",
      what.url.target, what.url.authority());
  if (!what.etag.empty()) text += fmt::format("If-None-Match: {}\r\n", what.etag);
  return text + "Connection: close\r\n\r\n";
}

// Whether the answer is one that has what was asked for.
std::expected<void, https_failure> judge(const http::response_head& head,
                                         const https_request& what) {
  constexpr auto at = https_stage::head;
  if (head.status == 304 && !what.etag.empty()) return {};
  if (head.status >= 300 && head.status < 400 && head.status != 304) {
    return refuse(at, fault::unsupported, "a redirect, which is not followed", head.status);
  }
  if (head.status != 200) {
    return refuse(at, fault::unsupported, "where a 200 was asked for", head.status);
  }
  const std::string_view encoding = head.value(http::field_id::content_encoding);
  if (!encoding.empty() && !iequals(encoding, "identity")) {
    return refuse(at, fault::unsupported, "the body is encoded, which nobody asked for");
  }
  return {};
}

}  // namespace

std::string_view name(https_stage at) noexcept {
  switch (at) {
    case https_stage::name:
      return "name";
    case https_stage::connection:
      return "connection";
    case https_stage::tls:
      return "tls";
    case https_stage::request:
      return "request";
    case https_stage::head:
      return "head";
    case https_stage::body:
      return "body";
  }
  return "unknown";
}

std::string https_failure::text() const {
  std::string said = fmt::format("{}: ", name(at));
  if (status != 0) said += fmt::format("status {}, ", status);
  if (why.os != 0) return said + std::strerror(why.os);
  return said + (why.text[0] != '\0' ? why.text : std::string(rw::name(why.code)).c_str());
}

void https_client::end() noexcept {
  ended_ = true;
  if (stream_ != nullptr) stream_->abort(fault::canceled);
}

io::task<https_outcome> https_client::get(https_request what) {
  // An address in letters is its own answer.
  const result<resolved> found = co_await names_.resolve(what.url.host, what.by);
  if (!found) co_return fail(https_stage::name, found.error());
  step done = refuse(https_stage::name, fault::unreachable, "the name has no address");
  const std::size_t count = std::min(found->addresses.size(), addresses_max);
  for (std::size_t i = 0; i < count; ++i) {
    // A server that is quick could be done before a timer that is late already.
    if (loop_.now() >= what.by) {
      co_return refuse(https_stage::connection, fault::timed_out, "no time is left");
    }
    if (ended_) co_return refuse(https_stage::connection, fault::canceled, "the gate is stopping");
    net::stream stream(loop_, -1, origin::upstream);
    stream_ = &stream;
    const auto left = static_cast<std::int64_t>(count - i);
    const mono_time share = loop_.now() + (what.by - loop_.now()) / left;
    const config::address at = net::to_socket_address(found->addresses[i], what.url.port);
    done = co_await reach(stream, at, what, share);
    https_answer answer;
    const bool reached = done.has_value();
    if (reached) {
      done = co_await exchange(stream, what, answer);
      if (done) co_await stream.finish(std::min(what.by, loop_.now() + farewell));
    }
    stream_ = nullptr;
    co_await stream.close();
    if (done) co_return answer;
    // An answer that is wrong is the server's; another of its addresses has no better one.
    if (reached) break;
  }
  co_return std::unexpected(done.error());
}

io::task<https_client::step> https_client::reach(net::stream& to, const config::address& at,
                                                 const https_request& what, mono_time by) {
  const result<> opened = co_await to.open(at.socket, at.length, by);
  if (!opened) co_return fail(https_stage::connection, opened.error());
  auto target = std::make_shared<tls::client_target>(what.tls, 0, what.url.host);
  const result<> agreed = co_await to.handshake(std::move(target), by);
  if (!agreed) co_return fail(https_stage::tls, agreed.error());
  co_return step{};
}

io::task<https_client::step> https_client::exchange(net::stream& with, const https_request& what,
                                                    https_answer& out) {
  const std::string text = request_text(what);
  const result<> sent = co_await with.send(text, what.by - loop_.now());
  if (!sent) co_return fail(https_stage::request, sent.error());
  const auto head = std::make_unique<http::response_head>();
  const step read = co_await read_head(with, what.by, *head);
  if (!read) co_return read;
  const step good = judge(*head, what);
  if (!good) co_return good;
  out.unchanged = head->status == 304;
  out.max_age = http::freshness(*head);
  // One that is too long is done without: everything is then fetched each time.
  const std::string_view etag = head->value(http::field_id::etag);
  if (etag.size() <= etag_bytes_max) out.etag = etag;
  if (out.unchanged) co_return step{};
  with.consume(head->size);
  const step whole = co_await read_body(with, what, *head, out.body);
  co_return whole;
}

// The head stays in input(): what it says is views into that.
io::task<https_client::step> https_client::read_head(net::stream& from, mono_time by,
                                                     http::response_head& out) {
  unsigned interim = 0;
  std::size_t seen = 0;
  for (;;) {
    if (from.input().size() > seen) {
      const http::outcome got =
          http::parse_response(from.input(), seen, limits, http::method::get, out);
      seen = from.input().size();
      if (got.state == http::progress::refused) {
        co_return refuse(https_stage::head, fault::malformed, got.reason);
      }
      if (got.state == http::progress::complete) {
        if (out.status >= 200) co_return step{};
        if (out.status == 101 || ++interim > interim_heads_max) {
          co_return refuse(https_stage::head, fault::malformed, "interim answers without end");
        }
        from.consume(out.size);
        seen = 0;
        continue;
      }
    }
    const result<> more = co_await from.receive(by);
    if (!more) co_return fail(https_stage::head, more.error());
  }
}

io::task<https_client::step> https_client::read_body(net::stream& from, const https_request& what,
                                                     const http::response_head& head,
                                                     std::string& out) {
  constexpr auto at = https_stage::body;
  constexpr auto too_large = "the body is larger than is taken";
  const http::framing framing = head.body;
  const bool counted = framing == http::framing::length;
  const std::uint64_t length = head.content_length;
  if (counted && length > what.body_bytes_max) co_return refuse(at, fault::too_large, too_large);
  http::chunked_decoder decoder({.names = http::underscores::taken});
  for (;;) {
    std::string_view input = from.input();
    if (framing == http::framing::chunked) {
      while (!input.empty() && decoder.state() == http::chunked_decoder::status::reading) {
        const auto [consumed, data] = decoder.feed(input);
        out.append(data);
        input.remove_prefix(consumed);
        if (out.size() > what.body_bytes_max) co_return refuse(at, fault::too_large, too_large);
      }
      if (decoder.state() == http::chunked_decoder::status::done) co_return step{};
      if (decoder.state() == http::chunked_decoder::status::refused) {
        co_return refuse(at, fault::malformed, decoder.reason());
      }
    } else if (framing != http::framing::none) {
      if (counted) input = input.substr(0, std::min(input.size(), length - out.size()));
      out.append(input);
      if (out.size() > what.body_bytes_max) co_return refuse(at, fault::too_large, too_large);
    }
    if (framing == http::framing::none || (counted && out.size() == length)) co_return step{};
    from.consume(from.input().size());
    const result<> more = co_await from.receive(what.by);
    if (more) continue;
    const bool to_the_end = framing == http::framing::until_close && !from.truncated();
    if (more.error().code == fault::closed && to_the_end) co_return step{};
    co_return fail(at, more.error());
  }
}

}  // namespace rw::control
