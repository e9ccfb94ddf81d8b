#include "upstream/pool.h"

#include <algorithm>
#include <array>
#include <utility>

#include "upstream/h2_link.h"
#include "upstream/h2_stream.h"

namespace rw::upstream {

connection::connection(io::loop& on, server_pool& to) noexcept
    : socket_(std::in_place, on, -1, origin::upstream), stream(*socket_), pool(to) {}

connection::connection(server_pool& to, std::unique_ptr<h2_stream> one) noexcept
    : carried_(std::move(one)), stream(*carried_), pool(to) {}

connection::~connection() = default;

const tls::codec* connection::codec() const noexcept {
  return carried_ ? carried_->on().tls() : stream.tls();
}

// A server takes all requests of a connection for those of whom it was told.
bool server_pool::is_for(const connection& one, const net::proxy_header& who) const noexcept {
  if (one.announced_by != rules_.send_proxy) return false;
  if (rules_.send_proxy == config::proxy_protocol::off) return true;
  return one.announced.has_addresses == who.has_addresses && one.announced.from == who.from &&
         one.announced.to == who.to;
}

connection_ptr server_pool::take_idle(const net::proxy_header& who) noexcept {
  for (std::size_t i = idle_.size(); i-- > 0;) {
    if (!is_for(*idle_[i], who)) continue;
    connection_ptr one = std::move(idle_[i]);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    // Bytes nobody asked for would be read as the answer to the next request.
    if (one->stream.quiet()) return one;
    unfit_.push_back(std::move(one));
  }
  return nullptr;
}

void server_pool::use_tls(std::shared_ptr<const tls::client_context> how, unsigned worker,
                          const std::string& server_name) {
  const bool same = tls_ && how ? tls_->context()->fingerprint() == how->fingerprint() &&
                                      tls_->server_name() == server_name
                                : !tls_ && !how;
  if (same) return;
  tls_ = how ? std::make_shared<tls::client_target>(std::move(how), worker, server_name) : nullptr;
  for (connection_ptr& one : std::exchange(idle_, {})) unfit_.push_back(std::move(one));
  for (const auto& link : links_) link->drain();
}

connection_ptr server_pool::join(const server& to, bool sends) {
  std::shared_ptr<h2_link> found;
  for (const auto& link : links_) {
    if (link->is_open()) streams_known_ = link->streams_max();
    if (!found && link->takes_more(streams_known_, sends)) found = link;
  }
  const bool fresh = !found;
  if (fresh) {
    found = std::make_shared<h2_link>(of_->loop_, of_->windows_,
                                      h2_terms{.address = to.address,
                                               .address_bytes = to.address_bytes,
                                               .tls = tls_,
                                               .connect = rules_.connect_timeout,
                                               .gap = rules_.gap_timeout,
                                               .streams = rules_.streams,
                                               .requests_max = rules_.requests_per_connection});
    links_.push_back(found);
  }
  auto made = std::make_unique<connection>(*this, std::make_unique<h2_stream>(found));
  made->tls = tls_;
  made->failures = to.failures;
  made->requests = found->requests();
  if (fresh) io::spawn(h2_link::run(std::move(found)), of_->closing_);
  return made;
}

// What is idle for too long, or one too many, or may not be used any more.
void server_pool::sweep_links(mono_time now) {
  std::erase_if(links_, [](const auto& link) { return link->is_over(); });
  idle_links_ = 0;
  for (const auto& link : links_) {
    if (!wanted || !rules_.h2) link->drain();
    if (!link->is_idle()) continue;
    if (now - link->idle_since() >= rules_.idle_timeout || !health_->usable() ||
        idle_links_ == rules_.idle_per_worker) {
      link->end();
    } else {
      ++idle_links_;
    }
  }
}

io::task<result<>> announce(net::stream& to, config::proxy_protocol version,
                            const net::proxy_header& what, mono_time by) {
  if (version == config::proxy_protocol::off) co_return {};
  std::array<char, net::written_proxy_header_max> text;
  const std::size_t size = net::write_proxy_header(version, what, text);
  const result<> sent = co_await to.send({text.data(), size}, by - to.loop().now());
  co_return sent;
}

io::task<result<>> open(connection& one, const server& to, mono_time by) {
  one.tls = one.pool.tls();
  one.failures = to.failures;
  const result<> connected = co_await one.stream.open(to.address, to.address_bytes, by);
  one.connected_at = one.stream.loop().now();
  if (!connected) co_return connected;
  one.announced_by = one.pool.send_proxy();
  const result<> announced = co_await announce(one.stream, one.announced_by, one.announced, by);
  if (!announced || !one.tls) co_return announced;
  const result<> agreed = co_await one.stream.handshake(one.tls, by);
  co_return agreed;
}

void server_pool::give_back(connection_ptr one, mono_time now) {
  const bool worn =
      rules_.requests_per_connection != 0 && one->requests >= rules_.requests_per_connection;
  const bool outdated = one->tls != tls_ || one->announced_by != rules_.send_proxy;
  // With send_proxy those of clients that have gone are never used again: they make room.
  if (rules_.send_proxy != config::proxy_protocol::off && !idle_.empty() &&
      idle_.size() >= rules_.idle_per_worker) {
    unfit_.push_back(std::move(idle_.front()));
    idle_.erase(idle_.begin());
  }
  if (worn || !wanted || outdated || idle_.size() >= rules_.idle_per_worker ||
      !one->stream.rest()) {
    unfit_.push_back(std::move(one));
    return;
  }
  one->idle_since = now;
  idle_.push_back(std::move(one));
}

// What was opened to a server before it was taken out may be dead by the time it comes back.
bool server_pool::expired(const connection& one, mono_time now) const noexcept {
  return !one.stream.quiet() || one.announced_by != rules_.send_proxy ||
         now - one.idle_since >= rules_.idle_timeout || !health_->usable();
}

std::shared_ptr<server_pool> pools::at(const config::upstream& from, const server& to,
                                       const std::shared_ptr<server_health>& health,
                                       unsigned worker) {
  const std::string key = from.name + " " + to.name;
  std::shared_ptr<server_pool>& slot = by_name_[key];
  if (!slot) slot = std::make_shared<server_pool>(to.name, from, health, worker);
  slot->of_ = this;
  slot->rules_ = server_pool::bounds(from);
  if (slot->health_ != health) {  // taken out of the configuration, and now back in it
    slot->counts_->under_way.set(0);
    slot->health_ = health;
    slot->counts_ = &health->counts(worker);
    slot->counts_->under_way.set(slot->in_flight);
  }
  slot->wanted = true;
  return slot;
}

void pools::forget_all() noexcept {
  for (auto& [name, pool] : by_name_) pool->wanted = false;
}

io::task<> pools::close_one(connection_ptr one) {
  // close_notify, which is owed (RFC 8446 6.1): without it servers note an attack. What the server
  // says to that is of no interest.
  if (one->stream.tls() != nullptr) co_await one->stream.finish(one->stream.loop().now());
  co_await one->stream.close();
}

void pools::retire(connection_ptr one) { io::spawn(close_one(std::move(one)), closing_); }

void pools::sweep() {
  const mono_time now = loop_.now();
  for (auto& [name, pool] : by_name_) {
    for (connection_ptr& one : std::exchange(pool->unfit_, {})) retire(std::move(one));
    for (connection_ptr& one : pool->idle_) {
      if (!pool->wanted || pool->expired(*one, now)) retire(std::move(one));
    }
    std::erase(pool->idle_, nullptr);
    pool->sweep_links(now);
    pool->counts_->idle.set(pool->idle_.size() + pool->idle_links_);
  }
  std::erase_if(by_name_, [](const auto& entry) {
    const server_pool& pool = *entry.second;
    const bool used = entry.second.use_count() > 1 || pool.in_flight > 0;
    return !pool.wanted && !used && pool.idle_.empty() && pool.unfit_.empty() &&
           pool.links_.empty();
  });
}

io::task<> pools::close_all() {
  forget_all();
  sweep();
  co_await closing_.empty();
  sweep();  // what has ended meanwhile
}

}  // namespace rw::upstream
