#include "control/admin_page.h"

#include <string>

#include "control/admin_access.h"
#include "control/page/page.h"
#include "control/process.h"
#include "http/head.h"
#include "http/serialise.h"
#include "net/address.h"

namespace rw::control {
namespace {

constexpr http::head_limits limits{8U << 10U, 64, 2U << 10U};
constexpr std::chrono::seconds patience{10};
constexpr std::size_t budgets_max = 4096;

constexpr std::string_view plain = "text/plain; charset=utf-8";

struct answer {
  unsigned status = 200;
  std::string_view type = plain;
  std::string_view text;  // a literal
  std::string made;       // instead of it
  bool lasts = false;     // events follow

  std::string_view body() const noexcept { return made.empty() ? text : made; }
};

// Load balancers need no credential: whether it is up tells nothing of it.
answer decide(process& of, const http::request_head& asked) {
  if (asked.verb != http::method::get && asked.verb != http::method::head) {
    return {405, plain, "only GET\n"};
  }
  if (asked.path == "/healthz") return {200, plain, "ok\n"};
  if (asked.path == "/readyz") {
    return of.ready() ? answer{200, plain, "ready\n"} : answer{503, plain, "draining\n"};
  }
  if (asked.path != "/" && asked.path != "/events" && asked.path != "/metrics") {
    return {404, plain, "not here\n"};
  }
  if (const secret* credential = of.admin_credential(); credential != nullptr) {
    if (!presents(asked, *credential)) return {401, plain, "admin.credential is required\n"};
  } else if (!names_this_machine(asked)) {
    return {421, plain, "ask by an IP address or as localhost\n"};
  }
  if (asked.path == "/") return {200, "text/html; charset=utf-8", page_html};
  if (asked.path == "/events") {
    return {.type = "text/event-stream", .lasts = asked.verb == http::method::get};
  }
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .made = of.metrics()};
}

io::task<result<>> send_answer(net::stream& client, const answer& a, bool head_only, bool keep) {
  std::array<char, 1024> text;
  http::head_writer head(text);
  head.status_line(a.status);
  head.field("content-type", a.type);
  if (!a.lasts) head.field("content-length", a.body().size());
  head.field("cache-control", "no-store");
  head.field("x-content-type-options", "nosniff");
  head.field("content-security-policy",
             a.text.data() == page_html.data() ? page_policy : "default-src 'none'");
  head.field("referrer-policy", "no-referrer");
  head.field("cross-origin-resource-policy", "same-origin");
  if (a.status == 401)
    head.field("www-authenticate", "Basic realm=\"ringward\", charset=\"UTF-8\"");
  if (a.status == 405) head.field("allow", "GET, HEAD");
  if (a.status == 429 || a.status == 503) head.field("retry-after", "1");
  if (!keep) head.field("connection", "close");
  head.end();
  const std::string_view body = head_only ? std::string_view{} : a.body();
  const result<> sent = co_await client.send({head.view(), body, {}}, patience);
  co_return sent;
}

}  // namespace

admin_page::admin_page(process& of, io::loop& on, net::listening_sockets socket)
    : small_server(on, std::move(socket), connections_max), process_(of), live_(of) {}

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
      a = {got.status, plain, "refused\n"};
    } else if (!admit(peer.ip)) {
      a = {429, plain, "too many requests\n"};
    } else {
      a = decide(process_, *asked);
    }
    if (a.lasts && watchers_ >= watchers_max) a = {503, plain, "too many watch already\n"};
    if (a.lasts) {
      keep = false;
      ++watchers_;
    }
    const bool head_only = asked->verb == http::method::head;
    const result<> sent = co_await send_answer(client, a, head_only, keep);
    if (a.lasts) {
      if (sent) co_await tell_events(client);
      --watchers_;
    }
    if (!sent) co_return;
    if (keep) client.consume(asked->size);
  }
}

io::task<> admin_page::tell_events(net::stream& client) {
  live_view::mark seen;
  for (bool there = true; there;) {
    const mono_time next = loop().now() + live_view::interval;
    co_await live_.look();
    // An event at least each second, be it a comment: so that who is gone is found out.
    const std::string news = live_.news(seen);
    const std::string_view said = news.empty() ? std::string_view(":\n\n") : news;
    const result<> sent = co_await client.send(said, patience);
    if (!sent) break;
    const result<> more = co_await client.receive(next);
    there = !more && more.error().code == fault::timed_out;
  }
}

}  // namespace rw::control
