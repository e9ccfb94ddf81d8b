#include "http/chunked.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "http/character.h"
#include "http/field_lines.h"

namespace rw::http {

namespace {

constexpr unsigned digits_max = 16;

// Octets of size lines beyond what honest chunks need; see end_size_line().
constexpr std::uint32_t overhead_max = 16U << 10U;

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

}  // namespace

void chunked_decoder::refuse(const char* reason) noexcept {
  status_ = status::refused;
  reason_ = reason;
}

chunked_decoder::piece chunked_decoder::feed(std::string_view input) {
  std::size_t i = 0;
  while (i < input.size() && status_ == status::reading) {
    if (at_ == at::data) {
      const std::string_view data = input.substr(i, std::min<std::uint64_t>(left_, input.size()));
      skip(data.size());
      return {i + data.size(), data};
    }
    if (at_ == at::trailer) {
      i += trailer_octets(input.substr(i));
    } else {
      line_octet(input[i++]);
    }
  }
  return {i, {}};
}

void chunked_decoder::skip(std::uint64_t octets) noexcept {
  RW_ASSERT(octets <= chunk_left());
  left_ -= octets;
  if (at_ == at::data && left_ == 0) at_ = at::data_cr;
}

// One octet of what is neither data nor a trailer.
void chunked_decoder::line_octet(char c) noexcept {
  if (at_ == at::data_cr) {
    if (c != '\r') return refuse("chunk_data_without_crlf");
    at_ = at::data_lf;
    return;
  }
  if (at_ == at::data_lf) {
    if (c != '\n') return refuse("chunk_data_without_crlf");
    at_ = at::size_first;
    line_ = 0;
    digits_ = 0;
    return;
  }
  if (++line_ > limits_.line_bytes) return refuse("chunk_line_too_long");
  if (at_ == at::size_lf) return c == '\n' ? end_size_line() : refuse("bare_cr");
  if (at_ != at::size_first && at_ != at::size) return extension_octet(c);
  if (is(c, hex_char)) {
    if (++digits_ > digits_max) return refuse("chunk_size_overflow");
    left_ = (digits_ == 1 ? 0 : left_ << 4U) | hex_value(c);
    at_ = at::size;
  } else if (at_ == at::size && (is_blank(c) || c == ';' || c == '\r')) {
    at_ = c == '\r' ? at::size_lf : c == ';' ? at::extension : at::after_size;
  } else {
    refuse(c == '\n' || c == '\0' ? control_reason(c) : "bad_chunk_size");
  }
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) (RFC 9112 7.1.1).
// Blanks must lead somewhere: none may stand before the CRLF.
void chunked_decoder::extension_octet(char c) noexcept {
  const bool token = is(c, token_char);
  const bool in_value = at_ == at::value || at_ == at::quote_end;
  switch (at_) {
    case at::after_size:
    case at::after_value:
      if (is_blank(c)) return;
      break;
    case at::extension:
    case at::value_first:
      if (is_blank(c)) return;
      if (token) at_ = at_ == at::extension ? at::name : at::value;
      if (token) return;
      if (c != '"' || at_ == at::extension) return refuse("bad_chunk_extension");
      at_ = at::quoted;
      return;
    case at::name:
    case at::after_name:
      if (token && at_ == at::name) return;
      if (is_blank(c)) at_ = at::after_name;
      if (c == '=') at_ = at::value_first;
      if (is_blank(c) || c == '=') return;
      break;
    case at::value:
      if (token) return;
      break;
    case at::quoted:
      if (c == '"') at_ = at::quote_end;
      if (c == '\\') at_ = at::escaped;
      return is(c, value_char) ? void() : refuse("bad_chunk_extension");
    case at::escaped:
      at_ = at::quoted;
      return is(c, value_char) ? void() : refuse("bad_chunk_extension");
    default:
      break;
  }
  if (c == ';') {
    at_ = at::extension;
  } else if (c == '\r' && (in_value || at_ == at::name)) {
    at_ = at::size_lf;
  } else if (is_blank(c) && in_value) {
    at_ = at::after_value;
  } else {
    refuse("bad_chunk_extension");
  }
}

// A body in tiny chunks with long extensions costs far more than its octets say. What a line takes
// beyond 16 octets and twice its chunk's data adds up over the body, and is bounded.
void chunked_decoder::end_size_line() noexcept {
  if (left_ > INT64_MAX) return refuse("chunk_size_overflow");
  const std::uint64_t allowed = 16 + 2 * left_;
  overhead_ += line_;
  overhead_ -= static_cast<std::uint32_t>(std::min<std::uint64_t>(allowed, overhead_));
  if (overhead_ > overhead_max) return refuse("chunk_overhead");
  at_ = left_ == 0 ? at::trailer : at::data;
}

// Takes octets up to the end of a line; answers how many.
std::size_t chunked_decoder::trailer_octets(std::string_view input) {
  const std::size_t size = std::min(input.find('\n'), input.size() - 1) + 1;
  if (size > limits_.trailer_bytes - trailer_octets_) {
    refuse("trailers_too_large");
    return size;
  }
  trailer_octets_ += static_cast<std::uint32_t>(size);
  trailers_.append(input.substr(0, size));
  if (input[size - 1] == '\n') end_trailer_line();
  return size;
}

void chunked_decoder::end_trailer_line() {
  std::string_view line = std::string_view{trailers_}.substr(trailer_line_);
  if (!line.ends_with("\r\n")) return refuse("bare_lf");
  line.remove_suffix(2);
  if (line.empty()) {
    trailers_.resize(trailer_line_);
    status_ = status::done;
    return;
  }
  field one;
  if (++trailer_fields_ > limits_.trailer_count) return refuse("too_many_trailers");
  if (const char* reason = split_field_line(line, limits_.names, one)) return refuse(reason);
  std::string kept;
  if (may_be_trailer(one.id)) {
    kept.append(one.name).append(": ").append(one.value).append("\r\n");
  }
  trailers_.replace(trailer_line_, trailers_.npos, kept);
  trailer_line_ = static_cast<std::uint32_t>(trailers_.size());
}

bool next_trailer(std::string_view& lines, field& out) noexcept {
  const std::size_t end = lines.find("\r\n");
  if (end == lines.npos ||
      split_field_line(lines.substr(0, end), underscores::taken, out) != nullptr)
    return false;
  lines.remove_prefix(end + 2);
  return true;
}

chunk_head make_chunk_head(std::uint64_t octets) noexcept {
  static constexpr char digits[] = "0123456789abcdef";
  chunk_head head;
  const unsigned bits = octets == 0 ? 1 : 64 - static_cast<unsigned>(__builtin_clzll(octets));
  const unsigned count = (bits + 3) / 4;
  for (unsigned i = 0; i < count; ++i) {
    head.text[i] = digits[octets >> (4 * (count - 1 - i)) & 15U];
  }
  head.text[count] = '\r';
  head.text[count + 1] = '\n';
  head.size = static_cast<std::uint8_t>(count + 2);
  return head;
}

}  // namespace rw::http
