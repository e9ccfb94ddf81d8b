// A GET over TLS from start to end, for what the control thread has to fetch, such as key sets. Of
// the parts that workers use: streams, their TLS, the parsers of heads and of chunked bodies.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "config/address.h"
#include "config/url.h"
#include "control/resolver.h"
#include "http/head.h"
#include "io/loop.h"
#include "io/task.h"
#include "net/stream.h"
#include "tls/client_context.h"

namespace rw::control {

// How far an exchange came.
enum class https_stage : std::uint8_t { name, connection, tls, request, head, body };

// As it stands in the log and in `ringward status`.
std::string_view name(https_stage at) noexcept;

struct https_failure {
  https_stage at = https_stage::name;
  error why;
  unsigned status = 0;  // the answer's, where that is what is wrong; 0 otherwise

  // "tls: the certificate has expired", "head: status 500, where a 200 was asked for".
  std::string text() const;
};

struct https_request {
  config::https_url url;
  std::shared_ptr<const tls::client_context> tls;  // made for one thread: this one
  std::string etag;                                // what we have, for If-None-Match; empty: none
  std::size_t body_bytes_max = 1U << 20U;
  mono_time by;  // for all of it, the lookup of the name included
};

struct https_answer {
  bool unchanged = false;  // 304: what was known as `etag` is still right; no body
  std::string body;
  std::string etag;
  std::optional<std::chrono::seconds> max_age;  // of Cache-Control, less Age
};

using https_outcome = std::expected<https_answer, https_failure>;

// Of the thread of its loop; one exchange at a time, on a connection of its own, with a full
// handshake: a certificate that has expired or a pin that is wrong is seen at once.
//
// 200 is an answer, and 304 where an etag was sent; everything else is an error, redirects too:
// keys come from where the operator said and nowhere else. So are a body that is longer than
// body_bytes_max, or encoded, or cut off.
class https_client {
 public:
  // Of the addresses of a name so many are tried, each with its share of the time that is left
  // until TLS is up.
  static constexpr std::size_t addresses_max = 4;

  https_client(io::loop& on, resolver& names) noexcept : loop_(on), names_(names) {}
  https_client(const https_client&) = delete;
  https_client& operator=(const https_client&) = delete;

  io::task<https_outcome> get(https_request what);
  // What is under way, and everything from now on, fails with fault::canceled.
  void end() noexcept;

 private:
  using step = std::expected<void, https_failure>;

  io::task<step> reach(net::stream& to, const config::address& at, const https_request& what,
                       mono_time by);
  io::task<step> exchange(net::stream& with, const https_request& what, https_answer& out);
  io::task<step> read_head(net::stream& from, mono_time by, http::response_head& out);
  io::task<step> read_body(net::stream& from, const https_request& what,
                           const http::response_head& head, std::string& out);

  io::loop& loop_;
  resolver& names_;
  net::stream* stream_ = nullptr;  // of the exchange under way
  bool ended_ = false;
};

}  // namespace rw::control
