#include "control/demo.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/key_file.h"
#include "auth/private_key.h"
#include "config/address.h"
#include "control/crash_report.h"
#include "control/demo_origin.h"
#include "control/process.h"
#include "tls/certificate.h"

namespace rw::control {
namespace {

constexpr std::chrono::hours certificate_lifetime{24 * 365};

// A file that has a path but is nowhere: gone with the process, readable by nobody else.
class memory_file {
 public:
  memory_file(const char* name, std::string_view text) : fd_(::memfd_create(name, MFD_CLOEXEC)) {
    ::fchmod(fd_, 0600);
    [[maybe_unused]] const ssize_t wrote = ::write(fd_, text.data(), text.size());
    path_ = fmt::format("/proc/self/fd/{}", fd_);
  }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;
  ~memory_file() { ::close(fd_); }
  const std::string& path() const noexcept { return path_; }

 private:
  int fd_;
  std::string path_;
};

constexpr std::string_view configuration = R"([server]
drain_timeout = "2s"
[log]
access = {{ path = "-", format = "json" }}
[admin]
socket = "off"
address = "off"
[[listener]]
name = "https"
address = "{address}"
max_connections = 400
  [listener.tls]
  certificates = [{{ chain = "{chain}", key = {{ file = "{key}" }} }}]
[auth.api_keys]
file = "{keys}"
[auth.mint]
key = {{ file = "{mint}" }}
issuer = "https://demo.ringward"
audience = "demo"
ttl = "1h"
[auth.jwt.demo]
issuer = "https://demo.ringward"
audiences = ["demo"]
jwks = {{ mint = true }}
[[limit]]
name = "per-address"
by = "client.ip"
rate = "50/s"
burst = 100
[[limit]]
name = "per-caller"
by = "identity"
rate = "5/s"
burst = 10
[[upstream]]
name = "origin"
servers = [{{ address = "{origin}" }}]
[[route]]
name = "token"
path = "/token"
methods = ["POST"]
action = "mint"
auth = ["api_keys"]
limits = ["per-address", "per-caller"]
[[route]]
name = "health"
path = "/health"
upstream = "origin"
auth = []
limits = ["per-address"]
[[route]]
name = "api"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys", "jwt:demo"]
limits = ["per-address", "per-caller"]
)";

void print_tour(std::string_view url, std::string_view key) {
  fmt::print(
      "\n"
      "A gate is open on {0}, with an origin behind it. Its certificate is its own,\n"
      "made just now: hence -k. Paste these into another terminal:\n"
      "\n"
      "  # allowed, with the API key\n"
      "  curl -k {0}/ -H 'x-api-key: {1}'\n"
      "\n"
      "  # an hour's token for the key\n"
      "  TOKEN=$(curl -sk -X POST {0}/token -H 'x-api-key: {1}' | sed "
      "'s/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')\n"
      "\n"
      "  # allowed, with the token; a stream of events\n"
      "  curl -k {0}/ -H \"authorization: Bearer $TOKEN\"\n"
      "  curl -kN {0}/stream -H \"authorization: Bearer $TOKEN\"\n"
      "\n"
      "  # refused, with neither\n"
      "  curl -ki {0}/\n"
      "\n"
      "  # limited, when hammered: ten at once, then five a second\n"
      "  for i in $(seq 20); do curl -sko /dev/null -w '%{{http_code}} ' {0}/ -H 'x-api-key: {1}'; "
      "done; echo\n"
      "\n"
      "Ctrl-C ends it. One line per request follows.\n\n",
      url, key);
  std::fflush(stdout);
}

}  // namespace

int run_demo(const demo_options& options) {
  report_crashes();
  hold_signals();
  const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  const std::array<std::string, 1> names = {"localhost"};
  const std::array<std::string, 2> addresses = {"127.0.0.1", "::1"};
  const auto certificate = tls::make_self_signed(names, addresses, now, certificate_lifetime);
  const auto key = auth::generate_key("demo");
  const auto mint = auth::generate_private_jwk(auth::algorithm::es256);
  const auto origin = demo_origin::open();
  if (!certificate || !key || !mint || !origin) {
    fmt::print(stderr, "ringward: error: the demo cannot start: {}\n",
               !certificate ? certificate.error().text
               : !key       ? key.error().text
               : !mint      ? mint.error().text
                            : origin.error().text);
    return 1;
  }
  const memory_file chain("chain", certificate->chain_pem);
  const memory_file certificate_key("key", certificate->key_pem.view());
  const memory_file keys("api-keys", key->line + "\n");
  const memory_file mint_key("mint", *mint);

  process gate(
      {"", fmt::format(configuration, fmt::arg("address", options.address),
                       fmt::arg("chain", chain.path()), fmt::arg("key", certificate_key.path()),
                       fmt::arg("keys", keys.path()), fmt::arg("mint", mint_key.path()),
                       fmt::arg("origin", (*origin)->address()))});
  gate.make_readable();
  if (!gate.start()) return 1;
  // Its thread comes after the gate has locked the process down, and before run() locks its rings.
  if (const result<> begun = (*origin)->start(); !begun) {
    fmt::print(stderr, "ringward: error: the demo cannot start: {}\n", begun.error().text);
    return 1;
  }
  print_tour(fmt::format("https://{}", gate.listening_on()), key->key);
  return gate.run();
}

}  // namespace rw::control
