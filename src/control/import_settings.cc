#include "control/import_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "config/values.h"

namespace rw::control {
namespace {

using config::nanoseconds;
using namespace std::chrono_literals;

constexpr std::string_view key_file_name = "API_KEYS_FILE";
constexpr std::uint64_t burst_max = 1'000'000'000;  // of [[limit]]

// "3600" or "1h".
std::optional<nanoseconds> parse_old_duration(std::string_view text) {
  const auto count = parse_u64(text);
  return config::parse_duration(count ? fmt::format("{}s", *count) : std::string(text));
}

// nginx's "10r/s" and "300r/m", ours, or requests per second.
std::optional<config::rate> parse_old_rate(std::string_view text) {
  if (parse_u64(text)) return config::parse_rate(fmt::format("{}/s", text));
  std::string ours(text);
  if (const std::size_t at = ours.find("r/"); at != std::string::npos) ours.erase(at, 1);
  return config::parse_rate(ours);
}

// What stands between the separators, without blanks around it; what is empty is no part.
std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    const std::string_view part = trim_ows(text.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

class settings_reader {
 public:
  settings_reader(std::string_view file, import_notes& out) : file_(file), out_(out) {}

  void read(const env_setting& one) {
    const reader known = find_reader(one.name);
    const bool names_keys = one.name.starts_with(key_file_name);
    if (known == nullptr && !names_keys) {
      return note(one, "nothing is known of this setting; it was left out");
    }
    if (one.value.empty()) return;  // as good as not set
    if (one.expandable) {
      note(one, "holds `$`, a backtick or a backslash: taken as it stands, nothing is evaluated");
    }
    if (names_keys) {
      made_.key_files.push_back(one);
    } else {
      (this->*known)(one);
    }
  }

  void repeated(const env_setting& one) { note(one, "is set again further down, which counts"); }

  // What the old system took from elsewhere, or did without.
  void missing(std::string_view name, std::string_view taken) {
    out_.push_back({std::string(file_), 0, fmt::format("{} is not set; {} taken", name, taken)});
  }

  old_settings finish() { return std::move(made_); }

 private:
  using reader = void (settings_reader::*)(const env_setting&);

  static reader find_reader(std::string_view name) noexcept {
    constexpr std::pair<std::string_view, reader> readers[] = {
        {"API_KEY", &settings_reader::read_key},
        {"API_KEYS", &settings_reader::read_keys},
        {"JWKS_URL", &settings_reader::read_jwks_url},
        {"JWKS_TTL", &settings_reader::read_jwks_ttl},
        {"JWT_TTL", &settings_reader::read_jwt_ttl},
        {"JWT_ISSUER", &settings_reader::read_issuer},
        {"JWT_AUDIENCE", &settings_reader::read_audience},
        {"RATE_LIMIT_API", &settings_reader::read_api_rate},
        {"RATE_LIMIT_API_BURST", &settings_reader::read_api_burst},
        {"RATE_LIMIT_AUTH", &settings_reader::read_auth_rate},
        {"RATE_LIMIT_AUTH_BURST", &settings_reader::read_auth_burst},
        {"GITHUB_TOKEN", &settings_reader::read_github_token},
        {"HOST_CERTS_DIR", &settings_reader::read_certificates},
    };
    for (const auto& [known, with] : readers) {
      if (known == name) return with;
    }
    return nullptr;
  }

  void read_key(const env_setting& one) { add_key(one, one.value, "api-key"); }
  void read_keys(const env_setting& one) {
    unsigned number = 0;
    for (const std::string& key : split(one.value, ", \t\r\n")) {
      add_key(one, key, fmt::format("api-keys-{}", ++number));
    }
  }
  void add_key(const env_setting& one, std::string_view key, std::string name) {
    made_.keys.push_back({std::string(key), std::move(name), std::string(file_), one.line});
  }
  void read_jwks_url(const env_setting& one) {
    const std::string_view url = one.value;
    const bool is_web = url.starts_with("https://") || url.starts_with("http://");
    if (!is_web || !is_visible_ascii(url)) {
      return note(one, "is no http:// or https:// URL; left out");
    }
    if (url.contains('@')) return note(one, "holds an `@`, as URLs with a password do; left out");
    made_.jwks_url = one;
  }
  void read_jwks_ttl(const env_setting& one) {
    const auto value = parse_old_duration(one.value);
    if (!value || *value < 1s)
      return bad(one, "no duration from 1s on, such as 600 or \"10m\"", "10m");
    made_.jwks_ttl = *value;
  }
  void read_jwt_ttl(const env_setting& one) {
    const auto value = parse_old_duration(one.value);
    if (!value || *value < 1s || *value > 366 * 24h) {
      return bad(one, "no duration from 1s to 366d, such as 3600 or \"1h\"",
                 config::duration_text(made_.jwt_ttl));
    }
    made_.jwt_ttl = *value;
  }
  void read_issuer(const env_setting& one) { made_.issuer = one.value; }
  void read_audience(const env_setting& one) {
    made_.audiences = split(one.value, ",");
    if (made_.audiences.size() > 1) note(one, "has a comma: read as several audiences");
  }

  void read_api_rate(const env_setting& one) { read_rate(one, made_.api); }
  void read_api_burst(const env_setting& one) { read_burst(one, made_.api); }
  void read_auth_rate(const env_setting& one) { read_rate(one, made_.auth); }
  void read_auth_burst(const env_setting& one) { read_burst(one, made_.auth); }
  void read_rate(const env_setting& one, old_limit& limit) {
    const auto value = parse_old_rate(one.value);
    if (!value) return bad(one, "no rate such as 10r/s, 300r/m or 10", to_text(limit.rate));
    limit.rate = *value;
  }
  void read_burst(const env_setting& one, old_limit& limit) {
    const auto value = parse_u64(one.value);
    if (!value || *value >= burst_max) {
      return bad(one, "no whole number from 0 to 999999999",
                 fmt::format("{} at once", limit.burst));
    }
    limit.burst = *value + 1;
  }

  void read_github_token(const env_setting& one) {
    if (!is_visible_ascii(one.value)) return note(one, "is no token: left out");
    made_.github_token = one;
  }
  void read_certificates(const env_setting& one) { made_.certificates = one; }

  // Not for settings that hold a secret. `kept`: what stands instead.
  void bad(const env_setting& one, std::string_view what, std::string_view kept) {
    note(one, fmt::format("{} is {}; left out, {} stands", in_quotes(one.value.substr(0, 200)),
                          what, kept));
  }
  void note(const env_setting& one, std::string_view text) {
    out_.push_back({std::string(file_), one.line, fmt::format("{}: {}", one.name, text)});
  }

  std::string_view file_;
  import_notes& out_;
  old_settings made_;
};

}  // namespace

std::string to_text(const config::rate& rate) {
  const std::string_view per = rate.per == 1s ? "s" : rate.per == 1min ? "m" : "h";
  return fmt::format("{}/{}", rate.count, per);
}

old_settings read_old_settings(std::span<const env_setting> settings, std::string_view file,
                               import_notes& out) {
  std::map<std::string_view, const env_setting*> last;
  for (const env_setting& one : settings) last[one.name] = &one;
  settings_reader into(file, out);
  for (const env_setting& one : settings) {
    if (last[one.name] == &one) {
      into.read(one);
    } else {
      into.repeated(one);
    }
  }
  const old_settings made = into.finish();
  const auto expect = [&](std::string name, const old_limit& limit) {
    if (!last.contains(name)) into.missing(name, to_text(limit.rate) + " was");
    name += "_BURST";
    if (!last.contains(name))
      into.missing(name, fmt::format("{} requests at once were", limit.burst));
  };
  expect("RATE_LIMIT_API", made.api);
  expect("RATE_LIMIT_AUTH", made.auth);
  return made;
}

}  // namespace rw::control
