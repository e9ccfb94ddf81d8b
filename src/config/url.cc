#include "config/url.h"

#include <algorithm>

#include "base/text.h"
#include "config/address.h"

namespace rw::config {
namespace {

failure refuse(const char* why) {
  return failure({.code = fault::invalid, .from = origin::configuration, .text = why});
}

}  // namespace

std::string https_url::authority() const {
  std::string text = host.contains(':') ? "[" + host + "]" : host;
  if (port != 443) text += ":" + std::to_string(port);
  return text;
}

result<https_url> parse_https_url(std::string_view text) {
  constexpr std::string_view scheme = "https://";
  if (text.size() > url_bytes_max) return refuse("a URL has at most 2048 characters");
  if (!is_visible_ascii(text)) return refuse("a URL has visible ASCII characters alone");
  if (iequals(text.substr(0, 7), "http://")) {
    return refuse("must begin with https://: whoever is on the way could answer http:// with keys");
  }
  if (!iequals(text.substr(0, scheme.size()), scheme)) return refuse("must begin with https://");
  if (text.contains('#')) return refuse("must have no fragment (#)");
  text.remove_prefix(scheme.size());
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string authority(text.substr(0, end));
  const std::string_view rest = text.substr(end);
  if (authority.contains('@')) return refuse("must have no user and no password");
  std::ranges::transform(authority, authority.begin(), ascii_lower);
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  const auto where = parse_address(has_port ? authority : authority + ":443");
  if (!where || where->what == address::kind::unix_path || where->port == 0) {
    return refuse("must have a host, and a port from 1 to 65535 if any");
  }
  https_url made;
  made.port = where->port;
  if (where->what == address::kind::host_name) {
    made.host = where->host;
  } else {
    made.host = authority.substr(0, has_port ? colon : authority.size());
    if (made.host.starts_with('[')) made.host = made.host.substr(1, made.host.size() - 2);
  }
  if (rest.starts_with('/')) {
    made.target = rest;
  } else if (!rest.empty()) {
    made.target = "/" + std::string(rest);
  }
  return made;
}

}  // namespace rw::config
