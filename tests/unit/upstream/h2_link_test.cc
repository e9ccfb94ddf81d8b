#include "upstream/h2_link.h"

#include "h2_world.h"

namespace rw::upstream::test {
namespace {

const std::string answered = "HTTP/1.1 200 OK\r\n\r\n";

TEST_F(H2Upstream, NothingIsAskedBeforeTheOriginHasSaidItsSettings) {
  request& one = join();
  origin_end& at = accept();
  ASSERT_TRUE(has_come(at, settings, 1));
  idle();
  EXPECT_FALSE(one.opened.done());
  at.say(frame(settings, 0, 0));
  ASSERT_TRUE(until([&] { return one.opened.done(); }));
  EXPECT_TRUE(*one.opened.value);
}

TEST_F(H2Upstream, ManyShareOneConnectionAndEachHasItsAnswer) {
  request& one = ask();
  request& two = ask();
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 2));
  read(one);
  read(two);
  at.say(frame(headers, end_headers, 3, ok) + frame(headers, end_headers, 1, ok) +
         frame(data, end_stream, 3, "two") + frame(data, end_stream, 1, "one"));
  ASSERT_TRUE(until([&] { return one.read.done() && two.read.done(); }));
  EXPECT_EQ(one.answer, answered + "one");
  EXPECT_EQ(two.answer, answered + "two");
  EXPECT_EQ(ends_.size(), 1U);
}

TEST_F(H2Upstream, NoMoreStreamsThanTheConfigurationLets) {
  rules_.streams_per_connection = 2;
  ask();
  EXPECT_EQ(join().by->requests, 2U);
  request& three = join();
  EXPECT_EQ(three.by->requests, 1U);
  accept();
  let_go(requests_.front());
  EXPECT_EQ(join().by->requests, 3U);  // of the first connection
}

TEST_F(H2Upstream, WhoIsOneTooManyOnceThatIsKnownGoesElsewhere) {
  request& one = join();
  request& two = join();
  EXPECT_EQ(two.by->requests, 2U);
  accept().say(setting(max_concurrent_streams, 1));
  ASSERT_TRUE(until([&] { return one.opened.done() && two.opened.done(); }));
  EXPECT_TRUE(*one.opened.value);
  EXPECT_EQ(two.opened.value->error().code, fault::exhausted);
  EXPECT_EQ(join().by->requests, 1U);
  EXPECT_EQ(join().by->requests, 1U);  // what the origin takes is known by now
}

// Otherwise each request leaves some behind until the idle time is over.
TEST_F(H2Upstream, AConnectionThatTakesNoStreamsDoesNotStay) {
  request& one = join();
  origin_end& at = accept();
  at.say(setting(max_concurrent_streams, 0));
  ASSERT_TRUE(until([&] { return one.opened.done(); }));
  EXPECT_EQ(one.opened.value->error().code, fault::exhausted);
  let_go(one);
  EXPECT_TRUE(until([&] { return at.is_closed(); }));
}

TEST_F(H2Upstream, FewerStreamsFromNowOnLeavesThoseUnderWay) {
  request& one = ask();
  request& two = ask();
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 2));
  at.say(setting(max_concurrent_streams, 0));
  ASSERT_TRUE(has_come(at, settings, 3));  // ours, and two acknowledgements
  EXPECT_EQ(join().by->requests, 1U);
  accept();
  read(one);
  read(two);
  at.say(frame(headers, end_headers | end_stream, 1, ok) +
         frame(headers, end_headers | end_stream, 3, ok));
  ASSERT_TRUE(until([&] { return one.read.done() && two.read.done(); }));
  EXPECT_EQ(one.answer, answered);
  EXPECT_EQ(two.answer, answered);
}

TEST_F(H2Upstream, GoawayLeavesThoseBelowItsLastStreamAndTellsTheOthers) {
  request& one = ask();
  request& two = ask();
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 2));
  read(one);
  read(two);
  at.say(frame(goaway, 0, 0, number(1) + number(0)));
  ASSERT_TRUE(until([&] { return two.read.done(); }));
  EXPECT_TRUE(two.read.value->error().may_retry);
  EXPECT_EQ(two.read.value->error().code, fault::closed);
  EXPECT_EQ(join().by->requests, 1U);
  accept();
  at.say(frame(headers, end_headers | end_stream, 1, ok));
  ASSERT_TRUE(until([&] { return one.read.done(); }));
  EXPECT_EQ(one.answer, answered);
  let_go(one);
  let_go(two);
  EXPECT_TRUE(until([&] { return at.is_closed(); }));
}

TEST_F(H2Upstream, WhoWaitsForAConnectionThatIsGoneAtOnceMayTryAgain) {
  request& one = join();
  accept().say(frame(settings, 0, 0) + frame(goaway, 0, 0, number(0) + number(0)));
  ASSERT_TRUE(until([&] { return one.opened.done(); }));
  ASSERT_FALSE(*one.opened.value);
  EXPECT_TRUE(one.opened.value->error().may_retry);
  EXPECT_EQ(one.opened.value->error().code, fault::closed);
}

TEST_F(H2Upstream, AConnectionThatDiesFailsAllWhoWaitThereForGood) {
  request& one = ask();
  request& two = ask("body");
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 2));
  read(one);
  read(two);
  at.leave();
  ASSERT_TRUE(until([&] { return one.read.done() && two.read.done(); }));
  for (const request* each : {&one, &two}) {
    ASSERT_FALSE(*each->read.value);
    EXPECT_FALSE(each->read.value->error().may_retry);
  }
  EXPECT_EQ(join().by->requests, 1U);
  accept();
}

TEST_F(H2Upstream, OneThatSpeaksSomethingElseIsSaidToBeSo) {
  request& one = join();
  accept().say("HTTP/1.1 400 Bad Request\r\n\r\n");
  ASSERT_TRUE(until([&] { return one.opened.done(); }));
  EXPECT_EQ(one.opened.value->error().code, fault::unsupported);
}

TEST_F(H2Upstream, OneThatSaysNothingIsLate) {
  rules_.connect_timeout = milliseconds{50};
  request& one = join();
  accept();
  ASSERT_TRUE(until([&] { return one.opened.done(); }));
  EXPECT_EQ(one.opened.value->error().code, fault::timed_out);
}

TEST_F(H2Upstream, OneThatIsIdleForTooLongEndsInOrder) {
  rules_.idle_timeout = milliseconds{30};
  request& one = ask();
  origin_end& at = ends_.front();
  pool();
  read(one);
  ASSERT_TRUE(has_come(at, headers, 1));
  idle(milliseconds{40});
  pools_->sweep();
  idle();
  EXPECT_FALSE(at.is_closed());  // it is used
  at.say(frame(headers, end_headers | end_stream, 1, ok));
  ASSERT_TRUE(until([&] { return one.read.done(); }));
  let_go(one);
  pools_->sweep();
  idle();
  EXPECT_FALSE(at.is_closed());  // idle, but not for long
  idle(milliseconds{40});
  pools_->sweep();
  EXPECT_TRUE(until([&] { return at.is_closed(); }));
  EXPECT_EQ(at.heard(goaway).size(), 1U);
}

TEST_F(H2Upstream, OneIsWornAfterSoManyRequests) {
  rules_.requests_per_connection = 2;
  ask();
  request& two = ask();
  origin_end& at = ends_.front();
  EXPECT_EQ(join().by->requests, 1U);
  accept();
  let_go(requests_.front());
  idle();
  EXPECT_FALSE(at.is_closed());
  let_go(two);
  EXPECT_TRUE(until([&] { return at.is_closed(); }));
}

// Servers end a connection for it, with all that others have under way there.
TEST_F(H2Upstream, WhoeverGivesUpStreamByStreamCostsNobodyElseHisAnswer) {
  request& patient = ask();
  origin_end& at = ends_.front();
  read(patient);
  unsigned resets = 0;
  while (ends_.size() == 1 && resets < 1000) {
    request& one = ask();
    if (one.by->requests == 1) break;
    ++resets;
    ASSERT_TRUE(has_come(at, headers, resets + 1));
    let_go(one);
    requests_.pop_back();
  }
  EXPECT_GE(resets, h2_link::resets_max);
  EXPECT_LE(resets, h2_link::resets_max + 4 * h2_link::resets_per_second);
  EXPECT_TRUE(has_come(at, reset, resets));
  EXPECT_FALSE(at.is_closed());
  at.say(frame(headers, end_headers | end_stream, 1, ok));
  ASSERT_TRUE(until([&] { return patient.read.done(); }));
  EXPECT_EQ(patient.answer, answered);
  let_go(patient);
  EXPECT_TRUE(until([&] { return at.is_closed(); }));
}

TEST_F(H2Upstream, ADeadlineOfACallersOwnIsNoReasonToLeaveAConnection) {
  request& hasty = ask();
  hasty.link().doubt();
  EXPECT_EQ(join().by->requests, 2U);
  hasty.link().suspect(seconds{0});  // but the server's is
  EXPECT_EQ(join().by->requests, 1U);
  accept();
}

}  // namespace
}  // namespace rw::upstream::test
