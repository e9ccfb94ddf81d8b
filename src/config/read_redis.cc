// [redis]: what several gateways share.
#include "config/address.h"
#include "config/sections.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;

void read_address(table_reader& in, redis& out) {
  constexpr std::string_view tls_scheme = "rediss://";
  std::string written;
  const node* at = in.text("address", written);
  if (at == nullptr) return;
  out.address_at = at->at;
  std::string_view where = written;
  out.has_tls = where.starts_with(tls_scheme);
  if (out.has_tls) where.remove_prefix(tls_scheme.size());
  if (where.contains("://") || where.contains('/') != where.starts_with("unix:")) {
    return in.error(*at, "address",
                    "must be \"host:port\", \"unix:/path\" or \"rediss://host:port\"");
  }
  const auto parsed = parse_address(where);
  if (!parsed) return in.error(*at, "address", parsed.error().text);
  const bool is_path = parsed->what == address::kind::unix_path;
  if (is_path && out.has_tls) {
    return in.error(*at, "address", "a unix socket is not spoken to over TLS");
  }
  if (!is_path && parsed->port == 0) {
    return in.error(*at, "address", "the port must be from 1 to 65535");
  }
  out.address = where;
}

}  // namespace

void read_redis(table_reader& in, redis& out) {
  out.at = out.address_at = out.ca_at = in.at();
  read_address(in, out);
  if (const node* at = in.text("ca", out.ca)) {
    out.ca_at = at->at;
    if (out.ca.empty()) in.error(*at, "ca", "must be \"system\" or the path of a PEM file");
    if (!out.has_tls) in.error(*at, "ca", "is for an address with rediss://, which speaks TLS");
  }
  in.secret("password", out.password);
  in.duration("timeout", out.timeout, {1ms, 10s});
  in.choice("on_loss", out.on_loss, {{"local", redis_loss::local}, {"reject", redis_loss::reject}});
}

}  // namespace rw::config
