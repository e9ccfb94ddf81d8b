#include "control/reach.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "config/address.h"
#include "config/url.h"
#include "control/path_walk.h"
#include "control/tune.h"

namespace rw::control {
namespace {

namespace fs = std::filesystem;

void add(std::vector<std::string>& to, const std::string& path) {
  if (!path.empty() && std::ranges::find(to, path) == to.end()) to.push_back(path);
}

// Where links on the way to a file lead to: a deployment changes them, and the next target lies
// beside this one.
void add_targets(std::vector<std::string>& to, const fs::path& directory, const std::string& name) {
  std::error_code failed;
  const fs::path target = fs::read_symlink(directory / name, failed);
  if (failed) return;
  const fs::path beside = fs::weakly_canonical((directory / target).parent_path(), failed);
  if (!failed && beside != beside.root_path()) add(to, beside);
}

// The directory of a file, and those of what links on the way lead to. A file in the root, and
// what is no regular file, stands for itself: all of / or of /dev would be no bound.
void add_way(std::vector<std::string>& to, const std::string& file) {
  fs::path last;
  std::string name;
  walk_to(file, [&](const std::string& directory, const std::string& step) {
    add_targets(to, directory, step);
    last = directory;
    name = step;
    return true;
  });
  if (last.empty()) return;
  struct stat is{};
  const bool there = ::stat((last / name).c_str(), &is) == 0;
  const bool alone = last == last.root_path() || (there && !S_ISREG(is.st_mode));
  add(to, alone ? last / name : last);
}

// What the C library and c-ares look at when they look up a name. Files of others' secrets lie
// beside these, which are kept from everyone but root: so root gets the files alone, as they are.
void add_names(std::vector<std::string>& to) {
  for (const char* one : {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
                          "/etc/passwd", "/etc/group"}) {
    walk_to(one, [&](const std::string& directory, const std::string& step) {
      add_targets(to, directory, step);
      return true;
    });
    std::error_code failed;
    const fs::path is = fs::canonical(one, failed);
    if (!failed) add(to, is);
  }
  if (::geteuid() != 0) add(to, "/etc");
}

void add_port(std::vector<std::uint16_t>& to, const std::string& address) {
  const result<config::address> at = config::parse_address(address);
  if (at && at->what != config::address::kind::unix_path) to.push_back(at->port);
}

void add_port_of_url(std::vector<std::uint16_t>& to, const std::string& url) {
  const result<config::https_url> at = config::parse_https_url(url);
  if (at) to.push_back(at->port);
}

bool lies_in(const std::vector<std::string>& places, const fs::path& what) {
  return std::ranges::any_of(places, [&](const std::string& one) {
    const fs::path place(one);
    return std::mismatch(place.begin(), place.end(), what.begin(), what.end()).first == place.end();
  });
}

}  // namespace

std::vector<std::uint16_t> ports_of(const config::configuration& settings) {
  constexpr std::uint16_t of_names = 53;
  constexpr std::uint16_t of_discovered_keys = 443;
  std::vector<std::uint16_t> found{of_names};
  for (const config::upstream& one : settings.upstreams) {
    for (const config::upstream_server& server : one.servers) add_port(found, server.address);
  }
  if (settings.redis.present) add_port(found, settings.redis.address);
  for (const config::jwt_issuer& one : settings.jwt) {
    if (!one.has_remote_keys()) continue;
    add_port_of_url(found, one.jwks_remote.discover ? one.issuer : one.jwks_remote.url);
    if (one.jwks_remote.discover) found.push_back(of_discovered_keys);
  }
  std::ranges::sort(found);
  const auto same = std::ranges::unique(found);
  found.erase(same.begin(), same.end());
  return found;
}

reach reach_of(const std::string& source, const config::configuration& settings,
               const std::vector<std::string>& files) {
  reach all;
  all.files = files;
  std::error_code failed;
  if (fs::is_directory(source, failed)) {
    add_way(all.reads, source + "/ringward.toml");
  } else if (!source.empty()) {
    add_way(all.reads, source);
  }
  for (const std::string& one : settings.files) add_way(all.reads, one);
  for (const std::string& one : files) add_way(all.reads, one);
  // Which the workers have nothing to do with: the snapshot's files do not have it.
  const config::secret_source& seed = settings.log.audit.sign;
  if (seed.from == config::secret_source::kind::file) add_way(all.reads, seed.name);
  add_way(all.reads, "/etc/ssl/certs/ca-certificates.crt");
  add_names(all.reads);
  for (const char* one : {"/proc", "/sys/fs/cgroup", "/sys/devices/system", "/dev/null",
                          "/dev/urandom", RW_TUNING_DIRECTORY}) {
    add(all.reads, one);
  }
  add(all.reads, tune_places{}.state);
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY")) add(all.reads, credentials);

  const fs::path state = fs::canonical(settings.server.state, failed);
  if (!failed) add(all.writes, state);
  for (const std::string& log : {settings.log.access_path, settings.log.audit.path}) {
    if (!log.starts_with('/')) continue;  // standard output, a daemon, or none
    add_way(all.writes, log);
    all.logs.push_back(log);
  }
  if (settings.admin.socket != "off") {
    add(all.sockets, fs::weakly_canonical(settings.admin.socket, failed).parent_path());
  }
  for (const config::listener& one : settings.listeners) {
    constexpr std::string_view unix_scheme = "unix:";
    if (!one.address.starts_with(unix_scheme)) continue;
    add(all.sockets,
        fs::weakly_canonical(one.address.substr(unix_scheme.size()), failed).parent_path());
  }
  all.ports = ports_of(settings);
  return all;
}

std::vector<std::string> files_out_of_reach(const reach& within,
                                            const std::vector<std::string>& files) {
  std::vector<std::string> lines;
  for (const std::string& one : files) {
    std::error_code failed;
    const fs::path is = fs::weakly_canonical(one, failed);
    // A descriptor of its own is open already: the demo's files.
    const bool is_open = one.starts_with("/proc/self/fd/");
    if (failed || is_open || lies_in(within.reads, is) || lies_in(within.writes, is)) continue;
    lines.push_back(
        fmt::format("{} is not reachable for a locked-down gate: it lies in none of "
                    "the directories that it was started with; that takes `ringward upgrade`",
                    one));
  }
  return lines;
}

std::vector<std::string> ports_out_of_reach(const reach& within,
                                            const std::vector<std::uint16_t>& ports) {
  std::vector<std::string> lines;
  for (const std::uint16_t port : ports) {
    if (std::ranges::binary_search(within.ports, port)) continue;
    lines.push_back(
        fmt::format("port {} is not reachable for a locked-down gate: nothing that it "
                    "was started with is there; that takes `ringward upgrade`",
                    port));
  }
  return lines;
}

}  // namespace rw::control
