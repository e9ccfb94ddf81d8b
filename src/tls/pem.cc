#include "tls/pem.h"

#include <sodium.h>

#include <algorithm>

#include "base/secret.h"

namespace rw::tls {

std::optional<pem_block> next_pem(std::string_view& text) noexcept {
  constexpr std::string_view begin = "-----BEGIN ";
  constexpr std::string_view end = "-----END ";
  constexpr std::string_view dashes = "-----";
  const auto start = text.find(begin);
  if (start == text.npos) return {};
  std::string_view rest = text.substr(start + begin.size());
  const auto label_end = rest.find(dashes);
  if (label_end == rest.npos) return {};
  pem_block out{.label = rest.substr(0, label_end), .body = {}};
  rest.remove_prefix(label_end + dashes.size());
  const auto body_end = rest.find(end);
  if (body_end == rest.npos) return {};
  out.body = rest.substr(0, body_end);
  rest.remove_prefix(body_end + end.size());
  if (!rest.starts_with(out.label) || !rest.substr(out.label.size()).starts_with(dashes)) return {};
  text = rest.substr(out.label.size() + dashes.size());
  return out;
}

std::optional<std::string> decode_pem(std::string_view body) {
  std::string out(body.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  const char* stopped = nullptr;
  const int read =
      sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), body.data(),
                        body.size(), " \t\r\n", &size, &stopped, sodium_base64_VARIANT_ORIGINAL);
  if (read != 0 || stopped != body.data() + body.size() || size == 0) {
    wipe(out.data(), out.size());
    return {};
  }
  out.resize(size);
  return out;
}

void append_pem(std::string& out, std::string_view label, std::string_view der) {
  constexpr std::size_t line_chars = 64;
  std::string text(sodium_base64_encoded_len(der.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(der.data()),
                    der.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // libsodium counts the final NUL
  const std::size_t begin = out.size();
  // One allocation: a secret must not be left behind in a buffer that was outgrown.
  out.reserve(begin + text.size() + text.size() / line_chars + 2 * label.size() + 40);
  out.append("-----BEGIN ").append(label).append("-----\n");
  for (std::size_t at = 0; at < text.size(); at += line_chars) {
    out.append(text, at, line_chars).append("\n");
  }
  out.append("-----END ").append(label).append("-----\n");
  wipe(text.data(), text.size());
}

}  // namespace rw::tls
