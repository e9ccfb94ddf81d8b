#include "control/shared_word.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"

namespace rw::control {
namespace {

static_assert(crypto_secretbox_KEYBYTES == 32);

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string digits_of(const unsigned char* bytes, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

}  // namespace

word_seal::word_seal(const limit::shared_secret& secret) {
  constexpr std::string_view purpose = "ringward shared words";
  crypto_generichash(key_.data(), key_.size(), bytes_of(purpose), purpose.size(), secret.data(),
                     secret.size());
  id_ = hide({}).substr(0, 16);
}

std::string word_seal::hide(std::string_view name) const {
  std::array<unsigned char, 16> hash;
  crypto_generichash(hash.data(), hash.size(), bytes_of(name), name.size(), key_.data(),
                     key_.size());
  return digits_of(hash.data(), hash.size());
}

std::string word_seal::close(const shared_word& word) const {
  const std::string plain = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", word.version, word.end_ms,
                                        word.from, word.by, word.name, word.text);
  std::string out(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.size(), '\0');
  auto* nonce = reinterpret_cast<unsigned char*>(out.data());
  random_bytes(std::as_writable_bytes(std::span(nonce, crypto_secretbox_NONCEBYTES)));
  crypto_secretbox_easy(nonce + crypto_secretbox_NONCEBYTES, bytes_of(plain), plain.size(), nonce,
                        key_.data());
  return out;
}

std::optional<shared_word> word_seal::open(std::string_view sealed) const {
  constexpr std::size_t around = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
  if (sealed.size() < around || sealed.size() > bytes_max) return {};
  std::string plain(sealed.size() - around, '\0');
  const unsigned char* nonce = bytes_of(sealed);
  if (crypto_secretbox_open_easy(
          reinterpret_cast<unsigned char*>(plain.data()), nonce + crypto_secretbox_NONCEBYTES,
          sealed.size() - crypto_secretbox_NONCEBYTES, nonce, key_.data()) != 0) {
    return {};
  }
  std::string_view rest = plain;
  if (std::ranges::count(rest, '\n') != 5) return {};
  const auto version = parse_u64(cut(rest, '\n'));
  const auto end = parse_u64(cut(rest, '\n'));
  if (!version || !end) return {};
  shared_word out{.version = *version, .end_ms = *end};
  out.from = cut(rest, '\n');
  out.by = cut(rest, '\n');
  out.name = cut(rest, '\n');
  out.text = rest;
  return out;
}

}  // namespace rw::control
