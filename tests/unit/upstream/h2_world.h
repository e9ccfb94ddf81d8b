// Links to origins that tests play by hand, octet by octet (RFC 9113 4.1).
#pragma once

#include <poll.h>

#include <cstring>
#include <list>

#include "../http/h2_wire.h"
#include "../net/stream_world.h"
#include "http/h2_window.h"
#include "upstream/h2_link.h"
#include "upstream/h2_stream.h"
#include "upstream/pool.h"

namespace rw::upstream::test {

using http::test::data;
using http::test::end_headers;
using http::test::end_stream;
using http::test::frame;
using http::test::goaway;
using http::test::headers;
using http::test::number;
using http::test::ok;
using http::test::reset;
using http::test::settings;
using http::test::update;
using io::test::descriptor;
using net::test::outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr unsigned max_concurrent_streams = 3, initial_window_size = 4;

inline std::string setting(unsigned which, std::uint32_t value) {
  return frame(settings, 0, 0, std::string{'\0', static_cast<char>(which)} + number(value));
}

// The origin's side of one connection.
class origin_end {
 public:
  explicit origin_end(int fd) : fd_(fd) {}

  void say(std::string_view frames) { EXPECT_EQ(io::test::put(fd_, frames), frames.size()); }
  void leave() { fd_.reset(); }
  // Payloads of all frames of a type, on one stream or on any, that have come by now.
  std::vector<std::string> heard(unsigned type, std::uint32_t stream = UINT32_MAX) {
    if (fd_ >= 0) said_ += io::test::take_all(fd_);
    const std::size_t begin = std::min(http::test::preface.size(), said_.size());
    return http::test::heard_in(std::string_view(said_).substr(begin), type, stream);
  }
  std::size_t octets(unsigned type, std::uint32_t stream) {
    std::size_t sum = 0;
    for (const std::string& one : heard(type, stream)) sum += one.size();
    return sum;
  }
  bool is_closed() {
    heard(data);
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

 private:
  descriptor fd_;
  std::string said_;
};

class H2Upstream : public net::test::StreamTest {
 protected:
  H2Upstream() {
    rules_.name = "origin";
    rules_.protocol = config::upstream_protocol::h2;
    rules_.connect_timeout = seconds{5};
    rules_.gap_timeout = seconds{5};
    rules_.idle_timeout = seconds{60};
    server_.name = "first";
    std::memcpy(&server_.address, at_.raw(), sizeof at_.address);
    server_.address_bytes = sizeof at_.address;
  }

  void TearDown() override {
    for (request& one : requests_) let_go(one);
    requests_.clear();
    outcome<bool> closed;
    start(close_all(*pools_), closed);
    EXPECT_TRUE(until([&] { return closed.done(); }));
    pools_.reset();
    EXPECT_EQ(windows_.free(), windows_octets);
    ends_.clear();
    at_.fd.reset();
    StreamTest::TearDown();
  }

  static io::task<bool> close_all(pools& all) {
    co_await all.close_all();
    co_return true;
  }

  server_pool& pool() { return *pools_->at(rules_, server_, health_, 0); }

  // A request as an exchange has it.
  struct request {
    connection_ptr by;
    outcome<result<>> opened, sent, read;
    io::gate waiting;
    std::string answer;
    h2_link& link() const { return by->carried()->on(); }
  };
  static io::task<result<>> opening(h2_stream& one) {
    const result<> got = co_await one.opened();
    co_return got;
  }
  static io::task<result<>> sending(net::stream& to, std::string head, std::string body) {
    to.end_with_next_send();
    const result<> sent = co_await to.send({head, body, {}}, seconds{5});
    co_return sent;
  }
  // Until the whole answer has come, or it fails; what is read is taken.
  static io::task<result<>> reading(net::stream& from, std::string& to) {
    while (!from.complete() || !from.input().empty()) {
      if (from.input().empty()) {
        const result<> more = co_await from.receive(from.loop().now() + seconds{5});
        if (!more) co_return more;
      }
      to.append(from.input());
      from.consume(from.input().size());
    }
    co_return {};
  }

  request& join(bool sends = false) {
    request& made = requests_.emplace_back();
    made.by = pool().join(server_, sends);
    go(made, opening(*made.by->carried()), made.opened);
    return made;
  }
  // The next connection that was opened.
  origin_end& accept() {
    pollfd waits{at_.fd, POLLIN, 0};
    EXPECT_TRUE(until([&] { return ::poll(&waits, 1, 0) == 1; })) << "nobody connects";
    return ends_.emplace_back(::accept4(at_.fd, nullptr, nullptr, SOCK_CLOEXEC));
  }
  bool is_anybody_there() {
    idle();
    pollfd waits{at_.fd, POLLIN, 0};
    return ::poll(&waits, 1, 0) == 1;
  }
  void send(request& one, std::string body = {}) {
    const std::string verb = body.empty() ? "GET" : "POST";
    go(one, sending(one.by->stream, verb + " / HTTP/1.1\r\nhost: a\r\n\r\n", std::move(body)),
       one.sent);
  }
  void read(request& one) { go(one, reading(one.by->stream, one.answer), one.read); }
  // Joins, with the origin's SETTINGS where the connection is new, and sends a GET.
  request& ask(std::string body = {}) {
    request& made = join(!body.empty());
    if (made.by->requests == 1) accept().say(frame(settings, 0, 0));
    EXPECT_TRUE(until([&] { return made.opened.done(); }));
    EXPECT_TRUE(*made.opened.value);
    send(made, std::move(body));
    return made;
  }
  bool has_come(origin_end& at, unsigned type, std::size_t many, std::uint32_t on = UINT32_MAX) {
    return until([&] { return at.heard(type, on).size() >= many; });
  }
  // As an exchange does: nobody waits there any more, and then it goes.
  void let_go(request& one) {
    if (!one.by) return;
    one.by->stream.abort(fault::canceled);
    EXPECT_TRUE(until([&] { return one.waiting.inside() == 0; }));
    one.by.reset();
  }
  template <class T>
  void go(request& one, io::task<T> what, outcome<T>& out) {
    io::spawn(keep(std::move(what), out), one.waiting);
  }

  static constexpr std::uint64_t windows_octets = 1U << 20U;
  io::test::listener at_;
  std::list<origin_end> ends_;
  config::upstream rules_;
  server server_;
  std::shared_ptr<server_health> health_ = std::make_shared<server_health>(1);
  http::window_pool windows_{windows_octets};
  std::optional<pools> pools_{std::in_place, *loop_, windows_};
  std::list<request> requests_;
};

}  // namespace rw::upstream::test
