#include "control/admin_page.h"

#include <string>

#include "control/process.h"
#include "http/head.h"
#include "http/serialise.h"
#include "net/address.h"

namespace rw::control {
namespace {

constexpr http::head_limits limits{8U << 10U, 64, 2U << 10U};
constexpr std::chrono::seconds patience{10};
constexpr std::size_t budgets_max = 4096;

struct answer {
  unsigned status = 200;
  std::string_view type = "text/plain; charset=utf-8";
  std::string body;
};

answer decide(process& of, const http::request_head& asked) {
  if (asked.verb != http::method::get && asked.verb != http::method::head) {
    return {405, "text/plain; charset=utf-8", "only GET\n"};
  }
  if (asked.path == "/healthz") return {200, "text/plain; charset=utf-8", "ok\n"};
  if (asked.path == "/readyz") {
    return of.ready() ? answer{200, "text/plain; charset=utf-8", "ready\n"}
                      : answer{503, "text/plain; charset=utf-8", "draining\n"};
  }
  if (asked.path == "/metrics")
    return {200, "text/plain; version=0.0.4; charset=utf-8", of.metrics()};
  return {404, "text/plain; charset=utf-8", "not here\n"};
}

io::task<result<>> send_answer(net::stream& client, const answer& a, bool head_only, bool keep) {
  std::array<char, 512> text;
  http::head_writer head(text);
  head.status_line(a.status);
  head.field("content-type", a.type);
  head.field("content-length", a.body.size());
  head.field("cache-control", "no-store");
  head.field("x-content-type-options", "nosniff");
  if (a.status == 405) head.field("allow", "GET, HEAD");
  if (a.status == 429) head.field("retry-after", "1");
  if (!keep) head.field("connection", "close");
  head.end();
  const std::string_view body = head_only ? std::string_view{} : std::string_view(a.body);
  const result<> sent = co_await client.send({head.view(), body, {}}, patience);
  co_return sent;
}

}  // namespace

admin_page::admin_page(process& of, io::loop& on, net::listening_sockets socket)
    : small_server(on, std::move(socket), connections_max), process_(of) {}

std::size_t admin_page::ip_hash::operator()(const config::ip16& ip) const noexcept {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(ip.data()), ip.size()});
}

bool admin_page::admit(const config::ip16& client) {
  const std::int64_t second = loop().now().time_since_epoch().count() / 1'000'000'000;
  if (budgets_.size() >= budgets_max) budgets_.clear();
  budget& of = budgets_[client];
  if (of.second != second) of = {second, 0};
  return ++of.used <= requests_per_second;
}

io::task<> admin_page::serve(net::stream& client) {
  net::endpoint peer;
  const result<sockaddr_storage> address = loop().kernel().peer_address(client.fd());
  if (address) peer = net::to_endpoint(*address);
  const auto asked = std::make_unique<http::request_head>();
  for (bool keep = true; keep;) {
    const mono_time by = loop().now() + patience;
    std::size_t seen = 0;
    http::outcome got = http::parse_request(client.input(), 0, limits, *asked);
    while (got.state == http::progress::partial) {
      seen = client.input().size();
      const result<> more = co_await client.receive(by);
      if (!more) co_return;
      got = http::parse_request(client.input(), seen, limits, *asked);
    }
    answer a;
    keep = got.state == http::progress::complete && asked->keep_alive && !asked->has_body();
    if (got.state == http::progress::refused) {
      a = {got.status, a.type, "refused\n"};
    } else if (!admit(peer.ip)) {
      a = {429, a.type, "too many requests\n"};
    } else {
      a = decide(process_, *asked);
    }
    const bool head_only = asked->verb == http::method::head;
    const result<> sent = co_await send_answer(client, a, head_only, keep);
    if (!sent) co_return;
    if (keep) client.consume(asked->size);
  }
}

}  // namespace rw::control
