// Keep-alive connections of one worker, by server.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "http/h2_window.h"
#include "io/task.h"
#include "net/proxy_header.h"
#include "net/stream.h"
#include "tls/client_context.h"
#include "upstream/health.h"
#include "upstream/server.h"

namespace rw::upstream {

class h2_link;
class h2_stream;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final
class pools;
class server_pool;

// A connection to a server, held by one exchange at a time or idle in its pool; or one of the
// streams of a connection that speaks HTTP/2.
struct connection {
  connection(io::loop& on, server_pool& to) noexcept;
  connection(server_pool& to, std::unique_ptr<h2_stream> one) noexcept;
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // Null but for a stream of HTTP/2's.
  h2_stream* carried() const noexcept { return carried_.get(); }
  // Of the connection that it is, or is carried by; null: plain.
  const tls::codec* codec() const noexcept;

 private:
  std::optional<net::stream> socket_;
  std::unique_ptr<h2_stream> carried_;

 public:
  net::stream& stream;
  server_pool& pool;
  std::shared_ptr<tls::client_target> tls;       // what it was opened with
  std::shared_ptr<handshake_failures> failures;  // of its server
  net::proxy_header announced;                   // with upstream.send_proxy: whom it is for
  config::proxy_protocol announced_by = config::proxy_protocol::off;
  std::uint64_t requests = 0;  // sent on it, the present one included
  mono_time idle_since;
  mono_time connected_at;  // before the TLS handshake, where there is one
};

// What upstream.send_proxy has to say, where it has; nothing was sent before it.
io::task<result<>> announce(net::stream& to, config::proxy_protocol version,
                            const net::proxy_header& what, mono_time by);

// Opens `one` to its pool's server, up to and with the TLS handshake where TLS is spoken; all of it
// `by` then. A failure with `one.stream.tls()` set is one of the handshake. Nothing of a request
// has been sent.
io::task<result<>> open(connection& one, const server& to, mono_time by);

using connection_ptr = std::unique_ptr<connection>;

// What one worker knows of one server. Connections are used last in, first out: the warm ones stay
// warm and the others grow old.
class server_pool {
 public:
  server_pool(std::string name, const config::upstream& rules,
              std::shared_ptr<server_health> health, unsigned worker)
      : name_(std::move(name)),
        rules_(rules),
        health_(std::move(health)),
        counts_(&health_->counts(worker)) {}

  // An idle connection that its server has neither closed nor sent anything on, and that with
  // send_proxy was opened for the same client; null when there is none. Ones found dead stay behind
  // for sweep().
  connection_ptr take_idle(const net::proxy_header& who = {}) noexcept;
  // A connection on which another request may follow. The pool closes it sooner or later.
  void give_back(connection_ptr one, mono_time now);

  bool speaks_h2() const noexcept { return rules_.h2; }
  // Of a server that speaks HTTP/2: a stream of a connection that has room for one, or of a new one
  // (`requests` is 1), which begins to open now: see h2_stream::opened(). `sends`: a body, which
  // nobody's who leaves the window of a whole connection shut is to wait for.
  connection_ptr join(const server& to, bool sends = false);

  // From now on its connections speak TLS as `how` says, or plainly when that is null. What was
  // made under other terms is closed: connections and sessions that a certificate was shown for
  // which might not do any more. `worker`: the index of this one.
  void use_tls(std::shared_ptr<const tls::client_context> how, unsigned worker,
               const std::string& server_name);
  const std::shared_ptr<tls::client_target>& tls() const noexcept { return tls_; }
  config::proxy_protocol send_proxy() const noexcept { return rules_.send_proxy; }

  // An exchange of this worker begins here, before there is a connection, and ends.
  void enter() noexcept {
    counts_->under_way.set(++in_flight);
    counts_->requests.add();
  }
  void leave() noexcept { counts_->under_way.set(--in_flight); }

  const std::string& name() const noexcept { return name_; }
  std::size_t idle() const noexcept { return idle_.size(); }
  server_counts& counts() noexcept { return *counts_; }

  unsigned in_flight = 0;  // exchanges of this worker under way here
  bool wanted = true;      // part of the present configuration

 private:
  friend class pools;
  // Of the configuration, so much: a pool may outlive it, and there may be many.
  struct bounds {
    explicit bounds(const config::upstream& from) noexcept
        : h2(from.protocol == config::upstream_protocol::h2),
          streams(from.streams_per_connection),
          connect_timeout(from.connect_timeout),
          gap_timeout(from.gap_timeout),
          send_proxy(from.send_proxy),
          requests_per_connection(from.requests_per_connection),
          idle_per_worker(from.idle_per_worker),
          idle_timeout(from.idle_timeout) {}
    bool h2;
    std::uint32_t streams;  // of one connection, at once
    nanoseconds connect_timeout;
    nanoseconds gap_timeout;
    config::proxy_protocol send_proxy;
    std::uint64_t requests_per_connection;  // 0: without end
    std::size_t idle_per_worker;
    nanoseconds idle_timeout;
  };
  bool is_for(const connection& one, const net::proxy_header& who) const noexcept;
  bool expired(const connection& one, mono_time now) const noexcept;
  void sweep_links(mono_time now);

  std::string name_;
  bounds rules_;
  std::shared_ptr<server_health> health_;
  server_counts* counts_;                    // in health_
  std::shared_ptr<tls::client_target> tls_;  // null: plain
  std::vector<connection_ptr> idle_;         // oldest first
  std::vector<connection_ptr> unfit_;        // to be closed by the next sweep
  pools* of_ = nullptr;
  std::vector<std::shared_ptr<h2_link>> links_;  // oldest first
  std::uint32_t streams_known_ = UINT32_MAX;     // that the server has on a connection
  std::size_t idle_links_ = 0;
};

// All servers of one worker. Of its thread.
class pools {
 public:
  // `windows`: what the streams of HTTP/2 grow by; it outlives all use of this.
  pools(io::loop& on, http::window_pool& windows) noexcept : loop_(on), windows_(windows) {}

  // The pool for `to` as used by `from`; made when there is none. A sweep forgets it once the
  // present configuration does not want it, nobody holds it, and none of its connections is left.
  // `worker` is the index of this one.
  std::shared_ptr<server_pool> at(const config::upstream& from, const server& to,
                                  const std::shared_ptr<server_health>& health, unsigned worker);
  // After a reload, before at() is called for everything the new configuration names.
  void forget_all() noexcept;

  // Closes what is dead, too old, or belongs to servers that are gone. About once a second.
  void sweep();
  std::size_t size() const noexcept { return by_name_.size(); }
  // One that no request may follow on: it is told the end, where that takes a word, and closed.
  // Nobody waits for it.
  void retire(connection_ptr one);
  // Closes everything idle and waits until all that was being closed is.
  io::task<> close_all();

 private:
  friend class server_pool;
  static io::task<> close_one(connection_ptr one);

  io::loop& loop_;
  http::window_pool& windows_;
  io::gate closing_;
  std::unordered_map<std::string, std::shared_ptr<server_pool>> by_name_;
};

}  // namespace rw::upstream
