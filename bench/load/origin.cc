// The origin of every load test: fixed answers over HTTP/1.1, as cheap as they can be, one thread.
//   GET anything  200, "ok"
//   GET /bytes/N  200, N bytes from one static buffer, never copied here
// Keep-alive and pipelining; request bodies with Content-Length are read and
// dropped. It trusts its peer: a test tool, not a server.
#include <sys/uio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "ring.h"
#include "socket.h"

namespace rw::bench {

namespace {

constexpr std::string_view ok_answer =
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
constexpr std::size_t filler_bytes = 1U << 20U;
constexpr std::size_t head_bytes_max = 64U << 10U;
constexpr std::size_t iovecs_max = 64;

// An answer on its way out: a constant, or a head of its own with a body cut from the filler.
struct answer {
  std::string_view constant;
  std::array<char, 112> head;
  std::size_t head_bytes = 0;
  std::uint64_t body_bytes = 0;
};

struct connection {
  int fd = -1;
  unsigned in_flight = 0;  // operations the kernel still holds
  bool sending = false;
  bool closing = false;
  std::uint64_t body_left = 0;  // of the request being dropped
  bool held_back = false;       // the last answer waits for that
  std::string partial;          // of a head that came in pieces
  std::deque<answer> answers;   // not moved by push_back: the kernel may be reading one
  std::array<iovec, iovecs_max> parts;
  msghdr message{};
};

class origin {
 public:
  origin(int listening, unsigned buffers, unsigned buffer_bytes)
      : ring_(buffers, buffer_bytes), listening_(listening), filler_(filler_bytes, 'r') {}

  void run(int stop_fd) {
    ring_.accept(listening_, this);
    ring_.run(
        stop_fd, [this](const completion& done) { on(done); },
        [this](int returned) { rearm(returned); });
  }

 private:
  void on(const completion& done) {
    if (done.what == op::accept) {
      on_accept(done);
    } else {
      auto& who = *static_cast<connection*>(done.owner);
      if (!done.more()) --who.in_flight;
      if (done.what == op::receive) {
        on_receive(who, done);
      } else {
        on_send(who, done);
      }
      if (who.closing && who.in_flight == 0) close_now(who);
    }
  }

  void on_accept(const completion& done) {
    if (done.result >= 0) {
      auto made = std::make_unique<connection>();
      made->fd = done.result;
      receive(*made);
      connections_.emplace(made.get(), std::move(made));
    }
    if (!done.more()) ring_.accept(listening_, this);
  }

  void receive(connection& who) {
    ring_.receive(who.fd, &who);
    ++who.in_flight;
  }

  void on_receive(connection& who, const completion& done) {
    if (done.result > 0) {
      if (!who.closing) {
        read(who, {ring_.buffer(done.buffer()), static_cast<std::size_t>(done.result)});
        if (!who.sending && !who.closing) send(who);
      }
      ring_.give_back(done.buffer());
    }
    if (done.more() || who.closing) return;
    if (done.result == -ENOBUFS) {
      ++who.in_flight;
      starved_.push_back(&who);
    } else if (done.result > 0) {
      receive(who);
    } else {
      close(who);
    }
  }

  void rearm(int returned) {
    if (returned == 0) return;
    for (connection* who : std::exchange(starved_, {})) {
      --who->in_flight;
      if (!who->closing) {
        receive(*who);
      } else if (who->in_flight == 0) {
        close_now(*who);
      }
    }
  }

  void read(connection& who, std::string_view bytes) {
    if (!who.partial.empty()) {
      who.partial.append(bytes);
      const std::string whole = std::exchange(who.partial, {});
      take(who, whole);
    } else {
      take(who, bytes);
    }
  }

  void take(connection& who, std::string_view bytes) {
    while (!bytes.empty()) {
      if (who.body_left != 0) {
        const auto dropped = std::min<std::uint64_t>(who.body_left, bytes.size());
        who.body_left -= dropped;
        bytes.remove_prefix(dropped);
        if (who.body_left == 0) who.held_back = false;
        continue;
      }
      const auto end = bytes.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        if (bytes.size() > head_bytes_max) return close(who);
        who.partial.assign(bytes);
        return;
      }
      answer_to(who, bytes.substr(0, end + 2));
      bytes.remove_prefix(end + 4);
    }
  }

  void answer_to(connection& who, std::string_view head) {
    answer& out = who.answers.emplace_back();
    const auto space = head.find(' ');
    const auto target = head.substr(space + 1, head.find_first_of(" ?\r", space + 1) - space - 1);
    if (!head.starts_with("GET ")) who.body_left = content_length(head);
    who.held_back = who.body_left != 0;
    if (const auto size = bytes_wanted(target)) {
      const int written = std::snprintf(out.head.data(), out.head.size(),
                                        "HTTP/1.1 200 OK\r\ncontent-type: "
                                        "application/octet-stream\r\ncontent-length: %llu\r\n\r\n",
                                        static_cast<unsigned long long>(*size));
      out.head_bytes = static_cast<std::size_t>(written);
      out.body_bytes = *size;
    } else {
      out.constant = ok_answer;
    }
  }

  static std::optional<std::uint64_t> bytes_wanted(std::string_view target) {
    constexpr std::string_view prefix = "/bytes/";
    if (!target.starts_with(prefix)) return std::nullopt;
    return parse_u64(target.substr(prefix.size()));
  }

  static std::uint64_t content_length(std::string_view head) {
    constexpr std::string_view name = "content-length:";
    for (std::size_t at = 0; (at = head.find("\r\n", at)) != std::string_view::npos;) {
      at += 2;
      if (!iequals(head.substr(at, name.size()), name)) continue;
      const auto value = head.substr(at + name.size());
      return parse_u64(trim_ows(value.substr(0, value.find("\r\n")))).value_or(0);
    }
    return 0;
  }

  // Everything that is ready, up to iovecs_max pieces, in one call.
  void send(connection& who) {
    std::size_t used = 0;
    const std::size_t ready = who.answers.size() - (who.held_back ? 1 : 0);
    for (std::size_t i = 0; i < ready && used + 2 <= iovecs_max; ++i) {
      answer& out = who.answers[i];
      if (!out.constant.empty()) {
        who.parts[used++] = {const_cast<char*>(out.constant.data()), out.constant.size()};
        continue;
      }
      if (out.head_bytes != 0) who.parts[used++] = {out.head.data(), out.head_bytes};
      auto left = out.body_bytes;
      for (; left != 0 && used < iovecs_max; ++used) {
        const auto piece = std::min<std::uint64_t>(left, filler_.size());
        who.parts[used] = {filler_.data(), piece};
        left -= piece;
      }
      if (left != 0) break;
    }
    if (used == 0) return;
    who.sending = true;
    ++who.in_flight;
    if (used == 1) {
      ring_.send(who.fd, static_cast<char*>(who.parts[0].iov_base), who.parts[0].iov_len, &who);
    } else {
      who.message.msg_iov = who.parts.data();
      who.message.msg_iovlen = used;
      ring_.send(who.fd, &who.message, &who);
    }
  }

  void on_send(connection& who, const completion& done) {
    who.sending = false;
    if (who.closing) return;
    if (done.result <= 0) return close(who);
    auto sent = static_cast<std::uint64_t>(done.result);
    while (sent != 0) {
      answer& out = who.answers.front();
      const auto fixed = out.constant.size() + out.head_bytes;
      if (sent < fixed) return close(who);  // MSG_WAITALL: short only when the peer is gone
      sent -= fixed;
      out.constant = {};
      out.head_bytes = 0;
      const auto body = std::min(sent, out.body_bytes);
      sent -= body;
      out.body_bytes -= body;
      if (out.body_bytes == 0) who.answers.pop_front();
    }
    send(who);
  }

  void close(connection& who) {
    if (std::exchange(who.closing, true)) return;
    shutdown(who.fd, SHUT_RDWR);  // ends the receive and the send the kernel may hold
  }

  void close_now(connection& who) {
    ::close(who.fd);
    connections_.erase(&who);
  }

  // Declared before the ring, so that the kernel lets go of them first.
  std::unordered_map<connection*, std::unique_ptr<connection>> connections_;
  std::vector<connection*> starved_;
  ring ring_;
  int listening_;
  std::string filler_;
};

int serve(int argc, char** argv) {
  CLI::App app{"A fixed-answer HTTP/1.1 origin for load tests"};
  std::string where = "127.0.0.1:0";
  unsigned buffers = 256;
  unsigned buffer_bytes = 4096;
  app.add_option("--address", where, "IP:port, [IP6]:port or unix:/path; port 0 picks one")
      ->capture_default_str();
  app.add_option("--buffers", buffers, "receive buffers, a power of two")->capture_default_str();
  app.add_option("--buffer-bytes", buffer_bytes, "size of each")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const int stop = stop_signals();
  const int listening = listen_on(parse_address(where));
  announce(listening);
  origin(listening, buffers, buffer_bytes).run(stop);
  return 0;
}

}  // namespace

}  // namespace rw::bench

int main(int argc, char** argv) { return rw::bench::serve(argc, argv); }
