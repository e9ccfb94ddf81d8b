#include "control/resolver.h"

#include <ares.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "base/assert.h"
#include "control/resolv_options.h"
#include "net/address.h"

namespace rw::control {
namespace {

bool is_ipv4(const config::ip16& ip) noexcept {
  constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(mapped.begin(), mapped.end(), ip.begin());
}

bool is_usable(const config::ip16& ip) noexcept {
  if (is_ipv4(ip)) return ip[12] != 0 && ip[12] < 224;
  const bool is_any = std::ranges::all_of(ip, [](std::uint8_t one) { return one == 0; });
  const bool is_link_local = ip[0] == 0xfe && (ip[1] & 0xc0U) == 0x80;
  return !is_any && !is_link_local && ip[0] != 0xff;
}

// Whether the machine knows a way there; nothing is sent. Port 9 is as good as any.
bool has_route(const config::ip16& ip) noexcept {
  const config::address to = net::to_socket_address(ip, 9);
  const int fd = ::socket(to.socket.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool connected = ::connect(fd, to.raw(), to.length) == 0;
  ::close(fd);
  return connected;
}

// Most names have AAAA by now and many machines no IPv6: a family without a route would be servers
// that fail for ever. Kept where nothing else is left: then the network is down, not the family.
void drop_family_without_route(std::vector<config::ip16>& found) {
  const auto reachable = [&](bool v4) {
    return std::ranges::any_of(
        found, [v4](const config::ip16& ip) { return is_ipv4(ip) == v4 && has_route(ip); });
  };
  const bool v4 = reachable(true);
  const bool v6 = reachable(false);
  if (v4 != v6) std::erase_if(found, [v4](const config::ip16& ip) { return is_ipv4(ip) != v4; });
}

bool has_family(const std::vector<config::ip16>& all, bool v4) noexcept {
  return std::ranges::any_of(all, [v4](const config::ip16& ip) { return is_ipv4(ip) == v4; });
}

void add_family(std::vector<config::ip16>& to, const std::vector<config::ip16>& from, bool v4) {
  std::ranges::copy_if(from, std::back_inserter(to),
                       [v4](const config::ip16& ip) { return is_ipv4(ip) == v4; });
}

// RFC 6761 6.3: no name server is asked for it.
bool is_localhost(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name == "localhost" || name.ends_with(".localhost");
}

resolved here(std::vector<config::ip16> addresses) {
  resolved made;
  made.addresses = std::move(addresses);
  made.ttl = resolver::ttl_max;
  made.local = true;
  return made;
}

error stopping() noexcept {
  return {fault::canceled, origin::local, false, 0, "the gate is stopping"};
}

error to_error(int status) noexcept {
  const auto made = [](fault code, const char* text) {
    return error{code, origin::local, true, 0, text};
  };
  switch (status) {
    case ARES_ENOTFOUND:
      return made(fault::not_found, "no such host name");
    case ARES_ENODATA:
      return made(fault::not_found, "the name has no address");
    case ARES_ESERVFAIL:
      return made(fault::unreachable, "the name server failed (SERVFAIL)");
    case ARES_EREFUSED:
      return made(fault::unreachable, "the name server refused");
    case ARES_ETIMEOUT:
      return made(fault::timed_out, "no name server answered");
    case ARES_ECONNREFUSED:
      return made(fault::refused, "all name servers failed (SERVFAIL), refused, or are not there");
    case ARES_EBADRESP:
    case ARES_EFORMERR:
      return made(fault::malformed, "the name server's answer is malformed");
    case ARES_ENOMEM:
      return made(fault::exhausted, "no memory is left");
    default:
      return made(fault::system, "the name could not be looked up");
  }
}

}  // namespace

std::vector<config::ip16> tidy(std::vector<config::ip16> found) {
  std::erase_if(found, [](const config::ip16& ip) { return !is_usable(ip); });
  std::ranges::sort(found);
  const auto doubled = std::ranges::unique(found);
  found.erase(doubled.begin(), doubled.end());
  if (found.size() > resolver::addresses_max) found.resize(resolver::addresses_max);
  return found;
}

nanoseconds bounded_ttl(std::chrono::seconds said) noexcept {
  return std::clamp<nanoseconds>(said, resolver::ttl_min, resolver::ttl_max);
}

// One name and one channel. Lives in the frame of resolve().
class resolver::lookup {
 public:
  lookup(io::loop& on, std::list<lookup*>& all) : loop_(on), all_(all) {
    at_ = all_.insert(all_.end(), this);
  }
  ~lookup() {
    RW_ASSERT(channel_ == nullptr && sockets_.empty());
    all_.erase(at_);
  }
  lookup(const lookup&) = delete;
  lookup& operator=(const lookup&) = delete;

  void start(const std::string& name, families which, mono_time by);
  // Once there is an answer, or none to be expected any more.
  auto done() noexcept {
    struct awaiter {
      lookup& one;
      bool await_ready() const noexcept { return one.done_; }
      void await_suspend(std::coroutine_handle<> awaiting) noexcept { one.awaiting_ = awaiting; }
      void await_resume() const noexcept {}
    };
    return awaiter{*this};
  }
  // Before it goes: closes the channel. Then gone() waits for what the kernel still has.
  void close() noexcept;
  auto gone() noexcept { return polls_.empty(); }

  void finish(result<resolved> what);
  result<resolved>& outcome() noexcept { return outcome_; }

 private:
  struct socket;
  struct clock : io::timer {
    clock(lookup& one, io::timer::handler on_expiry) noexcept : timer(on_expiry), of(one) {}
    lookup& of;
  };

  static void on_socket_state(void* self, ares_socket_t fd, int reads, int writes);
  static void on_answer(void* self, int status, int, ares_addrinfo* found);
  static void on_ready(io::operation& op, io::completion what);
  static void on_tick(io::timer& timer);
  static void on_too_late(io::timer& timer);
  void want(int fd, std::uint32_t events);
  void process(int reads, int writes);
  void poll(socket& one);

  io::loop& loop_;
  std::list<lookup*>& all_;
  std::list<lookup*>::iterator at_;
  ares_channel channel_ = nullptr;
  std::list<socket> sockets_;
  io::gate polls_;
  clock tick_{*this, &on_tick};
  clock deadline_{*this, &on_too_late};
  std::coroutine_handle<> awaiting_;
  result<resolved> outcome_;
  bool asked_a_server_ = false;
  bool done_ = false;
};

// What c-ares wants to know of a descriptor of its own. Stays after that is closed until the
// kernel has said its last word about it.
struct resolver::lookup::socket : io::operation {
  socket(lookup& one, int its) noexcept : operation(&on_ready), of(one), fd(its) {
    of.polls_.enter();
  }
  lookup& of;
  int fd;
  std::uint32_t wanted = 0;  // events; 0: c-ares has closed it
  std::uint32_t polled = 0;
};

void resolver::lookup::start(const std::string& name, families which, mono_time by) {
  const resolv_options said = machine_resolv_options();
  ares_options options{};
  options.timeout = static_cast<int>(std::chrono::milliseconds(said.timeout).count());
  options.tries = said.attempts;
  options.sock_state_cb = &on_socket_state;
  options.sock_state_cb_data = this;
  int chosen = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  char files_only[] = "f";
  char servers_only[] = "b";
  options.lookups = which == families::both ? files_only : servers_only;
  if (which != families::both || is_localhost(name)) chosen |= ARES_OPT_LOOKUPS;
#ifdef ARES_OPT_QUERY_CACHE
  chosen |= ARES_OPT_QUERY_CACHE;  // with 0 for its longest time: none. Whoever asks keeps answers
#endif
  const int made = ares_init_options(&channel_, &options, chosen);
  if (made != ARES_SUCCESS) {
    channel_ = nullptr;
    return finish(failure(to_error(made)));
  }
  loop_.timers().arm(deadline_, by);
  ares_addrinfo_hints hints{};
  hints.ai_family = which == families::both ? AF_UNSPEC
                    : which == families::v4 ? AF_INET
                                            : AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &on_answer, this);
  process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void resolver::lookup::close() noexcept {
  tick_.disarm();
  deadline_.disarm();
  done_ = true;
  if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
}

void resolver::lookup::finish(result<resolved> what) {
  if (std::exchange(done_, true)) return;
  outcome_ = std::move(what);
  // Not from here: c-ares may be among our callers, and the one that waits takes it apart.
  if (awaiting_) loop_.defer(awaiting_);
}

void resolver::lookup::process(int reads, int writes) {
  ares_process_fd(channel_, reads, writes);
  timeval room{};
  if (ares_timeout(channel_, nullptr, &room) == nullptr) return tick_.disarm();
  const nanoseconds left =
      std::chrono::seconds(room.tv_sec) + std::chrono::microseconds(room.tv_usec);
  loop_.timers().arm(tick_, loop_.kernel().now() + left);
}

void resolver::lookup::on_answer(void* self, int status, int, ares_addrinfo* found) {
  lookup& one = *static_cast<lookup*>(self);
  if (status != ARES_SUCCESS || one.done_) {
    if (found != nullptr) ares_freeaddrinfo(found);
    return one.finish(failure(to_error(status)));
  }
  std::vector<config::ip16> all;
  std::chrono::seconds ttl = ttl_max;
  for (const ares_addrinfo_node* at = found->nodes; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    sockaddr_storage copy{};
    std::memcpy(&copy, at->ai_addr, std::min<std::size_t>(at->ai_addrlen, sizeof copy));
    all.push_back(net::to_endpoint(copy).ip);
    ttl = std::min(ttl, std::chrono::seconds(at->ai_ttl));
  }
  for (const ares_addrinfo_cname* at = found->cnames; at != nullptr; at = at->next) {
    ttl = std::min(ttl, std::chrono::seconds(at->ttl));
  }
  resolved made;
  if (found->name != nullptr) made.name = found->name;
  ares_freeaddrinfo(found);
  made.local = !one.asked_a_server_;
  made.addresses = tidy(std::move(all));
  made.ttl = made.local ? ttl_max : bounded_ttl(ttl);  // files have no TTL, and are watched
  if (made.addresses.empty()) return one.finish(failure(to_error(ARES_ENODATA)));
  one.finish(std::move(made));
}

void resolver::lookup::on_socket_state(void* self, ares_socket_t fd, int reads, int writes) {
  lookup& one = *static_cast<lookup*>(self);
  one.asked_a_server_ = true;
  const auto events =
      static_cast<std::uint32_t>((reads != 0 ? POLLIN : 0) | (writes != 0 ? POLLOUT : 0));
  one.want(fd, events);
}

// The kernel may give a new socket the number of one that c-ares has just closed.
void resolver::lookup::want(int fd, std::uint32_t events) {
  const auto known =
      std::ranges::find_if(sockets_, [fd](const socket& s) { return s.fd == fd && s.wanted != 0; });
  if (known != sockets_.end()) {
    known->wanted = events;
    // One that is not in flight is in the hands of on_ready().
    if (known->in_flight() && known->polled != events) loop_.kernel().cancel(*known);
  } else if (events != 0) {
    socket& made = sockets_.emplace_back(*this, fd);
    made.wanted = events;
    poll(made);
  }
}

void resolver::lookup::poll(socket& one) {
  one.polled = one.wanted;
  loop_.kernel().poll(one, one.fd, one.wanted);
}

void resolver::lookup::on_ready(io::operation& op, io::completion what) {
  socket& one = static_cast<socket&>(op);
  lookup& self = one.of;
  if (one.wanted != 0 && what.result != -ECANCELED) {
    constexpr std::uint32_t trouble = POLLERR | POLLHUP;
    const auto got = what.result > 0 ? static_cast<std::uint32_t>(what.result) : trouble;
    self.process((got & (POLLIN | trouble)) != 0 ? one.fd : ARES_SOCKET_BAD,
                 (got & (POLLOUT | trouble)) != 0 ? one.fd : ARES_SOCKET_BAD);
  }
  if (one.wanted != 0) return self.poll(one);
  self.sockets_.remove_if([&one](const socket& s) { return &s == &one; });
  self.polls_.leave();  // may be the end of the lookup
}

void resolver::lookup::on_tick(io::timer& timer) {
  static_cast<clock&>(timer).of.process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void resolver::lookup::on_too_late(io::timer& timer) {
  static_cast<clock&>(timer).of.finish(
      failure({fault::timed_out, origin::local, true, 0, "no name server answered in time"}));
}

resolver::resolver(io::loop& on) : loop_(on) { ares_library_init(ARES_LIB_INIT_ALL); }

resolver::~resolver() {
  RW_ASSERT(under_way_.empty());
  ares_library_cleanup();
}

void resolver::end() noexcept {
  ended_ = true;
  for (lookup* one : under_way_) one->finish(failure(stopping()));
}

io::task<result<resolved>> resolver::ask(std::string name, families which, mono_time by) {
  lookup one(loop_, under_way_);
  if (ended_) {
    one.finish(failure(stopping()));
  } else {
    one.start(name, which, by);
  }
  co_await one.done();
  one.close();
  co_await one.gone();
  co_return std::move(one.outcome());
}

io::task<result<resolved>> resolver::resolve(std::string_view name, mono_time by,
                                             const std::vector<config::ip16>& known) {
  config::ip16 literal{};
  if (!ended_ && net::parse_ip(name, literal)) co_return here({literal});
  result<resolved> got = co_await ask(std::string(name), families::both, by);
  if (!got && got.error().code != fault::canceled && is_localhost(name)) {
    config::ip16 v4{};
    config::ip16 v6{};
    net::parse_ip("127.0.0.1", v4);
    net::parse_ip("::1", v6);
    co_return here({v6, v4});
  }
  if (!got) co_return got;
  for (const bool v4 : {true, false}) {
    if (got->local || has_family(got->addresses, v4) || !has_family(known, v4)) continue;
    // The final dot: no search domain may have it that did not have the other family.
    std::string complete = got->name.empty() ? std::string(name) : got->name;
    if (!complete.ends_with('.')) complete += '.';
    const result<resolved> rest =
        co_await ask(std::move(complete), v4 ? families::v4 : families::v6, by);
    if (rest) {
      add_family(got->addresses, rest->addresses, v4);
    } else if (rest.error().code == fault::canceled) {
      co_return failure(rest.error());
    } else if (rest.error().code != fault::not_found) {
      add_family(got->addresses, known, v4);
      got->kept = rest.error().text;
    }
  }
  got->addresses = tidy(std::move(got->addresses));
  drop_family_without_route(got->addresses);
  co_return got;
}

}  // namespace rw::control
