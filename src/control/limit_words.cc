#include "control/limit_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "net/address.h"

namespace rw::control {
namespace {

// In the order of config::limit_key.
constexpr std::array<std::string_view, 4> part_names{"client.ip", "identity", "route", "country"};
constexpr std::string_view header_prefix = "header:";

std::vector<std::string> parts_of(const config::limit& limit) {
  std::vector<std::string> parts;
  parts.reserve(limit.by.size() + limit.by_headers.size());
  for (const config::limit_key one : limit.by) {
    parts.emplace_back(part_names[static_cast<std::size_t>(one)]);
  }
  for (const std::string& one : limit.by_headers) {
    parts.push_back(std::string(header_prefix) + one);
  }
  return parts;
}

std::optional<limit::key> read_digest(std::string_view text) {
  limit::key read;
  const char* const end = text.data() + text.size();
  const auto [at, wrong] = std::from_chars(text.data(), end, read.hash, 16);
  if (text.size() != 16 || wrong != std::errc{} || at != end || read.hash == 0) return {};
  return read;
}

// What words say, part by part. Views are of the words.
class reader {
 public:
  reader(const gateway::snapshot& state, std::uint32_t index)
      : state_(state), rules_(state.settings.limits[index]), parts_(parts_of(rules_)) {}

  // Empty: it was taken.
  std::string take(std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    if (equals != std::string_view::npos && is_part(name)) {
      return set(name, word.substr(equals + 1));
    }
    if (equals != std::string_view::npos && name == "issuer") {
      return set_issuer(word.substr(equals + 1));
    }
    if (parts_.size() != 1) return fmt::format("{}: not PART=VALUE of {}", word, by_text(rules_));
    return set(parts_.front(), word);
  }
  // Empty: nothing is missing.
  std::string missing() const {
    for (const std::string& one : parts_) {
      if (std::ranges::find(given_, one) == given_.end()) return fmt::format("{}= is missing", one);
    }
    return {};
  }
  const limit::caller& who() {
    who_.headers = headers_;
    return who_;
  }

 private:
  bool is_part(std::string_view name) const {
    return std::ranges::find(parts_, name) != parts_.end();
  }
  std::string set_issuer(std::string_view name) {
    for (const config::jwt_issuer& one : state_.settings.jwt) {
      if (one.name != name) continue;
      who_.realm = one.jwks_mint ? std::string_view{} : one.name;
      return {};
    }
    return fmt::format("{}: no table [auth.jwt.{}]", name, name);
  }
  std::string set(std::string_view name, std::string_view value) {
    given_.emplace_back(name);
    if (name == "client.ip") {
      return net::parse_ip(value, who_.client) ? "" : fmt::format("{}: no IP address", value);
    }
    if (name == "identity") {
      who_.identity = value;
      return {};
    }
    if (name == "country") {
      who_.country = country::of(value);
      const bool known = who_.country.is_known() || value == "unknown";
      return known ? "" : fmt::format("{}: no country, as DE, nor unknown", value);
    }
    if (name == "route") {
      const auto& routes = state_.settings.routes;
      const auto at = std::ranges::find(routes, value, &config::route::name);
      if (at == routes.end()) return fmt::format("{}: no such route", value);
      who_.route = static_cast<std::uint32_t>(at - routes.begin());
      return {};
    }
    headers_.resize(rules_.by_headers.size());
    const auto at = std::ranges::find(rules_.by_headers, name.substr(header_prefix.size()));
    headers_[static_cast<std::size_t>(at - rules_.by_headers.begin())] = value;
    return {};
  }

  const gateway::snapshot& state_;
  const config::limit& rules_;
  std::vector<std::string> parts_;
  std::vector<std::string> given_;
  std::vector<std::string_view> headers_;
  limit::caller who_;
};

}  // namespace

std::string by_text(const config::limit& limit) {
  std::string text;
  for (const std::string& one : parts_of(limit)) text += (text.empty() ? "" : "+") + one;
  return text;
}

std::string digest_text(limit::key key) { return fmt::format("{:016x}", key.hash); }

std::expected<limit::key, std::string> key_of(const gateway::snapshot& state, std::uint32_t index,
                                              std::span<const std::string_view> words) {
  if (words.size() == 1) {
    if (const auto digest = read_digest(words.front())) return *digest;
  }
  reader read(state, index);
  for (const std::string_view word : words) {
    if (std::string wrong = read.take(word); !wrong.empty()) return std::unexpected(wrong);
  }
  if (std::string wrong = read.missing(); !wrong.empty()) return std::unexpected(wrong);
  return state.limits->make_key(index, read.who());
}

}  // namespace rw::control
