#include "config/names.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/address.h"

namespace rw::config {
namespace {

constexpr std::size_t name_octets_max = 64;
constexpr std::size_t host_octets_max = 253;

constexpr bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr bool is_one_of(char c, std::string_view set) noexcept {
  return set.find(c) != std::string_view::npos;
}

// The value of an upper-case hexadecimal digit, or -1.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view refuse_escape(std::string_view rest) noexcept {
  const int high = rest.size() > 2 ? hex_value(rest[1]) : -1;
  const int low = rest.size() > 2 ? hex_value(rest[2]) : -1;
  if (high < 0 || low < 0) return "must write % as two upper-case hexadecimal digits, as in %20";
  const char decoded = static_cast<char>(high * 16 + low);
  if ((decoded >= 0 && decoded < 0x20) || decoded == 0x7f) {
    return "must not escape control characters: no request with one is let through";
  }
  if (is_alphanumeric(decoded) || is_one_of(decoded, "-._~")) {
    return "must not escape letters, digits, \"-\", \".\", \"_\" or \"~\": a normalised path never "
           "does";
  }
  return {};
}

}  // namespace

std::string_view refuse_name(std::string_view text) noexcept {
  const auto is_fit = [](char c) { return is_alphanumeric(c) || is_one_of(c, "-_."); };
  if (text.empty() || text.size() > name_octets_max || !std::ranges::all_of(text, is_fit)) {
    return "must be 1 to 64 letters, digits, \"-\", \"_\" or \".\"";
  }
  return {};
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_alphanumeric(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
  });
}

std::string_view refuse_field_name(std::string_view text, underscores in) noexcept {
  if (!is_token(text) || text.size() > name_octets_max) return "is not a header name";
  if (in == underscores::refused && text.contains('_')) {
    return "must not have an underscore: only names in the answers of origins may";
  }
  return {};
}

std::string_view refuse_header_name(std::string_view text, underscores in) noexcept {
  constexpr std::array<std::string_view, 11> own{
      "connection", "content-length", "expect",
      "host",       "keep-alive",     "proxy-connection",
      "te",         "trailer",        "transfer-encoding",
      "upgrade",    "http2-settings"};
  if (const std::string_view why = refuse_field_name(text, in); !why.empty()) return why;
  if (std::ranges::find(own, text) != own.end()) {
    return "frames the message or belongs to one connection; Ringward alone sets and removes it";
  }
  return {};
}

std::string_view refuse_header_value(std::string_view text) noexcept {
  const auto is_fit = [](char c) { return is_visible_ascii(c) || c == ' ' || c == '\t'; };
  if (!std::ranges::all_of(text, is_fit)) return "must be printable ASCII on one line";
  if (trim_ows(text).size() != text.size()) return "must not begin or end with a space";
  return {};
}

bool is_host_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > host_octets_max) return false;
  std::size_t label = 0;
  for (const char c : text) {
    const bool is_dot = c == '.';
    if (is_dot ? label == 0 : !is_alphanumeric(c) && !is_one_of(c, "-_")) return false;
    label = is_dot ? 0 : label + 1;
    if (label > 63) return false;
  }
  return label != 0;
}

std::string_view refuse_host_pattern(std::string_view text) noexcept {
  if (text == "*") return {};
  if (text.starts_with('[')) {
    const auto parsed = parse_address(std::string(text) + ":0");
    return parsed && parsed->what == address::kind::ip ? "" : "is not an IPv6 address in brackets";
  }
  if (text.contains(':')) return "must not have a port: hosts are compared without one";
  if (text.starts_with("*.")) text.remove_prefix(2);
  if (text.contains('*')) return "may have \"*\" only as its first label, as in \"*.example\"";
  if (!is_host_name(text)) return "is not a host name";
  return {};
}

std::string_view refuse_path(std::string_view text) noexcept {
  if (!text.starts_with('/')) return "must begin with \"/\"";
  if (text.contains("//")) return "must not contain \"//\": a normalised path never does";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '?' || c == '#') return "must not have a query or a fragment";
    if (c == '%') {
      if (const auto why = refuse_escape(text.substr(i)); !why.empty()) return why;
    } else if (!is_alphanumeric(c) && !is_one_of(c, "/-._~!$&'()*+,;=:@")) {
      return "has a character that a path must escape, as in %20 for a space";
    }
  }
  for (std::size_t begin = 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    const std::string_view segment = text.substr(begin, end - begin);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") {
      return "must not have \".\" or \"..\" as a segment: a normalised path never does";
    }
    begin = end + 1;
  }
  return {};
}

std::string_view refuse_method(std::string_view text) noexcept {
  if (!is_token(text) || text.size() > 32) return "is not a method";
  if (text == "CONNECT") return "is not forwarded";
  if (std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; })) {
    return "must be upper case: methods are told apart by case";
  }
  return {};
}

std::string_view refuse_redirect(std::string_view text) noexcept {
  const bool is_absolute = text.starts_with("https://") || text.starts_with("http://");
  if (!is_absolute && !text.starts_with('/') && !text.starts_with("{path}")) {
    return "must begin with https://, http:// or \"/\"";
  }
  if (text.starts_with("//")) return "must not begin with \"//\": that names another host";
  if (text.starts_with("/{path}")) {
    return "must not begin with \"/{path}\": a path has its slash, and \"//\" names another host";
  }
  while (!text.empty()) {
    if (text.front() == '{') {
      const std::size_t end = text.find('}');
      const std::string_view hole = text.substr(0, end == std::string_view::npos ? end : end + 1);
      if (hole != "{host}" && hole != "{path}" && hole != "{query}") {
        return "may have {host}, {path} and {query} in braces, nothing else";
      }
      text.remove_prefix(hole.size());
    } else if (!is_visible_ascii(text.front()) || is_one_of(text.front(), "}\"<>\\^`|")) {
      return "has a character that a URL must escape, as in %20 for a space";
    } else {
      text.remove_prefix(1);
    }
  }
  return {};
}

bool is_key_pin(std::string_view text) noexcept {
  constexpr std::string_view prefix = "sha256/";
  constexpr std::string_view last_digits = "AEIMQUYcgkosw048";  // of 2 octets: 4 bits and two of 0
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return text.size() == 44 && text.back() == '=' && last_digits.contains(text[42]) &&
         std::ranges::all_of(text.substr(0, 43), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
         });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

}  // namespace rw::config
