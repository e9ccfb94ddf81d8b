#include "limit/shared.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

namespace rw::limit {
namespace {

// Microseconds: what a double holds of Unix time without a fraction. Rounded up, and never a faster
// rate. A debt larger than the window is a clock that was set back, or another burst: no key owes
// more than its window.
constexpr std::string_view script = R"(
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local grants, debts, all = {}, {}, true
for i = 1, #KEYS do
  local a = 5 * i - 4
  local interval, window = tonumber(ARGV[a]), tonumber(ARGV[a + 1])
  local debt = (tonumber(redis.call('GET', KEYS[i]) or now) or now) - now
  debts[i] = math.max(0, math.min(debt, window))
  grants[i] = math.min(tonumber(ARGV[a + 2]), math.floor((window - debts[i]) / interval + 1e-6))
  if grants[i] < tonumber(ARGV[a + 3]) then
    grants[i] = 0
    if ARGV[a + 4] == '0' then all = false end
  end
end
local out = {}
for i = 1, #KEYS do
  if all and grants[i] ~= 0 then
    debts[i] = math.max(0, math.ceil(debts[i] + grants[i] * tonumber(ARGV[5 * i - 4])))
    if debts[i] > 0 then
      redis.call('SET', KEYS[i], string.format('%.0f', now + debts[i]), 'PX',
        math.ceil(debts[i] / 1000) + 1000)
    else
      redis.call('DEL', KEYS[i])
    end
  end
  out[2 * i - 1] = grants[i]
  out[2 * i] = math.ceil(debts[i])
end
return out
)";

constexpr std::int64_t us_ns = 1000;

class hasher {
 public:
  explicit hasher(const shared_secret& secret) noexcept {
    crypto_generichash_init(&state_, secret.data(), secret.size(), digest_bytes);
  }
  // With its kind and its size, so that no two callers write the same octets.
  void add(char kind, std::string_view text) noexcept {
    const auto size = static_cast<std::uint64_t>(text.size());
    put(&kind, 1);
    put(&size, sizeof size);
    put(text.data(), text.size());
  }
  static constexpr std::size_t digest_bytes = 16;
  std::array<unsigned char, digest_bytes> finish() noexcept {
    std::array<unsigned char, digest_bytes> out;
    crypto_generichash_final(&state_, out.data(), out.size());
    return out;
  }

 private:
  void put(const void* bytes, std::size_t size) noexcept {
    crypto_generichash_update(&state_, static_cast<const unsigned char*>(bytes), size);
  }
  crypto_generichash_state state_;
};

void write_key(std::string_view name, hasher& all, std::string& out) {
  out.assign("rw:").append(name).append(":");
  constexpr std::string_view digits = "0123456789abcdef";
  for (const unsigned char byte : all.finish()) {
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
}

}  // namespace

std::string_view shared_script() noexcept { return script; }

shared_arguments write_arguments(const shared_demand& what) noexcept {
  shared_arguments out;
  const auto put_us = [&out](std::size_t i, std::uint64_t ns) {
    const auto end = fmt::format_to_n(out.text[i].data(), out.text[i].size(), "{}.{:03}",
                                      ns / us_ns, ns % us_ns);
    out.size[i] = std::min(end.size, out.text[i].size());
  };
  const auto put = [&out](std::size_t i, std::int64_t number) {
    const auto end = fmt::format_to_n(out.text[i].data(), out.text[i].size(), "{}", number);
    out.size[i] = std::min(end.size, out.text[i].size());
  };
  put_us(0, what.pace.interval_ns);
  put_us(1, what.pace.window_ns);
  put(2, what.want);
  put(3, what.least);
  put(4, what.shadow ? 1 : 0);
  return out;
}

bool read_answer(const shared_demand& what, std::int64_t granted, std::int64_t debt_us,
                 shared_answer& out) noexcept {
  // One interval more than the window: what has just been rounded up.
  const auto most = static_cast<std::int64_t>(what.pace.window_ns / us_ns) + 1;
  const bool is_grant = granted == 0 || (granted >= what.least && granted <= what.want);
  if (!is_grant || debt_us < 0 || debt_us > most) return false;
  out = {.granted = granted, .debt = nanoseconds{debt_us * us_ns}};
  return true;
}

shared_secret make_shared_secret(std::string_view password) noexcept {
  constexpr std::string_view purpose = "ringward shared limits";
  shared_secret out;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, out.size());
  for (const std::string_view part : {purpose, password}) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                              part.size());
  }
  crypto_generichash_final(&state, out.data(), out.size());
  sodium_memzero(&state, sizeof state);
  return out;
}

void write_shared_key(std::string_view limit, const key_recipe& recipe, const caller& who,
                      std::string_view route, const shared_secret& secret, std::string& out) {
  hasher all(secret);
  if (recipe.client) {
    const auto address = masked(who.client, recipe.ipv6_prefix);
    all.add('c', {reinterpret_cast<const char*>(address.data()), address.size()});
  }
  if (recipe.identity) {
    all.add('v', who.realm);
    all.add('i', who.identity);
  }
  if (recipe.route) all.add('r', route);
  if (recipe.country) all.add('g', who.country.text());
  for (const std::string_view value : who.headers) all.add('h', value);
  write_key(limit, all, out);
}

void write_once_key(std::string_view issuer, std::string_view jti, const shared_secret& secret,
                    std::string& out) {
  hasher all(secret);
  all.add('s', issuer);
  all.add('j', jti);
  write_key("jti", all, out);
}

}  // namespace rw::limit
