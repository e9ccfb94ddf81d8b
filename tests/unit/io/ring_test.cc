#include "io/ring.h"

#include <gtest/gtest.h>
#include <liburing.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "io/capability.h"
#include "sockets.h"

namespace rw::io {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct recorder : operation {
  recorder() : operation(&on_complete) {}
  static void on_complete(operation& op, completion what) {
    auto& self = static_cast<recorder&>(op);
    self.all.push_back(what);
    EXPECT_EQ(self.in_flight(), what.more);
    if (self.then) self.then(what);
  }
  std::int32_t last() const { return all.empty() ? 1 : all.back().result; }
  std::vector<completion> all;
  std::function<void(completion)> then;
};

class Ring : public testing::Test {
 protected:
  void SetUp() override {
    descriptors_ = open_descriptors();
    make(64);
  }
  void TearDown() override {
    EXPECT_EQ(ring_->in_flight(), 0U);
    EXPECT_EQ(ring_->counters().stale, 0U);
    ring_.reset();
    EXPECT_EQ(open_descriptors(), descriptors_);
  }
  void make(unsigned entries) {
    auto made = ring::create(entries);
    ASSERT_TRUE(made) << made.error().text << ' ' << made.error().os;
    ring_ = std::move(*made);
  }
  // Turns until `done`, for a few seconds at most.
  testing::AssertionResult until(const std::function<bool()>& done) {
    const mono_time deadline = ring_->now() + seconds{5};
    while (!done()) {
      if (ring_->now() > deadline) return testing::AssertionFailure() << "not in 5 s";
      ring_->wait(ring_->now() + milliseconds{100});
      ring_->dispatch();
    }
    return testing::AssertionSuccess();
  }
  testing::AssertionResult until_done(const recorder& op) {
    return until([&] { return !op.in_flight(); });
  }
  // For a while in which nothing should happen.
  void idle() {
    for (int i = 0; i < 3; ++i) {
      ring_->wait(ring_->now() + milliseconds{5});
      ring_->dispatch();
    }
  }
  void offer(std::uint16_t id) { ring_->offer(id, buffers_[id]); }
  std::string_view text(const completion& what) const {
    return {reinterpret_cast<const char*>(buffers_[static_cast<std::size_t>(what.buffer)].data()),
            static_cast<std::size_t>(what.result)};
  }

  int descriptors_ = 0;
  std::unique_ptr<ring> ring_;
  std::array<std::array<std::byte, 64>, 8> buffers_{};
};

TEST_F(Ring, SendsAndReceives) {
  const pair both;
  recorder received;
  std::array<std::byte, 32> into;
  ring_->receive_into(received, both.ours, into);
  recorder sent;
  ring_->send(sent, both.ours, std::as_bytes(std::span(std::string_view("ping"))));
  EXPECT_EQ(ring_->in_flight(), 2U);
  EXPECT_TRUE(until_done(sent));
  EXPECT_EQ(sent.last(), 4);
  EXPECT_EQ(take_all(both.theirs), "ping");
  EXPECT_TRUE(received.in_flight());
  put(both.theirs, "pong!");
  EXPECT_TRUE(until_done(received));
  EXPECT_EQ(received.last(), 5);
  EXPECT_EQ(received.all.back().buffer, -1);
}

TEST_F(Ring, SendsPiecesTogether) {
  const pair both;
  std::array<iovec, 2> pieces = {iovec{const_cast<char*>("head "), 5},
                                 {const_cast<char*>("body"), 4}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  recorder sent;
  ring_->send(sent, both.ours, &message);
  EXPECT_TRUE(until_done(sent));
  EXPECT_EQ(sent.last(), 9);
  EXPECT_EQ(take_all(both.theirs), "head body");
}

TEST_F(Ring, SendingToNobodyIsAnErrorAndNoSignal) {
  pair both;
  both.theirs.reset();
  recorder sent;
  ring_->send(sent, both.ours, std::as_bytes(std::span(std::string_view("x"))));
  EXPECT_TRUE(until_done(sent));
  EXPECT_EQ(sent.last(), -EPIPE);
}

TEST_F(Ring, OneReceiveGoesOnIntoOfferedBuffers) {
  pair both;
  for (std::uint16_t id = 0; id < 4; ++id) offer(id);
  recorder received;
  ring_->receive(received, both.ours);
  for (int i = 1; i <= 3; ++i) {
    const std::string word = "word" + std::to_string(i);
    put(both.theirs, word);
    ASSERT_TRUE(until([&] { return received.all.size() == static_cast<std::size_t>(i); }));
    EXPECT_EQ(text(received.all.back()), word);
    EXPECT_TRUE(received.all.back().more);
  }
  both.theirs.reset();
  EXPECT_TRUE(until_done(received));
  EXPECT_EQ(received.last(), 0);
}

TEST_F(Ring, AReceiveEndsWhenNoBufferIsLeftAndMayBeStartedAgain) {
  const pair both;
  recorder received;
  offer(0);
  offer(1);
  ring_->receive(received, both.ours);
  const std::string sent = pattern(200);
  put(both.theirs, sent);
  ASSERT_TRUE(until_done(received));
  EXPECT_EQ(received.last(), -ENOBUFS);
  ASSERT_EQ(received.all.size(), 3U);
  EXPECT_EQ(ring_->counters().no_buffers, 1U);
  std::string got(text(received.all[0]));
  got.append(text(received.all[1]));

  const std::size_t before = received.all.size();
  offer(2);
  offer(3);
  ring_->receive(received, both.ours);
  ASSERT_TRUE(until([&] { return received.all.size() == before + 2; }));
  got.append(text(received.all[before])).append(text(received.all[before + 1]));
  EXPECT_EQ(got, sent);
  ring_->cancel(received);
  EXPECT_TRUE(until_done(received));
}

TEST_F(Ring, CancelEndsWhatWaits) {
  const pair both;
  recorder idle_one;
  ring_->cancel(idle_one);  // nothing to cancel
  recorder received;
  offer(0);
  ring_->receive(received, both.ours);
  idle();
  EXPECT_TRUE(received.in_flight());
  ring_->cancel(received);
  EXPECT_TRUE(received.in_flight());  // only the completion ends it
  EXPECT_TRUE(until_done(received));
  EXPECT_EQ(received.last(), -ECANCELED);
  ASSERT_EQ(received.all.size(), 1U);
}

TEST_F(Ring, CancelInTheSameBreathAsTheStart) {
  const pair both;
  for (int i = 0; i < 100; ++i) {
    recorder received;
    std::array<std::byte, 8> into;
    ring_->receive_into(received, both.ours, into);
    ring_->cancel(received);
    ASSERT_TRUE(until_done(received));
    EXPECT_EQ(received.last(), -ECANCELED);
  }
}

// A cancel for an operation that has just ended must not reach the next one in its slot.
TEST_F(Ring, ALateCancelDoesNotReachTheNextInTheSlot) {
  const pair both;
  std::array<std::byte, 8> into;
  recorder next;
  recorder first;
  first.then = [&](completion) { ring_->receive_into(next, both.ours, into); };
  ring_->receive_into(first, both.ours, into);
  put(both.theirs, "a");
  ring_->wait(ring_->now() + seconds{1});  // completed, not dispatched
  ring_->cancel(first);
  ring_->dispatch();
  idle();
  EXPECT_EQ(first.last(), 1);
  EXPECT_TRUE(next.in_flight());
  put(both.theirs, "bc");
  EXPECT_TRUE(until_done(next));
  EXPECT_EQ(next.last(), 2);
}

TEST_F(Ring, ConnectsOrIsRefused) {
  sockaddr_in nobody;
  {
    const listener gone;
    nobody = gone.address;
  }
  const result<int> refused = ring_->open_stream_socket(AF_INET);
  ASSERT_TRUE(refused);
  const descriptor refused_fd(*refused);
  recorder attempt;
  ring_->connect(attempt, refused_fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody);
  EXPECT_TRUE(until_done(attempt));
  EXPECT_EQ(attempt.last(), -ECONNREFUSED);
  EXPECT_EQ(kernel_error(-attempt.last(), origin::upstream).code, fault::refused);

  const listener somebody;
  const result<int> fd = ring_->open_stream_socket(AF_INET);
  const descriptor ours(*fd);
  recorder connected;
  ring_->connect(connected, ours, somebody.raw(), sizeof somebody.address);
  EXPECT_TRUE(until_done(connected));
  EXPECT_EQ(connected.last(), 0);
  const result<sockaddr_storage> peer = ring_->peer_address(ours);
  ASSERT_TRUE(peer);
  EXPECT_EQ(reinterpret_cast<const sockaddr_in&>(*peer).sin_port, somebody.address.sin_port);
}

TEST_F(Ring, OneAcceptTakesAllThatCome) {
  const listener at;
  std::vector<descriptor> accepted;
  recorder accepting;
  accepting.then = [&](completion what) {
    if (what.result >= 0) accepted.emplace_back(what.result);
  };
  ring_->accept(accepting, at.fd);
  std::vector<descriptor> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(at.connect());
  ASSERT_TRUE(until([&] { return accepted.size() == 3; }));
  EXPECT_TRUE(accepting.in_flight());
  put(accepted[0], "hello");
  EXPECT_EQ(take_all(clients[0]), "hello");
  EXPECT_NE(::fcntl(accepted[0], F_GETFD) & FD_CLOEXEC, 0);
  ring_->cancel(accepting);
  EXPECT_TRUE(until_done(accepting));
}

TEST_F(Ring, ReadsAndWatches) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const descriptor out(ends[0]);
  const descriptor in(ends[1]);
  recorder watching;
  ring_->watch(watching, out, POLLIN);
  idle();
  EXPECT_TRUE(watching.all.empty());
  for (int i = 1; i <= 2; ++i) {
    ASSERT_EQ(::write(in, "abc", 3), 3);
    ASSERT_TRUE(until([&] { return watching.all.size() == static_cast<std::size_t>(i); }));
    EXPECT_TRUE(watching.all.back().more);
    recorder reading;
    std::array<std::byte, 16> into;
    ring_->read(reading, out, into);
    ASSERT_TRUE(until_done(reading));
    EXPECT_EQ(reading.last(), 3);
  }
  ring_->cancel(watching);
  EXPECT_TRUE(until_done(watching));
}

TEST_F(Ring, WaitEndsAtItsDeadline) {
  const mono_time before = ring_->now();
  ring_->wait(before + milliseconds{30});
  EXPECT_GE(ring_->now() - before, milliseconds{29});
  ring_->wait(before);  // passed already
  ring_->wait(mono_time{});
  EXPECT_LT(ring_->now() - before, seconds{3});
  EXPECT_EQ(ring_->dispatch(), 0U);
}

TEST_F(Ring, ResetTellsThePeer) {
  tcp_pair both;
  put(both.ours, "cut");
  ring_->reset(both.ours.release());
  char byte[8];
  const mono_time deadline = ring_->now() + seconds{5};
  ssize_t got = 1;
  while ((got > 0 || (got < 0 && errno == EAGAIN)) && ring_->now() < deadline) {
    got = ::recv(both.theirs, byte, sizeof byte, MSG_DONTWAIT);
  }
  EXPECT_EQ(got, -1);
  EXPECT_EQ(errno, ECONNRESET);
}

// Far more than the queues hold: the submission queue is flushed on the way, the completion queue
// overflows into the kernel and loses nothing.
TEST_F(Ring, TakesMoreThanItsQueuesHold) {
  make(8);
  const pair both;
  std::deque<recorder> all(200);
  for (recorder& one : all) {
    ring_->send(one, both.ours, std::as_bytes(std::span(std::string_view("x"))));
  }
  ASSERT_TRUE(until([&] { return ring_->in_flight() == 0; }));
  for (const recorder& one : all) EXPECT_EQ(one.last(), 1);
  EXPECT_EQ(take_all(both.theirs).size(), 200U);
}

TEST_F(Ring, AHandlerMayStartAndFillTheQueueFromWithin) {
  make(8);
  const pair both;
  std::deque<recorder> more(100);
  recorder first;
  first.then = [&](completion) {
    for (recorder& one : more) {
      ring_->send(one, both.ours, std::as_bytes(std::span(std::string_view("y"))));
    }
  };
  ring_->send(first, both.ours, std::as_bytes(std::span(std::string_view("x"))));
  ASSERT_TRUE(until([&] { return ring_->in_flight() == 0; }));
  EXPECT_EQ(take_all(both.theirs).size(), 101U);
}

TEST_F(Ring, WakesAnothersWait) {
  std::atomic<int> theirs = -1;
  std::atomic<int> wakes = 0;
  std::atomic<bool> stop = false;
  const int ours = ring_->descriptor();
  std::thread other([&] {
    auto made = ring::create(16);
    ASSERT_TRUE(made);
    ring& mine = **made;
    theirs = mine.descriptor();
    while (!stop) {
      mine.wait(mine.now() + seconds{10});
      mine.dispatch();
      if (!mine.woken()) continue;
      EXPECT_FALSE(mine.woken());
      ++wakes;
      mine.wake(ours);
    }
    mine.wait(mine.now());  // submits the last wake
  });
  while (theirs < 0) std::this_thread::yield();
  for (int i = 0; i < 200; ++i) {
    if (i == 199) stop = true;
    ring_->wake(theirs);
    ASSERT_TRUE(until([&] { return ring_->woken(); }));
  }
  other.join();
  EXPECT_EQ(wakes, 200);
}

TEST_F(Ring, SendsTlsOrSaysThatItDoesNot) {
  pair both;
  const std::array<std::byte, 40> nothing{};
  EXPECT_EQ(ring_->sends_tls(), probe_kernel_tls());
  EXPECT_FALSE(ring_->send_as_tls(both.ours, nothing)) << "no version, no cipher, no keys";
}

// Waking a ring that is gone costs nobody anything.
TEST_F(Ring, AWakeForNobodyIsNoCompletion) {
  ring_->wake(1'000'000);
  idle();
  EXPECT_FALSE(ring_->woken());
}

TEST_F(Ring, RefusesEverythingElseOnceItRuns) {
  // A registration other than those liburing needs; the same rule guards the opcodes.
  std::array<char, sizeof(io_uring_probe) + 256 * sizeof(io_uring_probe_op)> probe{};
  const long code = ::syscall(__NR_io_uring_register, ring_->descriptor(), IORING_REGISTER_PROBE,
                              probe.data(), 256);
  EXPECT_EQ(code, -1);
  EXPECT_EQ(errno, EACCES);
}

// The thread's table of registered rings holds 16, and keeps alive what stays in it.
TEST_F(Ring, LetsGoOfEverythingWhenItEnds) {
  pair both;
  alignas(recorder) static std::array<std::byte, sizeof(recorder)> never_destroyed;
  auto* receiving = new (never_destroyed.data()) recorder;
  for (int i = 0; i < 40; ++i) {
    auto made = ring::create(8);
    ASSERT_TRUE(made) << i;
    if (i == 0) {
      std::array<std::byte, 8> into;
      (*made)->receive_into(*receiving, both.ours, into);
      (*made)->wait((*made)->now());
    }
  }
  both.ours.reset();
  const mono_time deadline = ring_->now() + seconds{5};
  ssize_t got = -1;
  char byte;
  while (got < 0 && ring_->now() < deadline) {
    got = ::recv(both.theirs, &byte, 1, MSG_DONTWAIT);
    std::this_thread::sleep_for(milliseconds{1});
  }
  EXPECT_EQ(got, 0) << "the ring still holds the socket";
}

void destroy_in_flight() {
  const pair both;
  auto made = ring::create(8);
  std::array<std::byte, 8> into;
  recorder received;
  (*made)->receive_into(received, both.ours, into);
}

TEST(RingDeathTest, AnOperationInFlightMustNotGo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(destroy_in_flight(), "in_flight");
}

}  // namespace
}  // namespace rw::io
