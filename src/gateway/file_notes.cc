#include "gateway/file_notes.h"

#include <sodium.h>

#include <span>

#include "base/random.h"
#include "base/secret.h"

namespace rw::gateway {

file_notes::file_notes() { random_bytes(std::as_writable_bytes(std::span(secret_))); }

file_notes::~file_notes() { wipe(secret_.data(), secret_.size()); }

void file_notes::add(bool is_secret, std::string_view key, std::string_view source,
                     std::optional<std::string_view> contents) {
  file_note one{is_secret, std::string(key), std::string(source), {}};
  if (contents) {
    one.contents.emplace();
    crypto_generichash(one.contents->data(), one.contents->size(),
                       reinterpret_cast<const unsigned char*>(contents->data()), contents->size(),
                       secret_.data(), secret_.size());
  }
  list_.push_back(std::move(one));
}

}  // namespace rw::gateway
