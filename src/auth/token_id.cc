#include "auth/token_id.h"

#include <array>
#include <span>

#include "auth/base64url.h"
#include "base/random.h"

namespace rw::auth {

namespace {

constexpr std::size_t id_bytes = 16;
constexpr std::size_t part_chars = 22;  // of 16 octets
static_assert(base64url_decoded_bytes(part_chars) == id_bytes && sizeof(line_tag) == id_bytes);

}  // namespace

std::string make_token_id(const line_tag& key) {
  std::array<std::byte, id_bytes> id;
  random_bytes(id);
  std::string made;
  made.reserve(2 * part_chars + 1);
  append_base64url(made, {reinterpret_cast<const char*>(id.data()), id.size()});
  made += '.';
  append_base64url(made, {reinterpret_cast<const char*>(key.data()), key.size()});
  return made;
}

std::optional<line_tag> tag_in(std::string_view jti) noexcept {
  if (jti.size() != 2 * part_chars + 1 || jti[part_chars] != '.') return {};
  line_tag tag;
  const std::span<char> out(reinterpret_cast<char*>(tag.data()), tag.size());
  if (!decode_base64url(jti.substr(part_chars + 1), out)) return {};
  return tag;
}

}  // namespace rw::auth
