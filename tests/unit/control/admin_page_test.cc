#include "control/admin_page.h"

#include <fmt/format.h>

#include <vector>

#include "control/process.h"
#include "served.h"

namespace rw::control {
namespace {

class AdminPage : public test::ServerTest {
 protected:
  AdminPage() { page_->start(); }
  small_server& server() override { return *page_; }
  void destroy() override { page_.reset(); }

  // What comes back until the page closes.
  std::string ask(const std::string& request, const char* ip = "127.0.0.1") {
    const int fd = connect(ip);
    io::test::put(fd, request);
    ::shutdown(fd, SHUT_WR);
    return read(fd);
  }
  static std::string get(const std::string& target, const std::string& lines = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
  }
  static std::vector<unsigned> statuses(const std::string& answers) {
    std::vector<unsigned> all;
    const std::string_view start = "HTTP/1.1 ";
    for (std::size_t at = 0; (at = answers.find(start, at)) != std::string::npos; ++at) {
      all.push_back(static_cast<unsigned>(std::stoul(answers.substr(at + start.size(), 3))));
    }
    return all;
  }
  std::int64_t second() const { return loop_->now().time_since_epoch() / std::chrono::seconds{1}; }
  // The statuses of so many requests of one client that came within one second of the page's clock.
  std::vector<unsigned> in_one_second(unsigned count, const char* ip, std::int64_t& when) {
    std::string all;
    for (unsigned i = 1; i < count; ++i) all += get("/healthz");
    all += get("/healthz", "Connection: close\r\n");
    for (int attempt = 0; attempt < 10; ++attempt) {
      const std::int64_t before = second();
      EXPECT_TRUE(until([&] { return second() != before; }));
      when = second();
      const std::string answers = ask(all, ip);
      if (second() == when) return statuses(answers);
    }
    ADD_FAILURE() << "this machine is too slow for this test";
    return {};
  }

  process gate_{{"", ""}};
  std::optional<admin_page> page_{std::in_place, gate_, *loop_, test::free_port()};
};

TEST_F(AdminPage, SaysThatItIsThereAndReady) {
  const std::string health = ask(get("/healthz"));
  EXPECT_TRUE(health.starts_with("HTTP/1.1 200 OK\r\n")) << health;
  EXPECT_TRUE(health.ends_with("\r\n\r\nok\n"));
  EXPECT_NE(health.find("content-length: 3\r\n"), std::string::npos);
  EXPECT_NE(health.find("cache-control: no-store\r\n"), std::string::npos);
  EXPECT_TRUE(ask(get("/readyz")).ends_with("\r\n\r\nready\n"));
}

TEST_F(AdminPage, AnswersHeadWithoutABody) {
  const std::string health = ask("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(health.starts_with("HTTP/1.1 200 OK\r\n")) << health;
  EXPECT_TRUE(health.ends_with("\r\n\r\n"));
  EXPECT_NE(health.find("content-length: 3\r\n"), std::string::npos);
}

TEST_F(AdminPage, HasNothingElse) {
  for (const char* target : {"/index.html", "/metric", "/metrics/", "/healthz/", "//healthz",
                             "/../healthz", "/HEALTHZ", "/%68ealthz"}) {
    EXPECT_EQ(statuses(ask(get(target))), std::vector{404U}) << target;
  }
  EXPECT_EQ(statuses(ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")), std::vector{405U});
}

TEST_F(AdminPage, ThePageIsOneDocumentThatAsksNobodyElse) {
  const std::string page = ask("GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
  EXPECT_EQ(statuses(page), std::vector{200U});
  EXPECT_NE(page.find("content-security-policy: default-src 'none'; script-src 'sha256-"),
            std::string::npos);
  EXPECT_TRUE(page.ends_with("</html>\n"));
  EXPECT_EQ(statuses(ask(get("/"))), std::vector{421U});
}

TEST_F(AdminPage, IsOnlyRead) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"}) {
    const std::string answer = ask(std::string(method) + " /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(statuses(answer), std::vector{405U}) << method;
    EXPECT_NE(answer.find("allow: GET, HEAD\r\n"), std::string::npos) << method;
  }
}

TEST_F(AdminPage, AConnectionTakesManyRequests) {
  EXPECT_EQ(statuses(ask(get("/healthz") + get("/nothing") + get("/readyz"))),
            (std::vector{200U, 404U, 200U}));
  EXPECT_EQ(statuses(ask(get("/healthz", "Connection: close\r\n") + get("/readyz"))),
            std::vector{200U});
  EXPECT_EQ(statuses(ask("GET /healthz HTTP/1.0\r\n\r\n" + get("/readyz"))), std::vector{200U});
}

// Nobody here reads bodies: what follows could be taken for a request.
TEST_F(AdminPage, ABodyEndsTheConnection) {
  const std::string smuggled = get("/readyz");
  const std::string lines = fmt::format("Content-Length: {}\r\n", smuggled.size());
  const std::string answer = ask(get("/healthz", lines) + smuggled);
  EXPECT_EQ(statuses(answer), std::vector{200U});
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
}

TEST_F(AdminPage, WhatIsNoRequestIsRefusedAndEndsTheConnection) {
  const std::pair<std::string, unsigned> bad[] = {
      {"GET / HTTP/1.1\n\n", 400},
      {"GET /healthz HTTP/1.1\r\n\r\n", 400},
      {get("/healthz", "A: b\x01\r\n"), 400},
      {get("/healthz", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {get("/" + std::string(3000, 'a')), 414},
      {get("/healthz", "A: " + std::string(9000, 'a') + "\r\n"), 431},
      {std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
  };
  for (const auto& [request, status] : bad) {
    const std::string answer = ask(request + get("/healthz"));
    EXPECT_EQ(statuses(answer), std::vector{status}) << request.substr(0, 60);
    EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
  }
}

// Both heads are read into the same place.
TEST_F(AdminPage, ARefusalAfterAHeadHasItsBody) {
  const std::string head = "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string answers = ask(head + "\x16\x03\x01\r\n\r\n");
  EXPECT_EQ(statuses(answers), (std::vector{200U, 400U}));
  EXPECT_TRUE(answers.ends_with("\r\n\r\nrefused\n")) << answers;
}

TEST_F(AdminPage, ARequestMayComeInPieces) {
  const int fd = connect();
  for (const char one : get("/healthz", "Connection: close\r\n")) {
    io::test::put(fd, {&one, 1});
    loop_->turn();
  }
  EXPECT_EQ(statuses(read(fd)), std::vector{200U});
}

TEST_F(AdminPage, AClientThatLeavesInAHeadIsToldNothing) {
  EXPECT_EQ(ask("GET /healthz HTT"), "");
  EXPECT_EQ(ask(""), "");
}

TEST_F(AdminPage, AClientHasFiftyRequestsASecond) {
  std::int64_t when = 0;
  const unsigned most = admin_page::requests_per_second;
  ASSERT_EQ(most, 50U);
  const std::vector<unsigned> got = in_one_second(most + 10, "127.0.0.1", when);
  std::vector<unsigned> wanted(most, 200);
  wanted.resize(most + 10, 429);
  EXPECT_EQ(got, wanted);
  ASSERT_TRUE(until([&] { return second() != when; }));
  EXPECT_EQ(statuses(ask(get("/healthz"))), std::vector{200U});
}

TEST_F(AdminPage, OneClientsHasteIsNotAnothersLoss) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    std::int64_t when = 0;
    EXPECT_EQ(in_one_second(51, "127.0.0.1", when).back(), 429U);
    const std::string other = ask(get("/healthz"), "127.0.0.2");
    const std::string same = ask(get("/healthz"), "127.0.0.1");
    if (second() != when) continue;
    EXPECT_EQ(statuses(other), std::vector{200U});
    EXPECT_EQ(statuses(same), std::vector{429U});
    EXPECT_NE(same.find("retry-after: 1\r\n"), std::string::npos);
    return;
  }
  FAIL() << "this machine is too slow for this test";
}

TEST_F(AdminPage, TakesSixtyFourConnections) {
  ASSERT_EQ(admin_page::connections_max, 64U);
  std::vector<int> open;
  for (int i = 0; i < 64; ++i) {
    const std::string ip = fmt::format("127.0.1.{}", 1 + i);  // each with a budget of its own
    open.push_back(connect(ip.c_str()));
    io::test::put(open.back(), get("/healthz"));
    ASSERT_TRUE(read(open.back(), 1).starts_with("HTTP/1.1 200 "));
  }
  EXPECT_EQ(read(connect("127.0.2.1")), "");
  disconnect(open.front());
  EXPECT_TRUE(until([&] { return !ask(get("/healthz"), "127.0.2.1").empty(); }));
}

}  // namespace
}  // namespace rw::control
