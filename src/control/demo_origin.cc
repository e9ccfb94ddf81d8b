#include "control/demo_origin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>

#include "base/text.h"
#include "control/small_server.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/serialise.h"
#include "io/read.h"

namespace rw::control {
namespace {

constexpr http::head_limits limits{64U << 10U, 256, 16U << 10U};
constexpr std::chrono::minutes patience{2};
constexpr std::uint64_t bytes_max = 1ULL << 30U;
constexpr std::size_t echoed_body_max = 64U << 10U;

void append_member(std::string& out, std::string_view key, std::string_view value) {
  out.append("\"");
  append_json_escaped(out, key);
  out.append("\":\"");
  append_json_escaped(out, value);
  out.append("\"");
}

std::string echo(const http::request_head& asked, std::string_view body) {
  std::string out = "{";
  append_member(out, "method", asked.method_text);
  out.append(",");
  append_member(out, "path", asked.path);
  out.append(",");
  append_member(out, "query", asked.query);
  out.append(",\"headers\":{");
  bool first = true;
  for (const http::field& one : asked.fields) {
    if (!std::exchange(first, false)) out.append(",");
    append_member(out, one.name, one.value);
  }
  out.append("},");
  append_member(out, "body", body);
  return out.append("}\n");
}

std::string head_of(unsigned status, std::string_view type, std::uint64_t length) {
  return fmt::format("HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n", status,
                     http::reason_phrase(status), type, length);
}

}  // namespace

class demo_origin::server final : public small_server {
 public:
  using small_server::small_server;

 private:
  io::task<> serve(net::stream& client) override {
    const auto asked = std::make_unique<http::request_head>();
    for (;;) {
      const mono_time by = loop().now() + patience;
      http::outcome got = http::parse_request(client.input(), 0, limits, *asked);
      while (got.state == http::progress::partial) {
        const std::size_t seen = client.input().size();
        const result<> more = co_await client.receive(by);
        if (!more) co_return;
        got = http::parse_request(client.input(), seen, limits, *asked);
      }
      if (got.state == http::progress::refused) co_return;
      const net::stream::held head = client.hold(asked->size);
      if (head.moved_to != nullptr) asked->rebase(head.moved_to);
      std::string body;
      const result<> read = co_await read_body(client, *asked, body);
      if (!read) co_return;
      const result<> sent = co_await answer(client, *asked, body);
      if (!sent || !asked->keep_alive) co_return;
    }
  }

  io::task<result<>> read_body(net::stream& client, const http::request_head& asked,
                               std::string& body) {
    std::uint64_t left = asked.body == http::framing::length ? asked.content_length : 0;
    http::chunked_decoder decoder;
    const bool chunked = asked.body == http::framing::chunked;
    while (left > 0 || (chunked && decoder.state() == http::chunked_decoder::status::reading)) {
      if (client.input().empty()) {
        const result<> more = co_await client.receive(loop().now() + patience);
        if (!more) co_return more;
      }
      std::string_view data = client.input();
      std::size_t consumed = 0;
      if (chunked) {
        const auto piece = decoder.feed(data);
        data = piece.data;
        consumed = piece.consumed;
      } else {
        data = data.substr(0, left);
        left -= data.size();
        consumed = data.size();
      }
      body.append(data.substr(0, echoed_body_max - std::min(body.size(), echoed_body_max)));
      client.consume(consumed);
    }
    co_return {};
  }

  io::task<result<>> answer(net::stream& client, const http::request_head& asked,
                            std::string_view body) {
    const bool head_only = asked.verb == http::method::head;
    if (asked.path == "/stream" && !head_only) {
      const result<> done = co_await stream_events(client);
      co_return done;
    }
    if (asked.path.starts_with("/bytes/")) {
      const auto count = parse_u64(asked.path.substr(7));
      if (count && *count <= bytes_max) {
        const result<> done = co_await send_bytes(client, *count, head_only);
        co_return done;
      }
    }
    const bool health = asked.path == "/health";
    const std::string text = health ? "ok\n" : echo(asked, body);
    const std::string head = head_of(200, health ? "text/plain" : "application/json", text.size());
    const std::string_view shown = head_only ? std::string_view{} : std::string_view(text);
    const result<> sent = co_await client.send({head, shown, {}}, patience);
    co_return sent;
  }

  io::task<result<>> stream_events(net::stream& client) {
    static constexpr std::string_view head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
        "transfer-encoding: chunked\r\n\r\n";
    result<> sent = co_await client.send(head, patience);
    for (int i = 1; i <= 10 && sent; ++i) {
      const std::string event = fmt::format("id: {}\ndata: {{\"tick\":{}}}\n\n", i, i);
      const http::chunk_head size = http::make_chunk_head(event.size());
      sent = co_await client.send({size.view(), event, http::chunk_end}, patience);
      if (!sent) break;
      io::sleep pause(loop(), loop().now() + std::chrono::milliseconds{500});
      co_await pause;
    }
    if (sent) sent = co_await client.send(http::last_chunk_end, patience);
    co_return sent;
  }

  io::task<result<>> send_bytes(net::stream& client, std::uint64_t count, bool head_only) {
    const std::string block(65536, 'x');
    const std::string head = head_of(200, "application/octet-stream", count);
    result<> sent = co_await client.send(head, patience);
    while (sent && count > 0 && !head_only) {
      const std::size_t size =
          static_cast<std::size_t>(std::min<std::uint64_t>(count, block.size()));
      sent = co_await client.send({block.data(), size}, patience);
      count -= size;
    }
    co_return sent;
  }
};

namespace {

io::task<> wait_for(io::loop& loop, int fd, small_server& server) {
  std::array<std::byte, 1> byte;
  io::read_some reading(loop, fd, byte);
  co_await reading;
  co_await server.stop();
}

}  // namespace

result<std::unique_ptr<demo_origin>> demo_origin::open() {
  const auto where = config::parse_address("127.0.0.1:0");
  auto socket = net::listening_sockets::open(*where, 1);
  if (!socket) return failure(socket.error());
  std::unique_ptr<demo_origin> made(new demo_origin);
  made->address_ = socket->name();
  made->socket_ = std::move(*socket);
  if (::pipe2(made->stop_, O_CLOEXEC) != 0) return failure(io::kernel_error(errno, origin::local));
  return made;
}

result<> demo_origin::start() {
  std::promise<result<>> ready;
  thread_ = std::thread([&ready, stop = stop_[0], s = std::move(*socket_)]() mutable {
    auto kernel = io::ring::create(256);
    if (!kernel) {
      ready.set_value(failure(kernel.error()));
      return;
    }
    io::loop loop(std::move(*kernel), 4U << 20U);
    server origin(loop, std::move(s), 1024);
    origin.start();
    ready.set_value({});
    io::gate chores;
    io::spawn(wait_for(loop, stop, origin), chores);
    while (chores.inside() > 0) loop.turn();
  });
  return ready.get_future().get();
}

demo_origin::~demo_origin() {
  if (stop_[1] >= 0) ::close(stop_[1]);
  if (thread_.joinable()) thread_.join();
  if (stop_[0] >= 0) ::close(stop_[0]);
}

}  // namespace rw::control
