// One exchange after another with a server on the same loop that does what it is told.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "../net/stream_world.h"
#include "base/random.h"
#include "control/https_client.h"
#include "tls/authorities.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/library.h"

namespace rw::control::test {

using net::test::outcome;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline wall_time today() {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

// For the address that the server has, and for a name that it could have.
inline tls::self_signed make_pair() {
  const std::vector<std::string> names = {"keys.localhost"};
  const std::vector<std::string> addresses = {"127.0.0.1"};
  return *tls::make_self_signed(names, addresses, today(), hours(24));
}
inline const tls::self_signed& own_pair() {
  static const tls::self_signed made = make_pair();
  return made;
}

inline std::shared_ptr<const tls::client_context> trusting(const std::string& chain_pem,
                                                           std::vector<tls::key_pin> pins = {}) {
  tls::client_options options;
  options.trusted = *tls::authorities::load(chain_pem, today());
  options.pins = std::move(pins);
  return *tls::client_context::create(std::move(options), 1);
}

inline std::string ok(std::string_view fields, std::string_view body = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
inline std::string counted(std::string_view body, std::string_view fields = "") {
  return ok("Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields), body);
}

class HttpsClient : public net::test::StreamTest {
 protected:
  // How the server ends, once it has said what it has to say.
  enum class end : std::uint8_t { closes, cuts, waits };
  // Where it falls silent without having said anything.
  enum class silent : std::uint8_t { never, before_tls, before_answer };

  static void SetUpTestSuite() {
    random_init();
    ASSERT_TRUE(tls::library_init());
  }

  HttpsClient() : StreamTest(1U << 20U) {
    ::fcntl(at_.fd, F_SETFL, O_NONBLOCK);
    tls::server_options options{.protocols = {"http/1.1"}};
    auto certificate = tls::certificate::load(own_pair().chain_pem, own_pair().key_pem);
    auto made = tls::server_context::create(
        std::move(options), {std::make_shared<const tls::certificate>(std::move(*certificate))},
        std::make_shared<const tls::ticket_keys>(mono_time{}));
    serving_ = *made;
    what_.url.host = "127.0.0.1";
    what_.url.port = ntohs(at_.address.sin_port);
    what_.url.target = "/keys?all";
    what_.tls = trusting(own_pair().chain_pem);
  }

  void TearDown() override {
    names_.end();
    at_.fd.reset();
    for (net::stream& one : streams_) one.abort(fault::canceled);
    EXPECT_TRUE(until([&] { return served_.inside() == 0; }));
    StreamTest::TearDown();
  }

  io::task<> serve(int fd) {
    net::stream& s = make(fd);
    if (silent_ == silent::before_tls) co_return;
    const result<> agreed = co_await s.handshake(serving_, in(seconds{60}));
    if (!agreed) {
      co_await s.close();
      co_return;
    }
    for (;;) {  // it may have come with the end of the handshake
      request_.append(s.input());
      s.consume(s.input().size());
      if (request_.ends_with("\r\n\r\n")) break;
      const result<> more = co_await s.receive(in(seconds{60}));
      if (!more) co_return;
    }
    if (silent_ == silent::before_answer) co_return;
    for (std::size_t i = 0; i < answer_.size(); i += piece_) {
      const result<> sent =
          co_await s.send(std::string_view(answer_).substr(i, piece_), seconds{60});
      if (!sent) break;
    }
    while (drips_) {  // for ever
      const result<> sent = co_await s.send(std::string_view("x"), seconds{60});
      if (!sent) break;
      ++dripped_;
      io::sleep pause(*loop_, in(milliseconds{5}));
      co_await pause;
    }
    if (end_ == end::closes) co_await s.finish(in(seconds{1}));
    if (end_ != end::waits) co_await s.close();
  }

  static io::task<https_outcome> ask(https_client& by, https_request what) {
    https_outcome got = co_await by.get(std::move(what));
    co_return got;
  }

  // What comes of it, of a server that says `answer`.
  https_outcome get(std::string answer = {}, nanoseconds within = seconds{60}) {
    answer_ = std::move(answer);
    request_.clear();
    what_.by = in(within);
    outcome<https_outcome> got;
    start(ask(client_, what_), got);
    EXPECT_TRUE(until([&] { return look() && got.done(); }, seconds{120}));
    return *got.value;
  }
  bool look() {
    const int fd = ::accept4(at_.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return true;
    ++connections_;
    io::spawn(serve(fd), served_);
    return true;
  }
  // It must fail there, and its text say so.
  void fails(std::string answer, https_stage at, std::string_view text) {
    const std::string shown = answer.substr(0, 80);
    const https_outcome got = get(std::move(answer));
    ASSERT_FALSE(got) << shown;
    EXPECT_EQ(got.error().at, at) << shown << got.error().text();
    EXPECT_NE(got.error().text().find(text), std::string::npos) << shown << got.error().text();
  }
  std::string body_of(std::string answer) {
    const https_outcome got = get(std::move(answer));
    EXPECT_TRUE(got) << got.error().text();
    return got ? got->body : "";
  }

  io::test::listener at_;
  std::shared_ptr<const tls::server_context> serving_;
  io::gate served_;
  resolver names_{*loop_};
  https_client client_{*loop_, names_};
  https_request what_;
  std::string answer_;
  std::string request_;
  std::size_t piece_ = SIZE_MAX;
  end end_ = end::waits;
  silent silent_ = silent::never;
  bool drips_ = false;
  int dripped_ = 0;
  int connections_ = 0;
};

}  // namespace rw::control::test
