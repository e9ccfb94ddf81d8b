#include "upstream/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "http/head.h"
#include "upstream/h2_link.h"
#include "upstream/h2_stream.h"
#include "upstream/pool.h"

namespace rw::upstream {
namespace {

constexpr http::head_limits limits{16U << 10U, 100, 8U << 10U};
constexpr unsigned interim_heads_max = 16;
constexpr std::chrono::seconds farewell{1};

const char* reason_of(const error& why, bool connected) noexcept {
  if (why.code == fault::timed_out) return connected ? "check_no_answer" : "check_no_connection";
  if (why.code == fault::refused) return "check_refused";
  if (why.code == fault::closed) return "check_closed";
  if (why.code == fault::reset) return "check_reset";
  if (why.code == fault::tls) return "check_tls";
  if (why.code == fault::unsupported) return "check_no_h2";
  return connected ? "check_failed" : "check_unreachable";
}

bool speaks_h2(const config::upstream& rules) noexcept {
  return rules.protocol == config::upstream_protocol::h2;
}

std::string request_to(const server& at, const config::upstream& rules) {
  const bool named = rules.host == config::host_rule::literal;
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ringward-check\r\nAccept: */*\r\n{}\r\n",
      rules.health.path, named ? rules.host_literal : host_field(at.host, rules.has_tls),
      speaks_h2(rules) ? "" : "Connection: close\r\n");
}

}  // namespace

struct checker::patient {
  check_target target;
  mono_time next;
  unsigned good = 0;  // in a row
  unsigned bad = 0;
  bool ended = false;
  io::sleep* pause = nullptr;
  net::stream* stream = nullptr;

  server_health& health() const noexcept { return target.of->at(target.index); }
};

checker::~checker() { RW_ASSERT(under_way_.inside() == 0); }

void checker::end(patient& one) noexcept {
  one.ended = true;
  if (one.pause != nullptr) one.pause->cut();
  if (one.stream != nullptr) one.stream->abort(fault::canceled);
}

void checker::adopt(std::vector<check_target> targets) {
  const auto before = std::exchange(patients_, {});
  std::int64_t number = 0;
  for (check_target& target : targets) {
    auto made = std::make_shared<patient>();
    const nanoseconds interval = target.rules->health.interval;
    made->next = loop_.now() + interval * number++ / static_cast<std::int64_t>(targets.size());
    made->target = std::move(target);
    for (const auto& known : before) {
      if (&known->health() != &made->health()) continue;
      made->good = known->good;
      made->bad = known->bad;
      made->next = std::min(known->next, loop_.now() + interval);
    }
    patients_.push_back(std::move(made));
  }
  for (const auto& one : before) end(*one);
  for (const auto& one : patients_) io::spawn(watch(one), under_way_);
}

io::task<> checker::stop() {
  for (const auto& one : std::exchange(patients_, {})) end(*one);
  co_await under_way_.empty();
}

io::task<> checker::watch(std::shared_ptr<patient> one) {
  while (!one->ended) {
    {
      io::sleep pause(loop_, one->next);
      one->pause = &pause;
      co_await pause;
      one->pause = nullptr;
    }
    if (one->ended) co_return;
    // From the time it was due, so that what was spread stays spread.
    const nanoseconds interval = one->target.rules->health.interval;
    one->next = std::max(one->next + interval, loop_.now() + interval / 2);
    const verdict found = co_await check(*one);
    if (!one->ended) take(*one, found);
  }
}

io::task<checker::verdict> checker::check(patient& one) {
  const config::upstream_health& rules = one.target.rules->health;
  const server& at = *one.target.at;
  const mono_time by = loop_.now() + std::min<nanoseconds>(rules.interval, check_time_max);
  if (!rules.tcp && speaks_h2(*one.target.rules)) {
    const verdict found = co_await check_h2(one, by);
    co_return found;
  }
  net::stream stream(loop_, -1, origin::upstream);
  one.stream = &stream;
  verdict found;
  result<> opened = co_await stream.open(at.address, at.address_bytes, by);
  if (opened) opened = co_await announce(stream, one.target.rules->send_proxy, {}, by);
  if (!opened) {
    found.why = reason_of(opened.error(), false);
  } else if (!rules.tcp) {
    result<> agreed;
    if (one.target.tls) agreed = co_await stream.handshake(one.target.tls, by);
    if (agreed) {
      found = co_await ask(one, stream, by);
    } else {
      found.why = reason_of(agreed.error(), true);
      if (agreed.error().code != fault::canceled) at.failures->add(agreed.error().text);
    }
    co_await stream.finish(std::min(by, loop_.now() + farewell));
  }
  one.stream = nullptr;
  co_await stream.close();
  co_return found;
}

// As requests get there, on a connection of its own.
io::task<checker::verdict> checker::check_h2(patient& one, mono_time by) {
  const server& at = *one.target.at;
  const auto link = std::make_shared<h2_link>(loop_, windows_,
                                              h2_terms{.address = at.address,
                                                       .address_bytes = at.address_bytes,
                                                       .tls = one.target.tls,
                                                       .connect = by - loop_.now(),
                                                       .gap = by - loop_.now(),
                                                       .streams = 1});
  auto stream = std::make_unique<h2_stream>(link);
  one.stream = stream.get();
  io::spawn(h2_link::run(link), under_way_);
  verdict found;
  const result<> opened = co_await stream->opened();
  if (opened) {
    stream->end_with_next_send();
    found = co_await ask(one, *stream, by);
  } else {
    const bool is_tls = link->tls() != nullptr;
    found.why = reason_of(opened.error(), is_tls);
    if (is_tls && opened.error().code != fault::canceled) at.failures->add(opened.error().text);
  }
  one.stream = nullptr;
  stream.reset();
  link->end();
  co_return found;
}

io::task<checker::verdict> checker::ask(patient& one, net::stream& server, mono_time by) {
  const config::upstream& rules = *one.target.rules;
  const std::string text = request_to(*one.target.at, rules);
  const result<> sent = co_await server.send(text, by - loop_.now());
  if (!sent) co_return verdict{reason_of(sent.error(), true)};
  const auto head = std::make_unique<http::response_head>();
  unsigned interim = 0;
  std::size_t seen = 0;
  for (;;) {
    if (server.input().size() > seen) {
      const http::outcome got =
          http::parse_response(server.input(), seen, limits, http::method::get, *head);
      seen = server.input().size();
      if (got.state == http::progress::refused) co_return verdict{"check_malformed"};
      if (got.state == http::progress::complete) {
        if (head->status >= 200) break;
        if (head->status == 101 || ++interim > interim_heads_max) {
          co_return verdict{"check_malformed"};
        }
        server.consume(head->size);
        seen = 0;
        continue;
      }
    }
    const result<> more = co_await server.receive(by);
    if (!more) co_return verdict{reason_of(more.error(), true)};
  }
  const bool expected =
      head->status >= rules.health.expect_min && head->status <= rules.health.expect_max;
  co_return expected ? verdict{} : verdict{"check_status", head->status};
}

void checker::take(patient& one, const verdict& found) noexcept {
  const config::upstream_health& rules = one.target.rules->health;
  const bool well = found.why[0] == '\0';
  one.good = well ? one.good + 1 : 0;
  one.bad = well ? 0 : one.bad + 1;
  const bool down = one.health().down();
  if (down && one.good >= rules.rise) {
    one.target.of->set_down(one.target.index, false, "check_passed", 0, loop_.now());
  } else if (!down && one.bad >= rules.fall) {
    one.target.of->set_down(one.target.index, true, found.why, found.status, loop_.now());
  }
}

}  // namespace rw::upstream
