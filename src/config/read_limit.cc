// [[limit]]: how much clients may ask.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/names.h"
#include "config/sections.h"

namespace rw::config {
namespace {

// "client.ip+route"
void read_header(table_reader& in, const node& at, std::string name,
                 std::vector<std::string>& out) {
  if (const std::string_view why = refuse_field_name(name); !why.empty()) {
    in.error(at, "by", std::string(why));
  } else if (std::ranges::find(out, name) != out.end()) {
    in.error(at, "by", "names one thing twice");
  } else if (out.size() == limit_headers_max) {
    in.error(at, "by", "joins more than 4 headers");
  } else {
    out.push_back(std::move(name));
  }
}

void read_by(table_reader& in, const configuration& settings, limit& out) {
  std::string written;
  const node* at = in.text("by", written);
  if (at == nullptr) return;
  // In the order of limit_key.
  constexpr std::array<std::string_view, 4> known{"client.ip", "identity", "route", "country"};
  constexpr std::array<std::string_view, 5> shown{"client.ip", "identity", "route", "country",
                                                  "header:NAME"};
  constexpr std::string_view by_header = "header:";
  std::vector<limit_key> keys;
  std::vector<std::string> headers;
  for (std::string_view rest = written;;) {
    const std::size_t plus = rest.find('+');
    const std::string_view word = rest.substr(0, plus);
    const auto same = std::ranges::find(known, word);
    const auto key = static_cast<limit_key>(same - known.begin());
    if (word == "country" && !settings.has_geo) {
      in.error(*at, "by", "\"country\" needs a [geo] table: who is to say where");
    } else if (word.starts_with(by_header)) {
      read_header(in, *at, lower_case(word.substr(by_header.size())), headers);
    } else if (same == known.end()) {
      in.refuse_word(*at, "by", word, shown);
    } else if (std::ranges::find(keys, key) != keys.end()) {
      in.error(*at, "by", "names one thing twice");
    } else {
      keys.push_back(key);
    }
    if (plus == std::string_view::npos) break;
    rest.remove_prefix(plus + 1);
  }
  out.by = std::move(keys);
  out.by_headers = std::move(headers);
}

// A budget is in Redis only as what a rate says of requests.
void read_shared(table_reader& in, const configuration& settings, const limit& of,
                 limit_sharing& out) {
  const node* at = in.choice("shared", out,
                             {{"off", limit_sharing::off},
                              {"exact", limit_sharing::exact},
                              {"leased", limit_sharing::leased}});
  if (at == nullptr || out == limit_sharing::off) return;
  if (!settings.redis.present) {
    in.error(*at, "shared", "needs a [redis] table: that is where gateways share a budget");
  } else if (of.concurrent != 0) {
    in.error(*at, "shared",
             "a limit with concurrent cannot be shared: each gateway counts its own");
  } else if (of.cost == limit_cost::request_bytes) {
    in.error(*at, "shared",
             "a limit of request_bytes cannot be shared: each gateway counts its own");
  }
}

}  // namespace

void read_limit(table_reader& in, const configuration& settings, limit& out) {
  read_by(in, settings, out);
  const node* bound = in.number<std::uint32_t>("concurrent", out.concurrent, {0, 1'000'000});
  const bool has_bound = bound != nullptr ? out.concurrent != 0 : in.wrote("concurrent");
  in.rate("rate", out.rate, has_bound ? need::optional : need::required);
  in.number<std::uint64_t>("burst", out.burst, {1, 1'000'000'000});
  in.number<unsigned>("ipv6_prefix", out.ipv6_prefix, {1, 128});
  in.flag("headers", out.headers);
  in.number<std::uint32_t>("capacity", out.capacity, {1024, 1U << 28U});
  in.choice("cost", out.cost,
            {{"1", limit_cost::request}, {"request_bytes", limit_cost::request_bytes}});
  in.flag("shadow", out.shadow);
  read_shared(in, settings, out, out.shared);
}

}  // namespace rw::config
