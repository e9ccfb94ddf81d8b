// A worker that accepts nobody, one client of it over a socket, and the exchange of its
// request.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "../net/stream_world.h"
#include "base/random.h"
#include "config/load.h"
#include "gateway/connection.h"
#include "gateway/worker.h"
#include "net/address.h"
#include "tls/library.h"

namespace rw::gateway::test {

using net::test::outcome;
using std::chrono::seconds;

class GatewayTest : public net::test::StreamTest {
 protected:
  static void SetUpTestSuite() {
    random_init();
    ASSERT_TRUE(tls::library_init());
  }

  void TearDown() override {
    hang_up();
    worker_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
    StreamTest::TearDown();
  }

  // What every test has, and `more`.
  void configure(std::string_view more) {
    configure_all(fmt::format(R"(
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[upstream]]
name = "origin"
servers = [{{ address = "192.0.2.1:80" }}]
{})",
                              more));
  }
  void configure_all(const std::string& text) {
    hang_up();
    auto loaded = config::parse(text, "test");
    ASSERT_TRUE(loaded) << config::to_string(loaded.error().front());
    snapshot_context with;
    with.labels = &labels_;
    with.now = loop_->wall_now();
    auto made = make_snapshot(std::move(loaded->settings), with);
    ASSERT_TRUE(made) << config::to_string(made.error().front());
    worker_parts parts;
    parts.state = made->state;
    parts.counters = &counters_;
    parts.access = &access_;
    parts.clients = clients_;
    parts.bans = bans_;
    worker_.emplace(*loop_, std::move(parts));
  }
  // A file that nobody else may read; its path.
  std::string write(const char* name, std::string_view text) {
    if (folder_.empty()) {
      std::string made = (std::filesystem::temp_directory_path() / "rw-gateway-XXXXXX").string();
      folder_ = ::mkdtemp(made.data());
    }
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read);
    return path.string();
  }

  // The exchange of a request that has come as far as `bytes`, its head read and nothing decided;
  // on a connection of its own, from peer_.
  exchange& ask(std::string_view bytes) {
    hang_up();
    if (!worker_) configure("");
    sockets_.emplace();
    worker_->state().listeners[0].open->fetch_add(1);  // what accepting takes
    clients_->open.fetch_add(1);
    client_.emplace(*worker_, sockets_->ours.release(), 0);
    client_->peer = peer_ ? *peer_ : from("127.0.0.1");
    EXPECT_EQ(io::test::put(sockets_->theirs, bytes), bytes.size());
    while (client_->downstream.input().size() < bytes.size()) {
      outcome<result<>> got;
      start(receive(client_->downstream, in(seconds{5})), got);
      if (!until([&] { return got.done(); }) || !*got.value) {
        ADD_FAILURE() << "the request did not come";
        break;
      }
    }
    exchange& x = worker_->begin(*client_);
    const http::outcome read = http::parse_request(client_->downstream.input(), 0, {}, x.request);
    EXPECT_EQ(read.state, http::progress::complete) << read.reason;
    x.head_done = loop_->now();
    return x;
  }
  void hang_up() {
    if (!client_) return;
    if (client_->current != nullptr) worker_->end(*client_->current);
    outcome<bool> closed;
    start(close(client_->downstream), closed);
    EXPECT_TRUE(until([&] { return closed.done(); }));
    client_.reset();
    sockets_.reset();
  }
  static io::task<bool> close(net::stream& s) {
    co_await s.close();
    co_return true;
  }

  static net::endpoint from(std::string_view ip) {
    net::endpoint made;
    EXPECT_TRUE(net::parse_ip(ip, made.ip)) << ip;
    return made;
  }
  static net::endpoint from_unix() {
    net::endpoint made;
    made.is_unix = true;
    return made;
  }

  observe::label_names labels_;
  observe::counters counters_;
  observe::log_queue access_{1U << 16U};
  std::shared_ptr<connection_bound> clients_ = std::make_shared<connection_bound>();
  std::shared_ptr<limit::ban_table> bans_ = std::make_shared<limit::ban_table>();
  std::optional<worker> worker_;
  std::optional<io::test::pair> sockets_;  // not TCP: many clients, and each would keep a port
  std::optional<connection> client_;
  std::optional<net::endpoint> peer_;  // instead of who it is
  std::filesystem::path folder_;
};

}  // namespace rw::gateway::test
