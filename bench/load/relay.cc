// The floor of every load test: what any proxy on one ring must pay. Bytes go from each client to
// an upstream connection of its own and back, unread; with --tls the client's side is TLS 1.3. No
// parsing, no timers, no limits; a slow reader holds buffers until the pool is empty, and then
// everybody waits.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "chunks.h"
#include "ring.h"
#include "socket.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/library.h"
#include "tls/server_codec.h"

namespace rw::bench {

namespace {

constexpr std::size_t block_bytes = tls::record_plaintext_max + tls::record_overhead_max;

struct stream {
  int fd = -1;
  unsigned in_flight = 0;  // operations the kernel still holds
  bool upstream = false;
  bool sending = false;
  bool closing = false;
  bool last = false;  // close once everything has been sent
  chunk_queue queue;  // to be sent
  stream* peer = nullptr;
  std::optional<tls::server_codec> codec;
};

class relay {
 public:
  // `context`: null for plain.
  relay(int listening, const address& upstream, unsigned buffers, unsigned buffer_bytes,
        std::shared_ptr<const tls::server_context> context)
      : context_(std::move(context)),
        chunks_(ring_, buffers, block_bytes),
        ring_(buffers, buffer_bytes),
        listening_(listening),
        to_(upstream) {}

  void run(int stop_fd) {
    ring_.accept(listening_, this);
    ring_.run(
        stop_fd, [this](const completion& done) { on(done); },
        [this](int returned) { rearm(returned); });
  }

 private:
  void on(const completion& done) {
    if (done.what == op::accept) return on_accept(done);
    auto& who = *static_cast<stream*>(done.owner);
    if (!done.more()) --who.in_flight;
    if (done.what == op::receive) {
      on_receive(who, done);
    } else if (done.what == op::send) {
      on_send(who, done);
    } else {
      on_connect(who, done);
    }
    if (who.closing && who.in_flight == 0) close_now(who);
  }

  stream& add(int fd) {
    auto made = std::make_unique<stream>();
    stream& who = *made;
    who.fd = fd;
    streams_.emplace(&who, std::move(made));
    return who;
  }

  void on_accept(const completion& done) {
    if (done.result >= 0) {
      stream& client = add(done.result);
      if (context_) client.codec.emplace(context_);
      stream& server = connect();
      client.peer = &server;
      server.peer = &client;
      receive(client);
    }
    if (!done.more()) ring_.accept(listening_, this);
  }

  // One for each client: unread bytes do not tell whether an answer is over.
  stream& connect() {
    stream& server = add(socket_for(to_));
    server.upstream = true;
    server.sending = true;  // what the client says meanwhile waits for the connect
    ring_.connect(server.fd, reinterpret_cast<const sockaddr*>(&to_.storage), to_.size, &server);
    ++server.in_flight;
    return server;
  }

  void on_connect(stream& server, const completion& done) {
    if (server.closing) return;
    if (done.result < 0) {
      std::fprintf(stderr, "upstream: %s\n", std::strerror(-done.result));
      return close_pair(server);
    }
    server.sending = false;
    receive(server);
    send(server);
  }

  void receive(stream& who) {
    ring_.receive(who.fd, &who);
    ++who.in_flight;
  }

  void on_receive(stream& who, const completion& done) {
    if (done.result > 0) pass_on(who, done.buffer(), static_cast<std::size_t>(done.result));
    if (done.more() || who.closing) return;
    if (done.result == -ENOBUFS) {
      ++who.in_flight;
      starved_.push_back(&who);
    } else if (done.result > 0) {
      receive(who);
    } else if (who.peer != nullptr) {
      close_pair(who);
    }
  }

  void rearm(int returned) {
    if (returned == 0) return;
    for (stream* who : std::exchange(starved_, {})) {
      --who->in_flight;
      if (!who->closing) {
        receive(*who);
      } else if (who->in_flight == 0) {
        close_now(*who);
      }
    }
  }

  void pass_on(stream& from, unsigned number, std::size_t size) {
    stream* to = from.peer;
    if (to == nullptr || from.closing) {
      chunks_.give_back(number);
      return;
    }
    if (!context_) {
      chunks_.push(to->queue, number, size);
      return send(*to);
    }
    const auto bytes = std::as_bytes(std::span<const char>(chunks_.data(number), size));
    const unsigned last = from.upstream ? encrypt(bytes, *to) : decrypt(bytes, from, *to);
    // Held until its contents are sent, as in plain: a slow reader must empty the pool, not the
    // memory.
    if (last != no_chunk) {
      chunks_[last].holds = number;
    } else {
      chunks_.give_back(number);
    }
  }

  tls::output fresh(unsigned block) {
    return {reinterpret_cast<std::byte*>(chunks_.data(block)), 0, block_bytes};
  }

  // Queues what a codec wrote into `block`, if anything; returns the block if so.
  unsigned hand_over(stream& to, unsigned block, std::size_t size) {
    if (size == 0) {
      chunks_.give_back(block);
      return no_chunk;
    }
    chunks_.push(to.queue, block, size);
    send(to);
    return block;
  }

  // The last block queued.
  unsigned encrypt(std::span<const std::byte> bytes, stream& client) {
    unsigned last = no_chunk;
    for (tls::step state = tls::step::want_output; state == tls::step::want_output;) {
      const unsigned block = chunks_.take_block();
      tls::output out = fresh(block);
      const tls::transfer written = client.codec->write(bytes, out);
      last = hand_over(client, block, out.size);
      state = written.state;
      bytes = bytes.subspan(written.size);
    }
    return last;
  }

  // The last block queued for the server.
  unsigned decrypt(std::span<const std::byte> in, stream& client, stream& server) {
    tls::server_codec& codec = *client.codec;
    tls::step state = tls::step::want_output;
    while (!codec.established() && state == tls::step::want_output) {
      const unsigned block = chunks_.take_block();
      tls::output out = fresh(block);
      state = codec.handshake(in, out);
      hand_over(client, block, out.size);
    }
    unsigned last = no_chunk;
    if (codec.established()) {
      do {
        const unsigned block = chunks_.take_block();
        const unsigned plain = chunks_.take_block();
        tls::output out = fresh(block);
        const auto room = std::as_writable_bytes(std::span(chunks_.data(plain), block_bytes));
        const tls::transfer got = codec.read(in, room, out);
        hand_over(client, block, out.size);
        if (const unsigned queued = hand_over(server, plain, got.size); queued != no_chunk) {
          last = queued;
        }
        state = got.state;
      } while (state == tls::step::done || state == tls::step::want_output);
    }
    if (state == tls::step::failed || state == tls::step::closed) close_pair(client);
    return last;
  }

  // The next chunk, unless one is on its way.
  void send(stream& to) {
    if (to.sending || to.closing || to.queue.empty()) return;
    const unsigned number = to.queue.head;
    const chunk& first = chunks_[number];
    ring_.send(to.fd, chunks_.data(number) + first.sent, first.size - first.sent, &to);
    to.sending = true;
    ++to.in_flight;
  }

  void on_send(stream& to, const completion& done) {
    to.sending = false;
    if (to.closing) return;
    if (done.result <= 0) return close_pair(to);
    chunk& first = chunks_[to.queue.head];
    first.sent += static_cast<unsigned>(done.result);
    if (first.sent == first.size) chunks_.pop(to.queue);
    send(to);
    if (to.last && to.queue.empty()) close(to);
  }

  // One side is gone. A client still gets what its server said last.
  void close_pair(stream& gone) {
    stream* other = std::exchange(gone.peer, nullptr);
    close(gone);
    if (other == nullptr) return;
    other->peer = nullptr;
    if (!other->upstream && !other->queue.empty()) {
      other->last = true;
    } else {
      close(*other);
    }
  }

  void close(stream& who) {
    if (std::exchange(who.closing, true)) return;
    shutdown(who.fd, SHUT_RDWR);  // ends the operations the kernel may hold
  }

  void close_now(stream& who) {
    while (!who.queue.empty()) chunks_.pop(who.queue);
    ::close(who.fd);
    streams_.erase(&who);
  }

  std::shared_ptr<const tls::server_context> context_;
  // Declared before the ring, so that the kernel lets go of them first.
  std::unordered_map<stream*, std::unique_ptr<stream>> streams_;
  std::vector<stream*> starved_;
  chunks chunks_;
  ring ring_;
  int listening_;
  address to_;
};

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) die("cannot read " + path, errno);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The one suite, group and version that every server of the load tests is held to.
std::shared_ptr<const tls::server_context> tls_context(const std::string& chain,
                                                       const std::string& key) {
  random_init();
  if (const auto started = tls::library_init(); !started) die(started.error().text);
  auto loaded = tls::certificate::load(contents(chain), secret(contents(key)));
  if (!loaded) die(loaded.error().text);
  tls::server_options options;
  options.listener = "relay";
  options.min_version = tls::protocol_version::tls13;
  options.groups = {"X25519"};
  options.ciphers = {"TLS_AES_128_GCM_SHA256"};
  options.session_tickets = false;
  auto context = tls::server_context::create(
      std::move(options), {std::make_shared<tls::certificate>(std::move(*loaded))}, nullptr);
  if (!context) die(context.error().text);
  return *context;
}

int serve(int argc, char** argv) {
  CLI::App app{"A bare byte relay on one io_uring: the floor of the load tests"};
  std::string where = "127.0.0.1:0";
  std::string upstream;
  std::string chain;
  std::string key;
  unsigned buffers = 256;
  unsigned buffer_bytes = 16384;
  app.add_option("--address", where, "IP:port, [IP6]:port or unix:/path; port 0 picks one")
      ->capture_default_str();
  app.add_option("--upstream", upstream, "where the bytes go, likewise")->required();
  app.add_option("--buffers", buffers, "receive buffers, a power of two")->capture_default_str();
  app.add_option("--buffer-bytes", buffer_bytes, "size of each")->capture_default_str();
  bool secure = false;
  auto* tls_flag = app.add_flag("--tls", secure, "clients speak TLS 1.3");
  tls_flag->needs(app.add_option("--chain", chain, "PEM file, for --tls"));
  tls_flag->needs(app.add_option("--key", key, "PEM file, for --tls"));
  CLI11_PARSE(app, argc, argv);
  const int stop = stop_signals();
  auto context = secure ? tls_context(chain, key) : nullptr;
  const int listening = listen_on(parse_address(where));
  announce(listening);
  relay(listening, parse_address(upstream), buffers, buffer_bytes, std::move(context)).run(stop);
  return 0;
}

}  // namespace

}  // namespace rw::bench

int main(int argc, char** argv) { return rw::bench::serve(argc, argv); }
