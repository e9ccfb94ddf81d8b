#include "control/setup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "auth/key_file.h"
#include "auth/private_key.h"
#include "base/secret.h"
#include "config/load.h"
#include "observe/log.h"
#include "tls/certificate.h"

namespace rw::control {
namespace {

namespace fs = std::filesystem;

// As long as Debian's ssl-cert has it: nothing renews this one.
constexpr std::chrono::hours certificate_lifetime{24 * 3650};
constexpr mode_t secret_mode = 0600;
constexpr gid_t same_group = static_cast<gid_t>(-1);

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

bool sync_directory(const std::string& path) {
  const descriptor at(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return at.get() >= 0 && ::fsync(at.get()) == 0;
}

bool is_missing(const std::string& path) {
  struct stat what{};
  return ::lstat(path.c_str(), &what) != 0 && errno == ENOENT;
}

// A label of letters, digits and hyphens, or several: what a certificate can carry as a name.
bool is_host_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, plain) && !name.contains("..");
}

std::vector<std::string> own_names() {
  std::vector<std::string> names = {"localhost"};
  std::array<char, 256> space{};
  if (::gethostname(space.data(), space.size() - 1) == 0) {
    const std::string name = space.data();
    if (is_host_name(name) && name != names.front()) names.insert(names.begin(), name);
  }
  return names;
}

bool fail(std::string_view what, std::string_view why) {
  observe::log().error(fmt::format("setup: {}: {}", what, why));
  return false;
}

void say(std::string_view text) { observe::log().info(text); }

// What it takes to make each, in the directory of a configuration.
class first_start {
 public:
  first_start(std::string directory, gid_t group) : folder_(std::move(directory)), group_(group) {}

  bool make_certificate() const {
    const std::string tls = in("tls");
    std::error_code code;
    if (!is_missing(tls) && !fs::is_empty(tls, code)) return true;  // somebody's, or not a folder
    const std::vector<std::string> names = own_names();
    const std::array<std::string, 2> addresses = {"127.0.0.1", "::1"};
    const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
    const auto made = tls::make_self_signed(names, addresses, now, certificate_lifetime);
    if (!made) return fail("a certificate", made.error().text);
    // Both or neither: a certificate without its key could not be told from an operator's.
    const std::string fresh = in(".tls.new");
    fs::remove_all(fresh, code);
    if (::mkdir(fresh.c_str(), 0700) != 0) return fail(fresh, std::strerror(errno));
    if (!write(fresh + "/cert.pem", made->chain_pem, 0644) ||
        !write(fresh + "/key.pem", made->key_pem.view(), secret_mode) || !admit_group(fresh) ||
        !sync_directory(fresh) || ::rename(fresh.c_str(), tls.c_str()) != 0) {
      return fail(tls, std::strerror(errno));
    }
    say(fmt::format("made a self-signed certificate for {} in {}/cert.pem", fmt::join(names, ", "),
                    tls));
    return sync_directory(folder_) || fail(folder_, std::strerror(errno));
  }

  bool make_api_key() const {
    const std::string keys = in("api-keys");
    const std::string clear = in("first-api-key");
    if (!is_missing(keys)) return true;
    auto made = auth::generate_key("first");
    if (!made) return fail("an API key", made.error().text);
    // The clear text first: without api-keys it opens nothing, and the next start replaces it.
    made->key += '\n';
    const bool kept = publish(clear, made->key, 0) && publish(keys, made->line + "\n");
    wipe(made->key.data(), made->key.size());
    if (kept) say(fmt::format("made an API key, which is in {}", clear));
    return kept;
  }

  bool make_mint_key() const {
    const std::string path = in("mint.jwk");
    if (!is_missing(path)) return true;
    auto made = auth::generate_private_jwk(auth::algorithm::es256);
    if (!made) return fail("a key for tokens", made.error().text);
    const bool kept = publish(path, *made);
    wipe(made->data(), made->size());
    if (kept) say(fmt::format("made a key to sign tokens with: {}", path));
    return kept;
  }

  std::string in(std::string_view name) const { return fmt::format("{}/{}", folder_, name); }

 private:
  // The group may read what its owner may, and no more.
  bool admit_group(const std::string& path) const {
    if (group_ == same_group) return true;
    return ::chown(path.c_str(), static_cast<uid_t>(-1), group_) == 0 &&
           ::chmod(path.c_str(), 0750) == 0;
  }

  // A new file, whole and on the disk; errno when it is not.
  bool write(const std::string& path, std::string_view text, mode_t mode) const {
    const descriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, secret_mode));
    if (file.get() < 0) return false;
    const bool shared = group_ != same_group;
    return (!shared || ::fchown(file.get(), static_cast<uid_t>(-1), group_) == 0) &&
           ::fchmod(file.get(), shared ? mode | 0040U : mode) == 0 && write_all(file.get(), text) &&
           ::fsync(file.get()) == 0;
  }

  // A secret of the configuration's directory: under its name once it is complete.
  bool publish(const std::string& path, std::string_view text,
               unsigned flags = RENAME_NOREPLACE) const {
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());
    if (write(fresh, text, secret_mode) &&
        ::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), flags) == 0 &&
        sync_directory(folder_)) {
      return true;
    }
    const int why = errno;
    ::unlink(fresh.c_str());
    return fail(path, std::strerror(why));
  }

  std::string folder_;
  gid_t group_;
};

bool names_certificate(const config::configuration& settings, const first_start& start) {
  const auto ours = [&start](const config::certificate& one) {
    return one.chain == start.in("tls/cert.pem") && one.key.name == start.in("tls/key.pem");
  };
  return std::ranges::any_of(settings.listeners, [&](const config::listener& one) {
    return one.has_tls && std::ranges::any_of(one.tls.certificates, ours);
  });
}

bool set_up(const setup_options& options) {
  const config::examined read = config::examine(options.config);
  for (const config::diagnostic& one : read.problems) {
    if (one.severity == config::diagnostic::level::error) {
      fmt::print(stderr, "{}\n", config::to_string(one));
    }
  }
  if (config::has_error(read.problems)) return false;

  gid_t group = same_group;
  if (!options.group.empty()) {
    const struct group* found = ::getgrnam(options.group.c_str());
    if (found == nullptr) return fail(options.group, "there is no such group");
    group = found->gr_gid;
  }
  std::error_code code;
  fs::path folder = fs::path(options.config).lexically_normal();
  if (!fs::is_directory(folder, code)) folder = folder.parent_path();
  if (!folder.has_filename()) folder = folder.parent_path();  // of a slash at its end
  const first_start start(folder.string(), group);
  // Held until this returns.
  const descriptor alone(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (alone.get() < 0 || ::flock(alone.get(), LOCK_EX) != 0) {
    return fail(folder.string(), std::strerror(errno));
  }
  const config::configuration& settings = read.settings;
  bool done = true;
  if (names_certificate(settings, start)) done = start.make_certificate();
  if (settings.has_api_keys && settings.api_keys.file == start.in("api-keys")) {
    done = start.make_api_key() && done;
  }
  if (settings.mint.present && settings.mint.key.name == start.in("mint.jwk")) {
    done = start.make_mint_key() && done;
  }
  return done;
}

}  // namespace

int run_setup(const setup_options& options) { return set_up(options) ? 0 : 1; }

}  // namespace rw::control
