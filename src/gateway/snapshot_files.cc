#include "gateway/snapshot_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "auth/key_file.h"
#include "auth/key_set.h"
#include "config/secret_file.h"
#include "http/field.h"

namespace rw::gateway {
namespace {

constexpr std::size_t key_file_bytes_max = 64U << 20U;
constexpr std::size_t chain_bytes_max = 1U << 20U;
constexpr std::size_t bundle_bytes_max = 16U << 20U;
// What Debian's ca-certificates makes of the authorities it has; other systems link to theirs.
constexpr std::string_view system_bundle = "/etc/ssl/certs/ca-certificates.crt";

}  // namespace

config::diagnostics check_files(const config::configuration& settings, wall_time now) {
  std::vector<std::string> files;
  return check_files(settings, now, files);
}

config::diagnostics check_files(const config::configuration& settings, wall_time now,
                                std::vector<std::string>& files) {
  config::diagnostics problems;
  file_reader reader(settings.files, problems, files);
  for (const config::listener& one : settings.listeners) {
    for (const config::certificate& pair : one.tls.certificates)
      reader.read_certificate(pair, now, "listener.tls.certificates");
    if (one.tls.clients == config::client_auth::off) continue;
    reader.read_authorities(one.tls.client_ca,
                            {.key = "listener.tls.client_ca", .at = one.tls.client_ca_at}, now);
  }
  for (const config::upstream& one : settings.upstreams) {
    if (one.has_tls && one.tls.verify) {
      reader.read_authorities(one.tls.ca, {.key = "upstream.tls.ca", .at = one.tls.ca_at}, now);
    }
    if (one.tls.has_certificate) {
      reader.read_certificate(one.tls.certificate, now, "upstream.tls.certificate");
    }
  }
  if (settings.has_api_keys) reader.read_keys(settings.api_keys);
  if (settings.mint.present) reader.read_mint_key(settings.mint);
  if (settings.has_geo) reader.read_countries(settings.geo, nullptr);
  for (const config::jwt_issuer& one : settings.jwt) {
    reader.read_key_set(one);
    if (!one.has_remote_keys()) continue;
    const std::string key = fmt::format("auth.jwt.{}.jwks.ca", one.name);
    reader.read_authorities(one.jwks_remote.ca, {.key = key, .at = one.jwks_remote.ca_at}, now);
  }
  if (settings.admin.credential.from != config::secret_source::kind::none) {
    reader.read_password(settings.admin.credential, "admin.credential");
  }
  if (settings.redis.present && settings.redis.has_tls) {
    reader.read_authorities(settings.redis.ca, {.key = "redis.ca", .at = settings.redis.ca_at},
                            now);
  }
  if (settings.redis.present && settings.redis.password.from != config::secret_source::kind::none) {
    reader.read_password(settings.redis.password, "redis.password");
  }
  for (const config::route& one : settings.routes) {
    resolved_headers set = reader.read_headers(one.request_set, request_set_key);
    wipe_values(set);
    set = reader.read_headers(one.response_set, response_set_key);
    wipe_values(set);
  }
  return problems;
}

void file_reader::report(const subject& about, std::string text,
                         config::diagnostic::level severity) {
  const bool known = about.at.file < toml_files_.size();
  problems_.push_back({.severity = severity,
                       .file = known ? toml_files_[about.at.file] : std::string{},
                       .line = about.at.line,
                       .column = about.at.column,
                       .key = std::string(about.key),
                       .text = std::move(text)});
}

void file_reader::pass_on(config::diagnostics found, const subject& about) {
  for (config::diagnostic& one : found) {
    if (one.line != 0) {
      problems_.push_back(std::move(one));
    } else {
      report(about, fmt::format("{}: {}", one.file, one.text), one.severity);
    }
  }
}

void file_reader::note(bool is_secret, const subject& about, std::string_view source,
                       std::optional<std::string_view> contents) {
  if (notes_ != nullptr) notes_->add(is_secret, about.key, source, contents);
}

std::optional<std::string> file_reader::read(const std::string& path, const subject& about,
                                             std::size_t bytes_max, access allowed,
                                             config::diagnostic::level severity) {
  if (path.empty()) return {};
  files_.push_back(path);
  const auto refuse = [&](std::string_view why) {
    report(about, fmt::format("{}: {}", path, why), severity);
    return std::nullopt;
  };
  // A pipe would make everybody wait here for somebody to write into it.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat at{};
  if (fd < 0 || ::fstat(fd, &at) != 0) {
    const int why = errno;
    if (fd >= 0) ::close(fd);
    return refuse(fmt::format("cannot be opened: {}", std::strerror(why)));
  }
  std::optional<std::string> refused;
  if (!S_ISREG(at.st_mode)) refused = "is not a regular file";
  if (!refused && allowed == access::owner_only) {
    refused =
        config::refuse_access(path, {at.st_uid, at.st_gid, at.st_mode}, ::geteuid(), ::getegid());
  }
  if (refused) {
    ::close(fd);
    return refuse(*refused);
  }
  constexpr std::size_t step = 65536;
  std::string text;
  // It may hold keys, and growing would leave copies of them behind.
  text.reserve(std::min(static_cast<std::size_t>(at.st_size), bytes_max) + 2 * step);
  ssize_t got = 1;
  while (got > 0 && text.size() <= bytes_max) {
    const std::size_t before = text.size();
    text.resize(before + step);
    got = ::read(fd, text.data() + before, step);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  const int why = errno;
  ::close(fd);
  if (got < 0) return refuse(fmt::format("cannot be read: {}", std::strerror(why)));
  if (text.size() > bytes_max) return refuse(fmt::format("is larger than {} bytes", bytes_max));
  return text;
}

std::optional<secret> file_reader::read_secret(const config::secret_source& source,
                                               const subject& about) {
  if (source.from == config::secret_source::kind::none) return {};
  if (source.from == config::secret_source::kind::file) files_.push_back(source.name);
  auto got = config::read_secret(source);
  note(true, about, source.name, got ? std::optional(got->view()) : std::nullopt);
  if (got) return std::move(*got);
  pass_on({std::move(got.error())}, about);
  return {};
}

std::shared_ptr<const auth::key_store> file_reader::read_keys(const config::api_keys& from,
                                                              const auth::private_key* mint) {
  const subject about{.key = "auth.api_keys.file", .at = from.file_at};
  std::optional<std::string> text = read(from.file, about, key_file_bytes_max, access::owner_only);
  if (!text) note(false, about, from.file, {});
  if (!text) return nullptr;
  config::diagnostics found;
  std::optional<auth::key_store> keys = auth::load_keys(*text, from.file, found);
  note(false, about, from.file, keys ? std::optional<std::string_view>(*text) : std::nullopt);
  wipe(text->data(), text->size());
  pass_on(std::move(found), about);
  if (!keys) return nullptr;
  if (mint != nullptr) keys->tag_lines(mint->derive("ringward key line").view());
  return std::make_shared<const auth::key_store>(std::move(*keys));
}

std::shared_ptr<const auth::key_set> file_reader::read_key_set(const config::jwt_issuer& from) {
  const std::string key = fmt::format("auth.jwt.{}.jwks.file", from.name);
  const subject about{.key = key, .at = from.jwks_at};
  const std::optional<std::string> text =
      read(from.jwks_file, about, auth::key_set_bytes_max + 1, access::anybody);
  if (!text && !from.jwks_file.empty()) note(false, about, from.jwks_file, {});
  if (!text) return nullptr;
  config::diagnostics found;
  std::optional<auth::key_set> keys = auth::load_key_set(*text, from.jwks_file, found);
  note(false, about, from.jwks_file, keys ? std::optional<std::string_view>(*text) : std::nullopt);
  pass_on(std::move(found), about);
  if (!keys) return nullptr;
  return std::make_shared<const auth::key_set>(std::move(*keys));
}

std::shared_ptr<const auth::private_key> file_reader::read_mint_key(const config::mint& from) {
  const subject about{.key = "auth.mint.key", .at = from.key.at};
  const std::optional<secret> text = read_secret(from.key, about);
  if (!text) return nullptr;
  config::diagnostics found;
  auto key = auth::load_private_key(text->view(), from.key.name, found);
  pass_on(std::move(found), about);
  if (!key) return nullptr;
  return std::make_shared<const auth::private_key>(std::move(*key));
}

std::shared_ptr<const tls::certificate> file_reader::read_certificate(
    const config::certificate& from, wall_time now, std::string_view table) {
  const std::string chain_key = fmt::format("{}.chain", table);
  const std::string key_key = fmt::format("{}.key", table);
  const subject about{.key = chain_key, .at = from.chain_at};
  const std::optional<std::string> chain =
      read(from.chain, about, chain_bytes_max, access::anybody);
  const std::optional<secret> key = read_secret(from.key, {.key = key_key, .at = from.key.at});
  if (!chain || !key) return nullptr;
  result<tls::certificate> made = tls::certificate::load(*chain, *key);
  if (!made) {
    report(about, fmt::format("{}: {}", from.chain, made.error().text));
    return nullptr;
  }
  const auto left = std::chrono::duration_cast<std::chrono::hours>(made->not_after() - now);
  if (left < std::chrono::hours{24 * 30}) {
    const std::string when = left.count() < 0
                                 ? std::string("has expired")
                                 : fmt::format("expires in {} days", left.count() / 24);
    report(about, fmt::format("{}: the certificate {}", from.chain, when),
           config::diagnostic::level::warning);
  }
  return std::make_shared<const tls::certificate>(std::move(*made));
}

std::shared_ptr<const secret> file_reader::read_password(const config::secret_source& from,
                                                         std::string_view key) {
  std::optional<secret> read = read_secret(from, {.key = key, .at = from.at});
  return read ? std::make_shared<const secret>(std::move(*read)) : nullptr;
}

std::shared_ptr<const tls::authorities> file_reader::read_authorities(const std::string& ca,
                                                                      const subject& about,
                                                                      wall_time now) {
  const bool of_system = ca == "system";
  const std::string path(of_system ? system_bundle : ca);
  const std::optional<std::string> text = read(path, about, bundle_bytes_max, access::anybody);
  if (!text) return nullptr;
  auto made = tls::authorities::load(*text, now);
  if (!made) {
    report(about, fmt::format("{}: {}", path, made.error().text));
    return nullptr;
  }
  if (!of_system && (*made)->left_out() > 0) {
    report(about,
           fmt::format("{}: {} of its certificates cannot be used, or not now: left out", path,
                       (*made)->left_out()),
           config::diagnostic::level::warning);
  }
  return *made;
}

// It is fetched by a timer from somebody else's server: one that went wrong must not keep a new
// certificate from coming into force.
countries_read file_reader::read_countries(
    const config::geo& from, const std::shared_ptr<const geo::country_table>& before) {
  const subject about{.key = "geo.database", .at = from.database_at};
  const auto severity =
      before ? config::diagnostic::level::warning : config::diagnostic::level::error;
  const std::optional<std::string> file =
      read(from.database, about, geo::country_table::file_bytes_max, access::anybody, severity);
  if (file && before && before->id() == geo::country_table::id_of(*file)) return {before};
  if (file) {
    auto made = geo::country_table::load(*file);
    if (made) return {std::move(*made)};
    report(about, fmt::format("{}: {}", from.database, made.error().text), severity);
  }
  if (before) report(about, "countries are those of the database that was read before", severity);
  return {before, before != nullptr};
}

resolved_headers file_reader::read_headers(const std::vector<config::header_value>& from,
                                           std::string_view key) {
  resolved_headers made;
  made.reserve(from.size());  // moving a short text copies it
  for (const config::header_value& one : from) {
    std::string value = one.text;
    if (one.from.from != config::secret_source::kind::none) {
      const std::string name = fmt::format("{}.{}", key, one.name);
      const subject about{.key = name, .at = one.from.at};
      const std::optional<secret> read = read_secret(one.from, about);
      if (!read) continue;
      value = read->view();
      if (!http::is_field_value(value)) {
        wipe(value.data(), value.size());
        report(about,
               fmt::format("{}: holds characters that no header value may have", one.from.name));
        continue;
      }
    }
    made.emplace_back(one.name, std::move(value));
  }
  return made;
}

}  // namespace rw::gateway
