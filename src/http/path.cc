#include "http/path.h"

#include <cstddef>

#include "http/scan.h"

namespace rw::http {

namespace {

// Nothing in it to decode, encode, collapse or remove, as far as one look tells: false is sure.
bool is_normal(std::string_view path) noexcept {
  const char* at = path.data();
  const char* const end = at + path.size();
  bool after_slash = false;
#ifdef __SSE2__
  using detail::all;
  using detail::bits;
  for (; end - at >= 16; at += 16) {
    const __m128i octets = detail::load(at);
    // '&' to ';' is &'()*+,-./0123456789:; ; what else a path may hold is left to the table.
    const unsigned others =
        bits(_mm_or_si128(detail::in_range(octets, '&', ';'), _mm_cmpeq_epi8(octets, all('_'))));
    const unsigned slashes = bits(_mm_cmpeq_epi8(octets, all('/')));
    const unsigned dots = bits(_mm_cmpeq_epi8(octets, all('.')));
    const unsigned after = slashes << 1U | (after_slash ? 1U : 0U);
    if ((detail::letters(octets) | others) != 0xffffU) break;
    if ((after & (slashes | dots)) != 0) return false;
    after_slash = (slashes & 0x8000U) != 0;
  }
#endif
  for (; at != end; ++at) {
    if (!is(*at, path_char) || (after_slash && (*at == '/' || *at == '.'))) return false;
    after_slash = *at == '/';
  }
  return true;
}

// True where some origin would see a dot segment in `segment` that we do not: it drops parameters
// (";x"), or takes an encoded slash for a slash.
bool hides_dot_segment(std::string_view segment) noexcept {
  for (;;) {
    std::size_t dots = segment.find_first_not_of('.');
    if (dots == segment.npos) dots = segment.size();
    const std::string_view rest = segment.substr(dots);
    if ((dots == 1 || dots == 2) &&
        (rest.empty() || rest.starts_with(';') || rest.starts_with("%3B") ||
         rest.starts_with("%2F") || rest.starts_with("%5C"))) {
      return true;
    }
    std::size_t slash = rest.find("%2F");
    const std::size_t backslash = rest.find("%5C");
    if (backslash < slash) slash = backslash;
    if (slash == rest.npos) return false;
    segment = rest.substr(slash + 3);
  }
}

class normaliser {
 public:
  normaliser(std::string_view path, path_rules rules, std::span<char> out) noexcept
      : path_(path), out_(out), rules_(rules) {}

  path_outcome run() noexcept {
    while (at_ < path_.size()) {
      while (at_ < path_.size() && path_[at_] == '/') ++at_;
      const std::size_t before = size_;
      put('/');
      while (at_ < path_.size() && path_[at_] != '/' && outcome_.status == 0) octet(path_[at_++]);
      if (outcome_.status != 0) return outcome_;
      end_segment(before);
      if (outcome_.status != 0) return outcome_;
    }
    if (size_ == 0) put('/');
    if (outcome_.status == 0) outcome_.path = {out_.data(), size_};
    if (outcome_.path == path_) outcome_.path = path_;
    return outcome_;
  }

 private:
  void refuse(std::uint16_t status, const char* reason) noexcept {
    outcome_ = {{}, status, reason};
  }

  void put(char c) noexcept {
    if (size_ == out_.size()) return refuse(414, "path_too_long");
    out_[size_++] = c;
  }

  void put_escape(unsigned value) noexcept {
    static constexpr char digits[] = "0123456789ABCDEF";
    put('%');
    put(digits[value >> 4U]);
    put(digits[value & 15U]);
  }

  void octet(char c) noexcept {
    if (c == '%') return escape();
    if (is(c, path_char)) return put(c);
    if (c == '\\' && !rules_.keep_encoded_slash) return refuse(400, "backslash_in_path");
    if (!is(c, target_char) || c == '?') return refuse(400, "bad_path_character");
    put_escape(static_cast<unsigned char>(c));
  }

  void escape() noexcept {
    if (path_.size() - at_ < 2 || !is(path_[at_], hex_char) || !is(path_[at_ + 1], hex_char)) {
      return refuse(400, "bad_escape");
    }
    const unsigned value = hex_value(path_[at_]) << 4U | hex_value(path_[at_ + 1]);
    const char c = static_cast<char>(value);
    at_ += 2;
    if (value < 0x20 || value == 0x7f) return refuse(400, "encoded_control");
    if (is(c, unreserved_char)) return put(c);
    if ((c == '/' || c == '\\') && !rules_.keep_encoded_slash) return refuse(400, "encoded_slash");
    put_escape(value);
  }

  // The segment is what follows the slash written at `before`.
  void end_segment(std::size_t before) noexcept {
    const std::string_view segment{out_.data() + before + 1, size_ - before - 1};
    if (segment == "." || segment == "..") {
      const std::string_view parent{out_.data(), before};
      const std::size_t slash = segment.size() == 2 ? parent.rfind('/') : before;
      size_ = slash == parent.npos ? 0 : slash;
      if (at_ == path_.size()) put('/');
    } else if (hides_dot_segment(segment)) {
      refuse(400, "ambiguous_dot_segment");
    }
  }

  std::string_view path_;
  std::span<char> out_;
  path_rules rules_;
  std::size_t at_ = 0;    // in path_
  std::size_t size_ = 0;  // of what is written
  path_outcome outcome_;
};

}  // namespace

path_outcome normalise(std::string_view path, path_rules rules, std::span<char> out) noexcept {
  if (path == "*") return {.path = path};
  if (!path.starts_with('/')) return {{}, 400, "bad_path_character"};
  if (is_normal(path)) return {.path = path};
  return normaliser{path, rules, out}.run();
}

}  // namespace rw::http
