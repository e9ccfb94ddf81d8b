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

}  // namespace

void file_reader::report(std::string_view file, std::string_view key, std::string text,
                         config::diagnostic::level severity) {
  problems_.push_back({severity, std::string(file), 0, 0, std::string(key), std::move(text)});
}

std::optional<std::string> file_reader::read(const std::string& path, std::size_t bytes_max,
                                             std::string_view secret_of) {
  files_.push_back(path);
  // A pipe would make everybody wait here for somebody to write into it.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat at{};
  if (fd < 0 || ::fstat(fd, &at) != 0) {
    report(path, "", fmt::format("cannot be opened: {}", std::strerror(errno)));
    if (fd >= 0) ::close(fd);
    return {};
  }
  std::optional<std::string> refused;
  if (!S_ISREG(at.st_mode)) refused = "is not a regular file";
  if (!refused && !secret_of.empty()) {
    refused =
        config::refuse_access(path, {at.st_uid, at.st_gid, at.st_mode}, ::geteuid(), ::getegid());
  }
  if (refused) {
    report(path, secret_of, *refused);
    ::close(fd);
    return {};
  }
  std::string text;
  ssize_t got = 1;
  while (got > 0 && text.size() <= bytes_max) {
    const std::size_t before = text.size();
    text.resize(before + 65536);
    got = ::read(fd, text.data() + before, 65536);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  const int why = errno;
  ::close(fd);
  if (got < 0) {
    report(path, "", fmt::format("cannot be read: {}", std::strerror(why)));
    return {};
  }
  if (text.size() > bytes_max) {
    report(path, "", fmt::format("is larger than {} bytes", bytes_max));
    return {};
  }
  return text;
}

std::optional<secret> file_reader::read_secret(const config::secret_source& source,
                                               std::string_view key) {
  if (source.from == config::secret_source::kind::file) files_.push_back(source.name);
  auto got = config::read_secret(source);
  if (got) return std::move(*got);
  if (got.error().key.empty()) got.error().key = key;
  problems_.push_back(std::move(got.error()));
  return {};
}

std::shared_ptr<const auth::key_store> file_reader::read_keys(const config::api_keys& from) {
  std::optional<std::string> text = read(from.file, key_file_bytes_max, "auth.api_keys.file");
  if (!text) return nullptr;
  std::optional<auth::key_store> keys = auth::load_keys(*text, from.file, problems_);
  wipe(text->data(), text->size());
  if (!keys) return nullptr;
  return std::make_shared<const auth::key_store>(std::move(*keys));
}

std::shared_ptr<const auth::key_set> file_reader::read_key_set(const std::string& path) {
  const std::optional<std::string> text = read(path, auth::key_set_bytes_max + 1);
  if (!text) return nullptr;
  std::optional<auth::key_set> keys = auth::load_key_set(*text, path, problems_);
  if (!keys) return nullptr;
  return std::make_shared<const auth::key_set>(std::move(*keys));
}

std::shared_ptr<const auth::private_key> file_reader::read_mint_key(const config::mint& from) {
  const std::optional<secret> text = read_secret(from.key, "auth.mint.key");
  if (!text) return nullptr;
  auto key = auth::load_private_key(text->view(), from.key.name, problems_);
  if (!key) return nullptr;
  return std::make_shared<const auth::private_key>(std::move(*key));
}

std::shared_ptr<const tls::certificate> file_reader::read_certificate(
    const config::certificate& from, wall_time now) {
  const std::optional<std::string> chain = read(from.chain, chain_bytes_max);
  const std::optional<secret> key = read_secret(from.key, "listener.tls.certificates");
  if (!chain || !key) return nullptr;
  result<tls::certificate> made = tls::certificate::load(*chain, *key);
  if (!made) {
    report(from.chain, "listener.tls.certificates", made.error().text);
    return nullptr;
  }
  const auto left = std::chrono::duration_cast<std::chrono::hours>(made->not_after() - now);
  if (left < std::chrono::hours{24 * 30}) {
    report(from.chain, "listener.tls.certificates",
           left.count() < 0 ? std::string("the certificate has expired")
                            : fmt::format("the certificate expires in {} days", left.count() / 24),
           config::diagnostic::level::warning);
  }
  return std::make_shared<const tls::certificate>(std::move(*made));
}

resolved_headers file_reader::read_headers(const std::vector<config::header_value>& from) {
  resolved_headers made;
  for (const config::header_value& one : from) {
    std::string value = one.text;
    if (one.from.from != config::secret_source::kind::none) {
      const std::optional<secret> read = read_secret(one.from, one.name);
      if (!read) continue;
      value = read->view();
      if (!http::is_field_value(value)) {
        report(one.from.name, one.name, "holds characters that no header value may have");
        continue;
      }
    }
    made.emplace_back(one.name, std::move(value));
  }
  return made;
}

}  // namespace rw::gateway
