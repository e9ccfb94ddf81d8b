// What https_client takes for an answer, and what it does not.
#include <gtest/gtest.h>

#include "control/https_client.h"
#include "https_world.h"

namespace rw::control::test {
namespace {

TEST_F(HttpsClient, NotModifiedIsNoAnswerToWhoHasNothing) {
  fails("HTTP/1.1 304 Not Modified\r\n\r\n", https_stage::head, "status 304");
}

TEST_F(HttpsClient, AnEtagThatIsTooLongIsDoneWithout) {
  const https_outcome got = get(counted("{}", "ETag: \"" + std::string(300, 'e') + "\"\r\n"));
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->etag, "");
}

TEST_F(HttpsClient, RedirectsAreNotFollowed) {
  const std::string to = "Location: https://127.0.0.1:" + std::to_string(what_.url.port) +
                         "/elsewhere\r\nContent-Length: 0\r\n\r\n";
  int count = 0;
  for (const char* status :
       {"301 Moved", "302 Found", "303 See", "307 Temporary", "308 For Good"}) {
    fails(std::string("HTTP/1.1 ") + status + "\r\n" + to, https_stage::head, "a redirect");
    EXPECT_EQ(connections_, ++count);
  }
}

TEST_F(HttpsClient, OnlyA200HasABody) {
  for (const char* status : {"201", "204", "206", "400", "404", "429", "500", "503"}) {
    fails(std::string("HTTP/1.1 ") + status + " Whatever\r\nContent-Length: 0\r\n\r\n",
          https_stage::head, std::string("status ") + status);
  }
}

TEST_F(HttpsClient, AnEncodedBodyIsRefused) {
  for (const char* how : {"gzip", "br", "gzip, identity"}) {
    fails(counted("?", std::string("Content-Encoding: ") + how + "\r\n"), https_stage::head,
          "encoded");
  }
  EXPECT_EQ(body_of(counted("ok", "Content-Encoding: Identity\r\n")), "ok");
}

TEST_F(HttpsClient, EveryFramingInPiecesOfAnySize) {
  const std::string chunks = "3\r\none\r\n4;x=\"y\"\r\n two\r\n0\r\nTrailer: t\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
    piece_ = piece;
    end_ = end::waits;
    EXPECT_EQ(body_of(counted("one two")), "one two") << piece;
    EXPECT_EQ(body_of(counted("one two") + "and more"), "one two") << piece;
    EXPECT_EQ(body_of(counted("")), "") << piece;
    EXPECT_EQ(body_of(ok("Transfer-Encoding: chunked\r\n", chunks)), "one two") << piece;
    end_ = end::closes;
    EXPECT_EQ(body_of(ok("", "one two")), "one two") << piece;
  }
}

TEST_F(HttpsClient, ABodyThatEndsTooSoonIsNone) {
  const std::string half[] = {ok("Content-Length: 8\r\n", "one two"),
                              ok("Transfer-Encoding: chunked\r\n", "7\r\none two\r\n"),
                              ok("Transfer-Encoding: chunked\r\n", "7\r\none t")};
  for (const end how : {end::closes, end::cuts}) {
    end_ = how;
    for (const std::string& answer : half) fails(answer, https_stage::body, "");
  }
  // Whoever is on the way could have cut it: without close_notify that is no end.
  end_ = end::cuts;
  fails(ok("", "one two"), https_stage::body, "");
  fails("HTTP/1.1 200 OK\r\nContent-Le", https_stage::head, "");
  fails("", https_stage::head, "");
}

TEST_F(HttpsClient, ABodyIsBounded) {
  what_.body_bytes_max = 100;
  const std::string most(100, 'x');
  const std::string more(101, 'x');
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  end_ = end::closes;
  EXPECT_EQ(body_of(counted(most)), most);
  EXPECT_EQ(body_of(ok(chunked, "64\r\n" + most + "\r\n0\r\n\r\n")), most);
  EXPECT_EQ(body_of(ok("", most)), most);
  constexpr auto at = https_stage::body;
  constexpr auto larger = "larger than is taken";
  fails(ok("", more), at, larger);
  // Long before its end, which never comes.
  end_ = end::waits;
  fails(ok("Content-Length: 101\r\n"), at, larger);
  fails(ok("Content-Length: 9223372036854775807\r\n"), at, larger);
  fails(ok(chunked, "65\r\n" + more), at, larger);
  fails(ok(chunked, "FFFFFFFF\r\n" + more), at, larger);
  drips_ = true;
  fails(ok("", more), at, larger);
}

TEST_F(HttpsClient, GarbageIsNoHead) {
  const std::string fine = "HTTP/1.1 200 OK\r\n";
  for (const std::string& head :
       {std::string("garbage\r\n\r\n"), std::string("HTTP/1.1 abc\r\n\r\n"),
        std::string("HTTP/2 200\r\n\r\n"), std::string("\0\0\0\0\0\0\0\0\r\n\r\n", 12),
        std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n"), fine + "no colon\r\n\r\n",
        fine + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        fine + "Content-Length: -1\r\n\r\n", fine + "Content-Length: 1x\r\n\r\n",
        fine + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        fine + "Transfer-Encoding: gzip\r\n\r\n", std::string("HTTP/1.1 101 Other\r\n\r\n"),
        fine + "X: " + std::string(20'000, 'x'), fine + std::string(20'000, '\n')}) {
    fails(head, https_stage::head, "");
  }
  for (const char* chunks : {"x\r\n", "-1\r\n", "3\r\nfour\r\n", "100000000000000000\r\n"}) {
    fails(ok("Transfer-Encoding: chunked\r\n", chunks), https_stage::body, "");
  }
}

TEST_F(HttpsClient, InterimAnswersAreSkippedWhileTheyAreFew) {
  std::string hints;
  for (int i = 0; i < 16; ++i) hints += "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  EXPECT_EQ(body_of(hints + counted("ok")), "ok");
  fails(hints + "HTTP/1.1 100 Continue\r\n\r\n" + counted("ok"), https_stage::head, "interim");
}

// Who is silent, and where, must not matter: one deadline holds for the whole. A machine may be so

}  // namespace
}  // namespace rw::control::test
