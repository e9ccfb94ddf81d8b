#include "auth/jws.h"

#include "auth/base64url.h"
#include "auth/json.h"
#include "auth/signature.h"
#include "base/text.h"

namespace rw::auth {

namespace {

using refused = std::unexpected<reason>;

// Members that would let a token bring its own key, say where to fetch one, or change how it is to
// be read. The registered rest (x5t, cty, ...) and private members have no effect and are ignored.
bool is_forbidden(std::string_view name) noexcept {
  switch (name.size()) {
    case 3:
      return name == "b64" || name == "jwk" || name == "jku" || name == "x5u" || name == "x5c" ||
             name == "zip" || name == "enc";
    case 4:
      return name == "crit";
    default:
      return false;
  }
}

// RFC 7515 4.1.9 (a type without '/' is short for application/...), RFC 7519 5.1, RFC 9068 4.
bool is_known_type(std::string_view type) noexcept {
  constexpr std::string_view prefix = "application/";
  if (type.size() > prefix.size() && iequals(type.substr(0, prefix.size()), prefix)) {
    type.remove_prefix(prefix.size());
  }
  return iequals(type, "jwt") || iequals(type, "at+jwt");
}

std::expected<jws_header, reason> read_header(const json_object& object) {
  jws_header header;
  std::optional<std::string_view> alg;
  for (const auto member : object.members()) {
    if (is_forbidden(member.key)) return refused(reason::header);
    const bool is_alg = member.key == "alg";
    const bool is_kid = member.key == "kid";
    const bool is_typ = member.key == "typ";
    if (!is_alg && !is_kid && !is_typ) continue;
    std::string_view text;
    if (member.value.get_string().get(text) != simdjson::SUCCESS) {
      return refused(is_alg ? reason::algorithm : reason::header);
    }
    if (is_alg) alg = text;
    if (is_kid) header.kid = text;
    if (is_typ && !is_known_type(text)) return refused(reason::header);
  }
  const auto known = alg ? find_algorithm(*alg) : std::nullopt;
  if (!known) return refused(reason::algorithm);
  if (header.kid && header.kid->size() > jws_kid_bytes_max) return refused(reason::unknown_kid);
  header.alg = *known;
  return header;
}

}  // namespace

struct jws_reader::memory {
  json_reader header;
  json_reader payload;
  std::size_t payload_bytes = 0;
  bool claims_parsed = false;
  std::optional<json_object> claims;
  char signature[signature_bytes_max];
};

jws_reader::jws_reader() : memory_(std::make_unique<memory>()) {}
jws_reader::jws_reader(jws_reader&&) noexcept = default;
jws_reader& jws_reader::operator=(jws_reader&&) noexcept = default;
jws_reader::~jws_reader() = default;

std::expected<jws_parts, reason> jws_reader::read(std::string_view compact) {
  memory& own = *memory_;
  own.claims_parsed = false;
  own.claims.reset();
  own.payload_bytes = 0;
  const std::size_t first = compact.find('.');
  if (first == std::string_view::npos) return refused(reason::malformed);
  const std::size_t second = compact.find('.', first + 1);
  if (second == std::string_view::npos) return refused(reason::malformed);
  const std::string_view header = compact.substr(0, first);
  const std::string_view payload = compact.substr(first + 1, second - first - 1);
  const std::string_view signature = compact.substr(second + 1);
  if (header.empty() || payload.empty() || signature.empty()) return refused(reason::malformed);
  if (header.size() > jws_header_chars_max) return refused(reason::too_large);
  if (base64url_decoded_bytes(signature.size()) > signature_bytes_max) {
    return refused(reason::malformed);
  }

  // A fourth part shows as a '.' in the signature, which is outside the alphabet.
  const auto signature_bytes = decode_base64url(signature, own.signature);
  const std::span<char> payload_room = own.payload.prepare(base64url_decoded_bytes(payload.size()));
  const auto payload_bytes = decode_base64url(payload, payload_room);
  const std::span<char> header_room = own.header.prepare(base64url_decoded_bytes(header.size()));
  const auto header_bytes = decode_base64url(header, header_room);
  if (!signature_bytes || !payload_bytes || !header_bytes) return refused(reason::malformed);

  const auto object = own.header.parse(*header_bytes);
  if (!object) return refused(reason::malformed);
  const auto checked = read_header(*object);
  if (!checked) return refused(checked.error());
  own.payload_bytes = *payload_bytes;
  return jws_parts{.header = *checked,
                   .signing_input = compact.substr(0, second),
                   .payload = {payload_room.data(), *payload_bytes},
                   .signature = {own.signature, *signature_bytes}};
}

const json_object* jws_reader::claims() {
  memory& own = *memory_;
  if (!own.claims_parsed) {
    own.claims_parsed = true;
    if (own.payload_bytes > 0) own.claims = own.payload.parse(own.payload_bytes);
  }
  return own.claims ? &*own.claims : nullptr;
}

std::expected<void, reason> verify_jws(const jws_parts& parts, const key_set& keys,
                                       algorithm_set allowed) noexcept {
  if (!allowed.contains(parts.header.alg)) return refused(reason::algorithm);
  const auto key = keys.find(parts.header.kid, parts.header.alg);
  if (!key) return refused(key.error());
  if (!verify_signature(**key, parts.header.alg, parts.signing_input, parts.signature)) {
    return refused(reason::bad_signature);
  }
  return {};
}

}  // namespace rw::auth
