#include "configuration.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/random.h"
#include "config/load.h"
#include "credentials.h"
#include "origin_wire.h"
#include "seeded.h"
#include "tls/certificate.h"
#include "tls/tickets.h"

namespace rw::sim {
namespace {

constexpr const char* first_servers =
    R"({ address = "127.0.0.1:9001" }, { address = "127.0.0.1:9002", weight = 3 },
           { address = "127.0.0.1:9003" })";
constexpr const char* second_servers =
    R"({ address = "127.0.0.1:9003" }, { address = "127.0.0.1:9001" })";

// A file in memory that the gateway can read by its path.
class memory_file {
 public:
  explicit memory_file(std::string_view text) : fd_(::memfd_create("ringward-sim", MFD_CLOEXEC)) {
    const auto size = static_cast<ssize_t>(text.size());
    if (fd_ < 0 || ::fchmod(fd_, 0600) != 0 || ::write(fd_, text.data(), text.size()) != size) {
      std::abort();
    }
  }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;
  ~memory_file() { ::close(fd_); }
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_;
};

tls::self_signed make_pair() {
  // The same one whatever the seed: a run alone has to be the run among others.
  seed_random(1);
  const std::array<std::string, 1> names = {"sim.example"};
  const auto now = wall_time{std::chrono::seconds{1'700'000'000}};
  auto made = tls::make_self_signed(names, {}, now, std::chrono::hours{24 * 365});
  if (!made) std::abort();
  return std::move(*made);
}

struct key_files {
  explicit key_files(const tls::self_signed& pair, const key_ring& ring)
      : chain(pair.chain_pem),
        key(pair.key_pem.view()),
        keys(ring.keys),
        fewer_keys(ring.fewer_keys),
        issuer(ring.issuer_keys),
        mint(ring.mint_key) {}
  memory_file chain;
  memory_file key;
  memory_file keys;
  memory_file fewer_keys;
  memory_file issuer;
  memory_file mint;
  memory_file authorities{greeting_authorities()};
};

const key_files& files() {
  static const key_files made(make_pair(), ring_of_keys());
  return made;
}

// budgets.cc has them again.
constexpr const char* limits_text = R"(
[[limit]]
name = "few"
by = "client.ip"
rate = "2/s"
burst = 2
capacity = 1024

[[limit]]
name = "all"
by = "route"
rate = "4/s"
burst = 5
capacity = 1024

[[limit]]
name = "caller"
by = "identity"
rate = "30/m"
burst = 2
capacity = 1024
)";

// Who may come in where: the same in both configurations, but for one key.
std::string auth_text(const key_files& keys, bool second) {
  return fmt::format(R"(
[auth.api_keys]
file = "{0}"

[auth.jwt.sim]
issuer = "https://sim"
audiences = ["sim"]
jwks = {{ file = "{1}" }}
leeway = "0s"

[auth.mint]
key = {{ file = "{2}" }}
issuer = "https://own"
audience = "own"
ttl = "5s"

[auth.jwt.own]
issuer = "https://own"
audiences = ["own"]
jwks = {{ mint = true }}
leeway = "0s"

[[route]]
name = "keys"
path_prefix = "/keys"
upstream = "any"
auth = ["api_keys"]
limits = ["few", "caller"]

[[route]]
name = "tokens"
path_prefix = "/tokens"
upstream = "any"
auth = ["jwt:sim"]
limits = ["caller"]

[[route]]
name = "either"
path_prefix = "/either"
upstream = "any"
auth = ["api_keys", "jwt:sim", "jwt:own"]
limits = ["few", "all", "caller"]

[[route]]
name = "mint"
path_prefix = "/mint"
action = "mint"
auth = ["api_keys"]
limits = ["caller"]
)",
                     second ? keys.fewer_keys.path() : keys.keys.path(), keys.issuer.path(),
                     keys.mint.path());
}

std::string listeners_text(const key_files& keys) {
  return fmt::format(R"(
[log]
access = {{ path = "-" }}

[admin]
socket = "off"
address = "off"

[[listener]]
name = "plain"
address = "127.0.0.1:8080"
protocols = ["http/1.1"]
  [listener.timeouts]
  head = "2s"
  body_gap = "3s"
  write_gap = "3s"
  keepalive = "5s"

[[listener]]
name = "tls"
address = "127.0.0.1:8443"
protocols = ["http/1.1"]
  [listener.timeouts]
  handshake = "3s"
  head = "2s"
  body_gap = "3s"
  write_gap = "3s"
  keepalive = "5s"
  [listener.tls]
  certificates = [{{ chain = "{0}", key = {{ file = "{1}" }} }}]
)",
                     keys.chain.path(), keys.key.path());
}

std::string tls_text(bool tls) {
  if (!tls) return {};
  return fmt::format("[upstream.tls]\nca = \"{}\"\nserver_name = \"{}\"\n",
                     files().authorities.path(), greeting_name);
}

std::string open_routes_text(bool second, bool tls) {
  return fmt::format(R"(
[[upstream]]
name = "any"
servers = [{0}]
  {3}
  [upstream.timeouts]
  connect = "{4}"
  first_byte = "4s"
  gap = "4s"
  total = "{1}"
  [upstream.pool]
  idle_timeout = "5s"
  idle_per_worker = 3
  requests_per_connection = 7
  [upstream.health]
  eject_after = 2
  eject_for = "3s"
  slow_start = "2s"

[[upstream]]
name = "{2}"
servers = [{{ address = "127.0.0.1:9004" }}]
  {3}
  [upstream.timeouts]
  connect = "{4}"
  first_byte = "4s"
  gap = "4s"
  [upstream.pool]
  max_requests_in_flight = 2
  queue = 20
  queue_timeout = "15s"

[[route]]
name = "fixed"
path_prefix = "/fixed"
action = "respond"
status = 200
type = "text/plain"
body = "a fixed answer\n"
auth = []

[[route]]
name = "limited"
path_prefix = "/limited"
upstream = "any"
auth = []
limits = ["few"]

[[route]]
name = "other"
path_prefix = "/other"
upstream = "{2}"
auth = []
max_body = "64KiB"

[[route]]
name = "any"
path_prefix = "/"
upstream = "any"
auth = []
)",
                     second ? second_servers : first_servers, second ? "8s" : "off",
                     second ? "elsewhere" : "other", tls_text(tls), tls ? "2s" : "1s");
}

std::shared_ptr<const gateway::snapshot> refused(const config::diagnostics& why) {
  for (const config::diagnostic& one : why) ADD_FAILURE() << config::to_string(one);
  return nullptr;
}

}  // namespace

void prepare_configurations() {
  random_init();
  prepare_greetings();
  files();
}

std::shared_ptr<const gateway::snapshot> configurations::next() {
  const bool second = made_.size() % 2 == 1;
  const std::string text = limits_text + listeners_text(files()) + auth_text(files(), second) +
                           open_routes_text(second, tls_);
  auto loaded = config::parse(text, "sim.toml");
  if (!loaded) return refused(loaded.error());
  gateway::snapshot_context with;
  with.workers = workers_;
  with.previous = made_.empty() ? nullptr : made_.back().get();
  if (with.previous != nullptr) with.keys_before = &with.previous->auth;
  with.generation = made_.size() + 1;
  with.labels = &labels_;
  with.tickets = tickets_;
  with.now = wall_time{std::chrono::seconds{1'700'000'000}};
  auto made = gateway::make_snapshot(std::move(loaded->settings), with);
  if (!made) return refused(made.error());
  made_.push_back(made->state);
  return made->state;
}

}  // namespace rw::sim
