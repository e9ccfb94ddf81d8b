#include "control/import.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <vector>

#include "auth/key_set.h"
#include "base/secret.h"
#include "config/address.h"
#include "config/load.h"
#include "control/import_env.h"
#include "control/import_folder.h"
#include "control/import_jwks.h"
#include "control/import_keys.h"
#include "control/import_settings.h"
#include "control/import_toml.h"
#include "gateway/snapshot_files.h"

namespace rw::control {
namespace {

constexpr const char* env_name = ".env";
constexpr const char* key_file_name = "api_keys.txt";
constexpr const char* key_set_name = "jwks.json";
constexpr std::size_t key_file_bytes_max = 16U << 20U;
constexpr unsigned secret_mode = 0600;
constexpr unsigned public_mode = 0644;

// Chains and keys as certbot, Kubernetes and people name them.
constexpr std::array<std::array<const char*, 2>, 4> certificate_names{
    {{"fullchain.pem", "privkey.pem"},
     {"cert.pem", "key.pem"},
     {"server.crt", "server.key"},
     {"tls.crt", "tls.key"}}};

void wipe_text(std::string& text) noexcept { wipe(text.data(), text.size()); }

int fail(std::string_view why) {
  fmt::print(stderr, "ringward: error: {}\n", why);
  return 1;
}

class importing {
 public:
  importing(const import_options& options, old_folder from) : from_(std::move(from)) {
    plan_.from = from_.path();
    plan_.origin = options.origin;
  }
  importing(const importing&) = delete;
  importing& operator=(const importing&) = delete;
  ~importing() {
    wipe_text(keys_.text);
    wipe_text(split_.mint_key);
    wipe_text(plan_.settings.github_token.value);
    for (old_key& one : plan_.settings.keys) wipe_text(one.text);
  }

  bool read() {
    bool found = read_env_file();
    found |= read_key_set();
    found |= read_keys();
    find_certificate();
    return found;
  }

  std::expected<void, std::string> write(new_folder& to) {
    plan_.folder = to.path();
    const std::string toml = write_toml(plan_, notes_);
    // What would not be accepted is never left behind.
    if (const auto loaded = config::parse(toml, imported_toml); !loaded) {
      return std::unexpected("the configuration made of this would not be accepted: " +
                             config::to_string(loaded.error().front()));
    }
    struct file {
      const char* name;
      std::string_view text;
      unsigned mode;
      bool needed;
    };
    const file files[] = {
        {imported_toml, toml, public_mode, true},
        {imported_keys_file, keys_.text, secret_mode, true},
        {imported_key_set, split_.public_set, public_mode, false},
        {imported_mint_key, split_.mint_key, secret_mode, false},
        {imported_github_token, plan_.settings.github_token.value, secret_mode, false},
    };
    for (const file& one : files) {
      if (one.text.empty() && !one.needed) continue;
      if (auto done = to.write(one.name, one.text, one.mode); !done) return done;
      written_ += fmt::format("  {} ({:04o})\n", one.name, one.mode);
    }
    return {};
  }

  void print() const {
    fmt::print("Written to {}:\n{}", in_quotes(plan_.folder), written_);
    fmt::print("API keys: {} hashed, {} in the clear. Public keys for tokens: {}.\n", keys_.hashed,
               keys_.plain, split_.public_keys);
    if (notes_.empty()) return;
    fmt::print("\nNot carried over, or not as it was:\n");
    print_notes(stdout);
    fmt::print("\n");
  }

  void print_notes(std::FILE* to) const {
    for (const import_note& one : notes_) fmt::print(to, "- {}\n", to_string(one));
  }

 private:
  std::optional<std::string> read_file(const std::string& name, std::size_t bytes_max) {
    return from_.read(name, bytes_max, notes_);
  }

  bool read_env_file() {
    std::optional<std::string> text = read_file(env_name, env_bytes_max);
    if (!text) return false;
    std::vector<env_setting> settings = read_env(*text, env_name, notes_);
    wipe_text(*text);
    plan_.settings = read_old_settings(settings, env_name, notes_);
    for (env_setting& one : settings) wipe_text(one.value);
    return true;
  }

  bool read_key_set() {
    std::optional<std::string> text = read_file(key_set_name, auth::key_set_bytes_max);
    if (!text) return false;
    split_ = split_key_set(*text, key_set_name, notes_);
    wipe_text(*text);
    plan_.has_key_set = split_.public_keys > 0;
    plan_.has_mint_key = !split_.mint_key.empty();
    return true;
  }

  bool read_keys() {
    std::vector<old_key> keys = plan_.settings.keys;
    const bool found = read_key_files(keys);
    keys_ = import_keys(keys, plan_.takes_tokens(), notes_);
    for (old_key& one : keys) wipe_text(one.text);
    if (keys_.hashed + keys_.plain == 0) {
      notes_.push_back({{}, 0, "No API key could be carried over; `ringward key new` makes one."});
    }
    return found;
  }

  // A key file that .env names takes the place of api_keys.txt: that one may hold keys that nobody
  // is meant to have any more.
  bool read_key_files(std::vector<old_key>& keys) {
    if (plan_.settings.key_files.empty()) return read_key_file(key_file_name, keys);
    std::set<std::string> names;
    for (const env_setting& one : plan_.settings.key_files) {
      const std::string name = name_of(one);
      if (!names.insert(name).second || read_key_file(name, keys)) continue;
      notes_.push_back({env_name, one.line,
                        fmt::format("{}: there is no file {} in this folder to read keys from",
                                    one.name, in_quotes(name))});
    }
    if (!names.contains(key_file_name) && from_.has(key_file_name)) {
      notes_.push_back({key_file_name, 0, "this was not read, as .env names another file of keys"});
    }
    return true;
  }

  // The path may be one of a container, or lead out of the folder: then the file of its last part.
  std::string name_of(const env_setting& one) {
    const std::filesystem::path path = std::filesystem::path(one.value).lexically_normal();
    if (path.is_relative() && !path.empty() && *path.begin() != "..") return path.string();
    notes_.push_back({env_name, one.line,
                      fmt::format("{}: nothing outside of this folder is read; looked for {} in it",
                                  one.name, in_quotes(path.filename().string()))});
    return path.filename().string();
  }

  bool read_key_file(const std::string& name, std::vector<old_key>& keys) {
    std::optional<std::string> text = read_file(name, key_file_bytes_max);
    if (!text) return false;
    for (old_key& one : read_old_key_file(*text, name)) keys.push_back(std::move(one));
    wipe_text(*text);
    return true;
  }

  // Certificates stay where they are, since something renews them there.
  void find_certificate() {
    const env_setting& setting = plan_.settings.certificates;
    if (setting.value.empty()) return;
    const auto now =
        std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
    const std::filesystem::path folder = std::filesystem::path(from_.path()) / setting.value;
    std::string why = "has none of fullchain.pem, cert.pem, server.crt, tls.crt beside a key";
    for (const auto& [chain, key] : certificate_names) {
      std::error_code ignored;
      if (!std::filesystem::exists(folder / chain, ignored)) continue;
      config::certificate pair;
      pair.chain = (folder / chain).lexically_normal().string();
      pair.key.from = config::secret_source::kind::file;
      pair.key.name = (folder / key).lexically_normal().string();
      config::diagnostics found;
      std::vector<std::string> files;
      const std::vector<std::string> no_toml;
      if (gateway::file_reader(no_toml, found, files)
              .read_certificate(pair, now, "listener.tls.certificates")) {
        plan_.chain = pair.chain;
        plan_.chain_key = pair.key.name;
        return;
      }
      if (!found.empty()) why = "cannot be used: " + found.front().text;
      break;
    }
    notes_.push_back({env_name, setting.line, fmt::format("{}: {}", setting.name, why)});
  }

  old_folder from_;
  import_plan plan_;
  import_notes notes_;
  imported_keys keys_;
  split_keys split_;
  std::string written_;
};

}  // namespace

int run_import(const import_options& options) {
  if (const auto origin = config::parse_address(options.origin); !origin) {
    return fail(fmt::format("--origin {}: {}", in_quotes(options.origin), origin.error().text));
  }
  auto from = old_folder::open(options.from);
  if (!from) return fail(from.error());
  importing job(options, std::move(*from));
  if (!job.read()) {
    job.print_notes(stderr);
    return fail(fmt::format("{} has none of {}, {} and {}", in_quotes(options.from), env_name,
                            key_file_name, key_set_name));
  }
  auto to = new_folder::make(options.output);
  if (!to) return fail(to.error());
  if (const auto done = job.write(*to); !done) return fail(done.error());
  to->keep();
  job.print();
  return 0;
}

}  // namespace rw::control
