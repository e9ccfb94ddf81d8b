#include "auth/revocations.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace rw::auth {

namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::string_view first_line = "ringward revocations 1\n";
constexpr std::string_view last_word = "end";
constexpr std::uint64_t seconds_max = 253'402'300'800;  // the year 10000
constexpr std::array<std::string_view, 3> kind_names{"identity", "jti", "kid"};

struct by_key {
  using is_transparent = void;
  using key = std::tuple<revoked_kind, std::string_view>;
  static key of(const revocation& one) noexcept { return {one.what, one.id}; }
  bool operator()(const revocation& a, const key& b) const noexcept { return of(a) < b; }
  bool operator()(const key& a, const revocation& b) const noexcept { return a < of(b); }
};

auto whole_key(const revocation& one) noexcept {
  return std::tuple(one.what, std::string_view(one.id), std::string_view(one.issuer));
}

// It stands between tabs, on a line.
bool is_plain(std::string_view text) noexcept {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string checksum(std::string_view text) {
  std::array<unsigned char, 32> hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  std::string out;
  for (const unsigned char octet : hash) fmt::format_to(std::back_inserter(out), "{:02x}", octet);
  return out;
}

failure broken(const char* text) {
  return failure({.code = fault::invalid, .from = origin::configuration, .text = text});
}

std::optional<revocation> parse_line(std::string_view line) {
  if (std::ranges::count(line, '\t') != 4) return {};
  revocation out;
  const auto kind = find_revoked_kind(cut(line, '\t'));
  const auto since = parse_u64(cut(line, '\t'));
  const auto until = parse_u64(cut(line, '\t'));
  if (!kind || !since || !until || *since > seconds_max || *until > seconds_max) return {};
  out.what = *kind;
  out.since = sys_seconds(seconds(static_cast<std::int64_t>(*since)));
  out.until = sys_seconds(seconds(static_cast<std::int64_t>(*until)));
  out.issuer = cut(line, '\t');
  out.id = line;
  if (refuse_revocation(out) != nullptr) return {};
  return out;
}

}  // namespace

std::string_view name(revoked_kind what) noexcept {
  return kind_names[static_cast<std::size_t>(what)];
}

std::optional<revoked_kind> find_revoked_kind(std::string_view name) noexcept {
  const auto found = std::ranges::find(kind_names, name);
  if (found == kind_names.end()) return {};
  return static_cast<revoked_kind>(found - kind_names.begin());
}

const char* refuse_revocation(const revocation& one) noexcept {
  if (one.id.empty()) return "must not be empty";
  if (one.id.size() > revoked_id_bytes_max) return "has more than 256 octets";
  if (!is_plain(one.id)) return "has a control character";
  if (one.what == revoked_kind::identity) {
    if (!is_visible_ascii(one.id)) return "is no caller's name: those are visible ASCII";
    if (!one.issuer.empty()) return "goes by the name alone: an issuer says nothing of it";
  }
  if (one.issuer.size() > revoked_issuer_bytes_max) return "has an issuer of more than 512 octets";
  if (!is_plain(one.issuer)) return "has an issuer with a control character";
  return nullptr;
}

revocation_list::revocation_list(std::vector<revocation> entries) : entries_(std::move(entries)) {
  const auto less = [](const revocation& a, const revocation& b) {
    return whole_key(a) < whole_key(b);
  };
  // The one that was added last stands first among its equals, and stays.
  std::ranges::reverse(entries_);
  std::ranges::stable_sort(entries_, less);
  const auto repeated = std::ranges::unique(entries_, [](const revocation& a, const revocation& b) {
    return whole_key(a) == whole_key(b);
  });
  entries_.erase(repeated.begin(), repeated.end());
}

bool revocation_list::has(revoked_kind what, std::string_view id, std::string_view issuer,
                          wall_time now) const noexcept {
  const auto [first, last] =
      std::equal_range(entries_.begin(), entries_.end(), by_key::key(what, id), by_key{});
  return std::any_of(first, last, [&](const revocation& one) {
    return (one.issuer.empty() || one.issuer == issuer) && one.holds(now);
  });
}

bool revocation_list::has_identity(std::string_view who, wall_time now) const noexcept {
  return has(revoked_kind::identity, who, {}, now);
}

bool revocation_list::has_token(std::string_view issuer, std::string_view jti, std::string_view kid,
                                wall_time now) const noexcept {
  return (!jti.empty() && has(revoked_kind::jti, jti, issuer, now)) ||
         (!kid.empty() && has(revoked_kind::kid, kid, issuer, now));
}

std::string to_text(const revocation_list& list) {
  std::string out(first_line);
  for (const revocation& one : list.entries()) {
    fmt::format_to(std::back_inserter(out), "{}\t{}\t{}\t{}\t{}\n", name(one.what),
                   one.since.time_since_epoch().count(), one.until.time_since_epoch().count(),
                   one.issuer, one.id);
  }
  fmt::format_to(std::back_inserter(out), "{} {} {}\n", last_word, list.entries().size(),
                 checksum(out));
  return out;
}

result<revocation_list> parse_revocations(std::string_view text) {
  if (!text.starts_with(first_line)) return broken("its first line is not that of such a file");
  if (!text.ends_with('\n')) return broken("it was cut short");
  std::size_t last = text.substr(0, text.size() - 1).rfind('\n') + 1;
  std::string_view closing = text.substr(last, text.size() - last - 1);
  std::string_view lines = text.substr(0, last);
  const bool ends = cut(closing, ' ') == last_word;
  const auto count = parse_u64(cut(closing, ' '));
  if (!ends || !count) return broken("it was cut short: its last line is missing");
  if (closing != checksum(lines)) return broken("it was changed: the sum in its last line differs");
  if (*count > revocations_max) return broken("it holds more than 10000 revocations");

  lines.remove_prefix(first_line.size());
  std::vector<revocation> entries;
  while (!lines.empty()) {
    auto one = parse_line(cut(lines, '\n'));
    if (!one) return broken("a line is none of kind, since, until, issuer and id between tabs");
    entries.push_back(std::move(*one));
  }
  if (entries.size() != *count) return broken("its last line counts other lines than there are");
  return revocation_list(std::move(entries));
}

}  // namespace rw::auth
