// What it costs to find out who is calling. Each line is one request's authentication, alone.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "auth/authenticate.h"
#include "auth/key_file.h"
#include "auth/mint.h"
#include "auth/signature.h"
#include "base/assert.h"
#include "base/random.h"

namespace {

using namespace rw;
using namespace rw::auth;

constexpr wall_time now{std::chrono::seconds(1'800'000'000)};
constexpr config::credential key_credential{.how = config::credential::kind::api_keys};
constexpr config::credential jwt_credential{.how = config::credential::kind::jwt};

// tests/vectors/auth/private.tsv, rsa-2048: RSA keys are not generated here.
constexpr std::string_view rsa_jwk =
    R"({"kty":"RSA","kid":"rsa-2048","n":"2gvfA4pCAsoGG3fYKxKD2eJRzNK-feN3NptziHrrMM3kveWGV)"
    R"(I7pYKlyzd8qUBloxn_GDLLDUIaqfAdTARTN9xqhoVuo_DgVmKpz0UQpjgRvuYTGFVqoxOWE5Qi6rcu4X_Wd7)"
    R"(0RYsB1IXTv10WM4orHvXe1v6I3D3TrdtIHJwzBWB8dvVRk4KpEM5mkbywqLiS7J_8y-hXjK6f_Y0pEPoiGgm)"
    R"(pGVJGluysGEq_zki4XuXkSReZ9CqYgOC5yW_vHus-ucPygGtXbHuVrc77f8GAc_SXKJSpuL94QyQqjdkEV7O)"
    R"(uucvg6QpLsiYPKvSJHzIJE6E3G09o_XmU4DTPK_Ew","e":"AQAB","d":"A0SKnDzOCMj_9sPA3MMOGyL9_)"
    R"(ddUsoHzr0D80MP4KAbrPCtR7Dd-E4xGjlj0reGg79n0smEFdfymq8LXrBxPNTpUHMfJDF_yIZPAYOz9axrxl)"
    R"(QgCiJ8PXhq1zKbpAUzHH8JdvRBlpzIGe8Xib7e7HrkS8MdBAO0K9-hMxUqX_FGt4GqxjQnQgUOvC8-wV7jJ_)"
    R"(0H6ImF1Zw5kPrAM4BSO2QCvGTwZUByY3sUJixFsIGsNoOoCoI4Ky0RD_Ev6xNx6zp4LWHC0W_8cfxcDB9qxI)"
    R"(uCJqYwyq3Snh1_lzPUKyRsausqMBW5Ba-1LygE6c-KHTOZS1ZlPaVxpx_Z22AzKcQ","p":"8WQ4VkK0gLGs)"
    R"(joGcfVcKbrtuHS8GmIac9-MMYK2iLV8ap8Yrb7dHbGXrukqQU7TQ5O62Yv97kk72KFsUQ2Am0t7ijOMR0wJC)"
    R"(j2lO_-0jC88yvkQlJdb_YQfoMVB27mQ4AU-kDPV8K1R3DEtO6JEqUqFw6jACqyU1RD5smjcCvOM","q":"5z)"
    R"(35iaemTUftqnHQW7T_coBYypwkbeMcID7IfUed4mt2gMdm6mvlgA-glId82Vco7R7ZPMu4u3AOz_PgMP7dRE)"
    R"(tST9SqvJ5F2-dk1-AeQl7lerMPjuV45bnvXY62PKIGTs8Z0sahucJqpjtBZIJpRdpoXR1j6iXZeWjN_8e1PB)"
    R"(E","dp":"lSeXA_39qJOgiwGdX3lb8eYQeSnoinCLJ0R9DnPbhOuB_e8eQc5e7KThjl-qZH6SoRK7UdqJUXN)"
    R"(G-NKmZ6dO9fdQxzs7dUWtOQ4aCVtOz2o88YIL7iC19g-7slUE1_LHBFBgjr1U9zUexlL2NBAWta4Zpir6SyQ)"
    R"(XkM59rqCVKX8","dq":"4vyf1XLeuJ9xeU0NVOf_lBrOjdvlmoRDmJdoYCmLnrUT9udFa7kL57_vRb0VXZbE)"
    R"(ErakUZw8MqmVsKVYnV-gPSienMRJ8KqAMpMaFxnlOgtCwUXBcOhp2z6_6xtqYWw-Ot_qHk9icyCXZaNm1k15)"
    R"(Htt8dGKkMDSFHDs3cutLSLE","qi":"3Jh-wn_dRGfuhIJ2wPgw1AOnBzzbZzBVWTHe2A5yNmf8fuHwXo6r-)"
    R"(iCzXUKYZaaEm71Ypzp3mWhul1jMGMinZYuYhnmWnpvKcWXdsd48MkZoMzoVsFVmwJ3E_1iKD4LRRGbGjAS5G)"
    R"(ZO3Q8gUYzUf5Rkv4LhFSUTmiMTRO6pwFcs"})";

key_set load(const private_key& key) {
  config::diagnostics found;
  auto keys = load_key_set(key.public_set(), "bench", found);
  RW_ASSERT(keys);
  return std::move(*keys);
}

// A gate with one issuer whose key is `jwk`, and a 700-byte token of it.
struct gate {
  explicit gate(std::string_view jwk, token_cache_limits limits = {}) : worker(limits) {
    random_init();
    config::diagnostics found;
    auto loaded = load_private_key(jwk, "bench", found);
    RW_ASSERT(loaded);
    auto key = std::make_shared<const private_key>(std::move(*loaded));
    config::mint mint_rules;
    mint_rules.issuer = "https://issuer.example/" + std::string(120, 'i');
    mint_rules.audience = "api";
    config::jwt_issuer rules;
    rules.issuer = mint_rules.issuer;
    rules.audiences = {"api"};
    state.issuers.push_back(
        {.rules = token_rules(rules), .keys = std::make_shared<const key_set>(load(*key))});
    auto mint = minter::make(key, mint_rules);
    std::string who = "u";
    do {
      who += 'u';
      authorization = "Bearer " + *mint->token(who, {}, now);
    } while (authorization.size() < 707 && who.size() < 256);
  }

  verdict ask() {
    return worker.authenticate({.authorization = authorization, .authorization_lines = 1},
                               {&jwt_credential, 1}, {}, state, now);
  }

  snapshot state;
  std::string authorization;
  authenticator worker;
};

void cached_token(benchmark::State& loop) {
  gate one(*generate_private_jwk(algorithm::es256));
  RW_ASSERT(one.ask().allowed());
  for (auto _ : loop) benchmark::DoNotOptimize(one.ask());
  loop.SetLabel(fmt::format("{} octets", one.authorization.size() - 7));
}
BENCHMARK(cached_token);

// A thousand tokens in turn: the cache's lines are not all in L1.
void cached_token_of_1000(benchmark::State& loop) {
  gate one(*generate_private_jwk(algorithm::eddsa));
  token_cache cache;
  std::vector<std::string> tokens;
  for (int i = 0; i < 1000; ++i) {
    std::string text = one.authorization.substr(7);
    for (char& c : text) c = random_base62(1).front();
    checked_claims claims;
    claims.identity = "somebody";
    cache.insert(text, 0, 1, claims, {});
    tokens.push_back(std::move(text));
  }
  std::size_t at = 0;
  for (auto _ : loop) {
    benchmark::DoNotOptimize(cache.find(tokens[at], 0, 1, numeric_date{}));
    at = at == 999 ? 0 : at + 1;
  }
}
BENCHMARK(cached_token_of_1000);

void uncached(benchmark::State& loop, std::string_view jwk) {
  gate one(jwk);
  for (auto _ : loop) {
    ++one.state.issuers[0].generation;
    benchmark::DoNotOptimize(one.ask());
  }
  RW_ASSERT(one.ask().allowed());
}
BENCHMARK_CAPTURE(uncached, rs256, rsa_jwk);
void uncached_es256(benchmark::State& loop) {
  uncached(loop, *generate_private_jwk(algorithm::es256));
}
BENCHMARK(uncached_es256);
void uncached_eddsa(benchmark::State& loop) {
  uncached(loop, *generate_private_jwk(algorithm::eddsa));
}
BENCHMARK(uncached_eddsa);

// Everything but the signature: the key is there, `alg` is not the issuer's.
void refused_before_signature(benchmark::State& loop) {
  gate one(*generate_private_jwk(algorithm::es256));
  one.state.issuers[0].rules.algorithms.bits = 1;
  for (auto _ : loop) benchmark::DoNotOptimize(one.ask());
}
BENCHMARK(refused_before_signature);

// `count` generated keys, one plain one for each.
struct keys {
  explicit keys(int count) {
    random_init();
    std::string text;
    for (int i = 0; i < count; ++i) {
      const new_key made = *generate_key(fmt::format("name-{}", i));
      if (i == count / 2) generated = made.key;
      text += made.line + fmt::format("\nplain-{}:plain-key-in-the-clear-{}\n", i, i);
    }
    config::diagnostics found;
    state.keys = std::make_shared<const key_store>(*load_keys(text, "bench", found));
  }

  verdict ask(std::string_view key) {
    return worker.authenticate({.api_key = key, .api_key_lines = 1}, {&key_credential, 1}, {},
                               state, now);
  }

  snapshot state;
  std::string generated;
  authenticator worker;
};

void generated_key(benchmark::State& loop) {
  keys store(static_cast<int>(loop.range(0)));
  RW_ASSERT(store.ask(store.generated).allowed());
  for (auto _ : loop) benchmark::DoNotOptimize(store.ask(store.generated));
}
BENCHMARK(generated_key)->Arg(1)->Arg(100'000);

void unknown_name(benchmark::State& loop) {
  keys store(100);
  const std::string key = generate_key("nobody")->key;
  for (auto _ : loop) benchmark::DoNotOptimize(store.ask(key));
}
BENCHMARK(unknown_name);

void plain_key(benchmark::State& loop) {
  keys store(static_cast<int>(loop.range(0)));
  RW_ASSERT(store.ask("plain-key-in-the-clear-0").allowed());
  for (auto _ : loop) benchmark::DoNotOptimize(store.ask("plain-key-in-the-clear-0"));
}
BENCHMARK(plain_key)->Arg(1)->Arg(100'000);

void mint_es256(benchmark::State& loop) {
  random_init();
  config::diagnostics found;
  auto key = std::make_shared<const private_key>(
      std::move(*load_private_key(*generate_private_jwk(algorithm::es256), "bench", found)));
  config::mint rules;
  rules.issuer = "https://gateway.example";
  rules.audience = "api";
  auto mint = minter::make(key, rules);
  for (auto _ : loop) benchmark::DoNotOptimize(mint->answer("somebody", {}, now));
}
BENCHMARK(mint_es256);

}  // namespace

BENCHMARK_MAIN();
