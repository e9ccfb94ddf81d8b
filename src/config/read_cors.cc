// route.cors: what pages of other origins may do.
#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "config/names.h"
#include "config/read_headers.h"
#include "config/sections.h"

namespace rw::config {
namespace {

// They are answered in one head, whose lines have to fit.
constexpr std::size_t methods_max = 16;
constexpr std::size_t headers_max = 64;

bool is_scheme(std::string_view text) noexcept {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !text.empty() && is_letter(text[0]) && std::ranges::all_of(text, [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

// As URLs are serialised: in its shortest form, which is the only one that a browser sends.
bool is_ipv6_in_brackets(std::string_view text) noexcept {
  if (!text.starts_with('[') || !text.ends_with(']')) return false;
  const std::string inside(text.substr(1, text.size() - 2));
  in6_addr address;
  std::array<char, INET6_ADDRSTRLEN> shortest;
  return !inside.contains('.') && ::inet_pton(AF_INET6, inside.c_str(), &address) == 1 &&
         ::inet_ntop(AF_INET6, &address, shortest.data(), shortest.size()) != nullptr &&
         inside == shortest.data();
}

std::string_view refuse_port(std::string_view text, std::string_view scheme) noexcept {
  unsigned port = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (wrong != std::errc{} || end != text.data() + text.size() || port > 65535 ||
      text.starts_with('0')) {
    return "has a port that is none";
  }
  if ((scheme == "https" && port == 443) || (scheme == "http" && port == 80)) {
    return "must not have the scheme's own port: browsers leave it out";
  }
  return {};
}

void read_origins(table_reader& in, cors& out) {
  if (!in.wrote("origins")) in.missing("origins");
  const node* at = in.texts("origins", out.origins);
  if (at == nullptr) return;
  for (std::size_t i = 0; i < out.origins.size(); ++i) {
    const node& where = std::get<list>(at->value)[i];
    const std::string& one = out.origins[i];
    const auto item = out.origins.begin() + static_cast<std::ptrdiff_t>(i);
    if (one == "*") {
      if (out.origins.size() > 1)
        in.error(where, "origins", "\"*\" is every origin: it goes alone");
    } else if (const std::string_view why = refuse_origin(one); !why.empty()) {
      in.error(where, "origins", fmt::format("\"{}\" {}", one.substr(0, 64), why));
    } else if (std::find(out.origins.begin(), item, one) != item) {
      in.error(where, "origins", fmt::format("\"{}\" is given twice", one));
    }
  }
  std::ranges::sort(out.origins);
}

void read_methods(table_reader& in, cors& out) {
  const node* at = in.texts("methods", out.methods);
  if (at == nullptr) return;
  if (out.methods.size() > methods_max) {
    in.error(*at, "methods", fmt::format("at most {} methods", methods_max));
  }
  for (std::size_t i = 0; i < out.methods.size(); ++i) {
    const std::string& one = out.methods[i];
    const std::string_view why =
        one == "*" ? "is not a method here: name those that pages may use" : refuse_method(one);
    if (why.empty()) continue;
    in.error(std::get<list>(at->value)[i], "methods",
             fmt::format("\"{}\" {}", one.substr(0, 64), why));
  }
}

void read_headers(table_reader& in, cors& out) {
  read_header_names(in, "headers", out.headers);
  if (out.headers.size() > headers_max) {
    in.error("headers", fmt::format("at most {} headers", headers_max));
  }
  // It would be a name like any other to us, and every name to a browser.
  if (std::ranges::find(out.headers, "*") != out.headers.end()) {
    in.error("headers", "\"*\" is not a header here: name those that pages may send");
  }
}

}  // namespace

std::string_view refuse_origin(std::string_view text) noexcept {
  if (text == "null") {
    return "is what any sandboxed or local page may say it is: \"*\" lets those in, with all "
           "others";
  }
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return "is not an origin, as in \"https://app.example\"";
  const std::string_view scheme = text.substr(0, end);
  std::string_view host = text.substr(end + 3);
  if (std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return "must be lower case: browsers send it so, and it is compared octet by octet";
  }
  if (!is_scheme(scheme)) return "has no scheme that is one";
  if (host.contains('/')) return "must end with its host or port: no path, and no \"/\" at its end";
  if (host.contains('*')) return "must be written out: only \"*\" alone stands for others";
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view why = refuse_port(host.substr(colon + 1), scheme);
    if (!why.empty()) return why;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[')) {
    return is_ipv6_in_brackets(host) ? "" : "has no IPv6 address in its shortest form";
  }
  if (!is_host_name(host)) return "has no host name that is one";
  return {};
}

void read_cors(table_reader& in, route& out) {
  const bool written = in.table("cors", [&](table_reader& cors) {
    read_origins(cors, out.cors);
    read_methods(cors, out.cors);
    read_headers(cors, out.cors);
    const node* at = cors.flag("credentials", out.cors.credentials);
    cors.duration("max_age", out.cors.max_age, {nanoseconds{0}, std::chrono::hours{24}});
    const bool any = std::ranges::find(out.cors.origins, "*") != out.cors.origins.end();
    if (any && out.cors.credentials && at != nullptr) {
      cors.error(*at, "credentials",
                 "needs origins by name: with \"*\" every page could act as who is logged in");
    }
  });
  if (!written || out.cors.origins.empty()) return;
  // Two lines of them are one too many for a browser; of these names a list is what it expects.
  for (const header_value& one : out.response_set) {
    if (!one.name.starts_with("access-control-") || one.name == "access-control-expose-headers") {
      continue;
    }
    in.error("cors", one.name + " is its own: response_headers.set must not have it");
  }
}

}  // namespace rw::config
