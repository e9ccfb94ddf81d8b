#include "observe/audit_chain.h"

#include <sodium.h>

#include <charconv>
#include <cstring>
#include <utility>

#include "base/random.h"
#include "observe/audit_record.h"

namespace rw::observe {
namespace {

constexpr std::size_t digest_bytes = 32;

void write_hex(const unsigned char* from, std::size_t bytes, char* out) noexcept {
  static constexpr char digits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < bytes; ++i) {
    *out++ = digits[from[i] >> 4U];
    *out++ = digits[from[i] & 15U];
  }
}

std::string to_hex(const unsigned char* from, std::size_t bytes) {
  std::string text(2 * bytes, '\0');
  write_hex(from, bytes, text.data());
  return text;
}

// Exactly `bytes` octets.
bool read_hex(std::string_view text, unsigned char* out, std::size_t bytes) {
  std::size_t got = 0;
  return text.size() == 2 * bytes &&
         sodium_hex2bin(out, bytes, text.data(), text.size(), nullptr, &got, nullptr) == 0 &&
         got == bytes;
}

bool read_base64(std::string_view text, unsigned char* out, std::size_t bytes) {
  for (const int variant :
       {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
        sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING}) {
    std::size_t got = 0;
    const char* end = nullptr;
    if (sodium_base642bin(out, bytes, text.data(), text.size(), nullptr, &got, &end, variant) ==
            0 &&
        got == bytes && end == text.data() + text.size()) {
      return true;
    }
  }
  return false;
}

std::string common_members(std::string_view time, audit_event what) {
  std::string text = R"("time":")";
  text.append(time).append(R"(","event":")").append(name(what));
  text += R"(","result":"done")";
  return text;
}

}  // namespace

audit_digest digest_of(std::string_view line) noexcept {
  std::array<unsigned char, digest_bytes> hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(line.data()),
                     line.size(), nullptr, 0);
  audit_digest text;
  write_hex(hash.data(), hash.size(), text.data());
  return text;
}

std::optional<audit_key> audit_key::from_seed(std::string_view seed) {
  std::array<unsigned char, crypto_sign_SEEDBYTES> octets;
  if (!read_hex(seed, octets.data(), octets.size()) &&
      !read_base64(seed, octets.data(), octets.size())) {
    return {};
  }
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> shown;
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> pair;
  crypto_sign_seed_keypair(shown.data(), pair.data(), octets.data());
  wipe(octets.data(), octets.size());
  secret kept({reinterpret_cast<const char*>(pair.data()), pair.size()});
  wipe(pair.data(), pair.size());
  return audit_key(std::move(kept), to_hex(shown.data(), shown.size()));
}

std::string audit_key::sign(std::string_view text) const {
  std::array<unsigned char, crypto_sign_BYTES> signature;
  crypto_sign_detached(signature.data(), nullptr,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       reinterpret_cast<const unsigned char*>(pair_.view().data()));
  return to_hex(signature.data(), signature.size());
}

bool verify_checkpoint(std::string_view text, std::string_view signature,
                       std::string_view public_key) {
  std::array<unsigned char, crypto_sign_BYTES> given;
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> by;
  if (!read_hex(signature, given.data(), given.size())) return false;
  if (!read_hex(public_key, by.data(), by.size())) return false;
  std::string whole(checkpoint_context);
  whole.append(text);
  return crypto_sign_verify_detached(given.data(),
                                     reinterpret_cast<const unsigned char*>(whole.data()),
                                     whole.size(), by.data()) == 0;
}

audit_chain::audit_chain(const audit_digest& earlier, std::optional<audit_key> key)
    : head_(earlier), key_(std::move(key)) {
  std::array<std::byte, 8> id;
  random_bytes(id);
  id_ = to_hex(reinterpret_cast<const unsigned char*>(id.data()), id.size());
}

std::size_t audit_chain::write_link(std::array<char, link_bytes_max>& out) const noexcept {
  char* at = out.data();
  const auto put = [&at](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  put(R"({"seq":)");
  at = std::to_chars(at, at + 20, sequence_ + 1).ptr;
  put(R"(,"prev":")");
  put({head_.data(), head_.size()});
  put(R"(",)");
  return static_cast<std::size_t>(at - out.data());
}

void audit_chain::seal(std::string_view line) noexcept {
  head_ = digest_of(line);
  last_bytes_ = line.size();
  ++sequence_;
  ++since_checkpoint_;
}

std::string audit_chain::start_body(wall_time now, std::string_view about) {
  std::string body = common_members(time_.rfc3339(now), audit_event::start);
  body.append(R"(,"chain":")").append(id_).append("\"");
  if (key_) body.append(R"(,"public_key":")").append(key_->public_key()).append("\"");
  return body.append(about).append("}\n");
}

std::string audit_chain::stop_body(wall_time now) {
  return common_members(time_.rfc3339(now), audit_event::stop) + R"(,"chain":")" + id_ + "\"}\n";
}

std::string audit_chain::checkpoint_body(wall_time now, std::uint64_t dropped) {
  std::string body = common_members(time_.rfc3339(now), audit_event::checkpoint);
  body.append(R"(,"chain":")").append(id_).append("\"");
  if (dropped > 0) body.append(R"(,"dropped":)").append(std::to_string(dropped));
  if (key_) {
    std::array<char, link_bytes_max> link;
    std::string text(checkpoint_context);
    text.append(link.data(), write_link(link)).append(body);
    body.append(signature_member).append(key_->sign(text)).append("\"");
  }
  return body.append("}\n");
}

}  // namespace rw::observe
