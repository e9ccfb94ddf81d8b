#include "control/small_server.h"

#include <algorithm>
#include <vector>

#include "served.h"

namespace rw::control {
namespace {

constexpr unsigned most = 3;

// Sends back what it gets.
class echo final : public small_server {
 public:
  explicit echo(io::loop& on) : small_server(on, test::free_port(), most) {}
  unsigned under_way = 0;
  unsigned served = 0;

 private:
  io::task<> serve(net::stream& client) override {
    ++served;
    ++under_way;
    for (;;) {
      const result<> some = co_await client.receive(mono_time::max());
      if (!some) break;
      const std::string copy(client.input());
      client.consume(copy.size());
      const result<> sent = co_await client.send(copy, std::chrono::seconds{5});
      if (!sent || copy.ends_with("bye")) break;
    }
    --under_way;
  }
};

class SmallServer : public test::ServerTest {
 protected:
  SmallServer() { server_->start(); }
  small_server& server() override { return *server_; }
  void destroy() override { server_.reset(); }

  int served() {
    const int fd = connect();
    io::test::put(fd, "hello");
    EXPECT_EQ(read(fd, 5), "hello");
    return fd;
  }

  std::optional<echo> server_{*loop_};
};

TEST_F(SmallServer, ServesSeveralAtATime) {
  std::vector<int> clients;
  for (unsigned i = 0; i < most; ++i) clients.push_back(served());
  EXPECT_EQ(server_->under_way, most);
  for (const int fd : clients) {
    io::test::put(fd, "again");
    EXPECT_EQ(read(fd, 5), "again");
  }
}

TEST_F(SmallServer, ClosesAtOnceWhatIsTooMany) {
  std::vector<int> clients;
  for (unsigned i = 0; i < most; ++i) clients.push_back(served());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(read(connect()), "");
  EXPECT_EQ(server_->served, most);
  io::test::put(clients[0], "still");
  EXPECT_EQ(read(clients[0], 5), "still");
}

TEST_F(SmallServer, APlaceIsFreeAgainWhenAClientHasGone) {
  for (unsigned round = 0; round < 3; ++round) {
    std::vector<int> clients;
    for (unsigned i = 0; i < most; ++i) clients.push_back(served());
    for (const int fd : clients) disconnect(fd);
    ASSERT_TRUE(until([&] { return io::frames_alive() == 0; }));
  }
  EXPECT_EQ(server_->served, 3 * most);
}

TEST_F(SmallServer, WhatItHasSaidArrivesBeforeTheEnd) {
  const int fd = connect();
  io::test::put(fd, "good bye");
  EXPECT_EQ(read(fd), "good bye");
}

TEST_F(SmallServer, StoppingCutsWhatIsOpenAndAcceptsNobody) {
  const int fd = served();
  stop();
  EXPECT_EQ(server_->under_way, 0U);
  EXPECT_EQ(read(fd), "");
  // The socket listens as long as the object lives; nobody is served.
  const int late = connect();
  io::test::put(late, "hello");
  idle();
  EXPECT_EQ(server_->served, 1U);
  EXPECT_EQ(io::test::take_all(late), "");
}

TEST_F(SmallServer, StoppingWithNobodyThereEnds) {
  stop();
  EXPECT_EQ(server_->served, 0U);
}

}  // namespace
}  // namespace rw::control
