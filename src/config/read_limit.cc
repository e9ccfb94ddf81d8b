// [[limit]]: how much clients may ask.
#include <algorithm>
#include <array>

#include "config/sections.h"

namespace rw::config {
namespace {

// "client.ip+route"
void read_by(table_reader& in, std::vector<limit_key>& out) {
  std::string written;
  const node* at = in.text("by", written);
  if (at == nullptr) return;
  // In the order of limit_key.
  constexpr std::array<std::string_view, 3> known{"client.ip", "identity", "route"};
  std::vector<limit_key> keys;
  for (std::string_view rest = written;;) {
    const std::size_t plus = rest.find('+');
    const std::string_view word = rest.substr(0, plus);
    const auto same = std::ranges::find(known, word);
    const auto key = static_cast<limit_key>(same - known.begin());
    if (word == "country" || word.starts_with("header:")) {
      in.error(*at, "by",
               std::string(word == "country" ? "\"country\"" : "\"header:NAME\"") +
                   " is not yet supported");
    } else if (same == known.end()) {
      in.refuse_word(*at, "by", word, known);
    } else if (std::ranges::find(keys, key) != keys.end()) {
      in.error(*at, "by", "names one thing twice");
    } else {
      keys.push_back(key);
    }
    if (plus == std::string_view::npos) break;
    rest.remove_prefix(plus + 1);
  }
  out = std::move(keys);
}

}  // namespace

void read_limit(table_reader& in, limit& out) {
  read_by(in, out.by);
  in.rate("rate", out.rate, need::required);
  in.number<std::uint64_t>("burst", out.burst, {1, 1'000'000'000});
  in.number<unsigned>("ipv6_prefix", out.ipv6_prefix, {1, 128});
  in.flag("headers", out.headers);
  in.number<std::uint32_t>("capacity", out.capacity, {1024, 1U << 28U});
  in.later("concurrent", 0);
  in.later("cost", "1");
  in.later("shadow", false);
  in.later("shared", "off");
}

}  // namespace rw::config
