// The table against the definition of it: a walk over all routes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "route/table.h"

namespace rw::route {
namespace {

bool takes_host(const config::route& route, const std::string& host) {
  return std::ranges::any_of(route.hosts, [&](const std::string& pattern) {
    if (pattern == "*") return true;
    if (!pattern.starts_with("*.")) return pattern == host;
    return host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1));
  });
}

bool takes_path(const config::route& route, const std::string& path) {
  if (route.path_prefix.empty()) return route.path == path;
  const std::string& prefix = route.path_prefix;
  if (!path.starts_with(prefix)) return false;
  return prefix.ends_with('/') || path.size() == prefix.size() || path[prefix.size()] == '/';
}

std::set<std::string> methods_of(const config::route& route) {
  std::set<std::string> out(route.methods.begin(), route.methods.end());
  if (out.contains("GET")) out.insert("HEAD");
  return out;
}

struct expectation {
  outcome what = outcome::not_found;
  std::size_t index = 0;
  std::set<std::string> allowed;
};

expectation walk(const std::vector<config::route>& routes, const std::string& host,
                 const std::string& path, const std::string& method) {
  expectation out;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (!takes_host(routes[i], host) || !takes_path(routes[i], path)) continue;
    const auto methods = methods_of(routes[i]);
    if (methods.empty() || methods.contains(method)) return {.what = outcome::found, .index = i};
    out.what = outcome::method_not_allowed;
    out.allowed.insert(methods.begin(), methods.end());
  }
  return out;
}

class generator {
 public:
  explicit generator(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t end) { return random_() % end; }

  template <std::size_t N>
  std::string one_of(const std::array<const char*, N>& words) {
    return words[below(N)];
  }

  // Few words, so that patterns meet.
  std::string path() {
    std::string out;
    for (std::size_t i = below(5); i > 0; --i) out += "/" + one_of(segments_);
    return out.empty() || below(4) == 0 ? out + "/" : out;
  }

  std::string host() {
    std::string out = one_of(labels_);
    for (std::size_t i = below(4); i > 0; --i) out += "." + one_of(labels_);
    return out;
  }

  std::string pattern() {
    switch (below(4)) {
      case 0:
        return "*";
      case 1:
        return "*." + host();
      default:
        return host();
    }
  }

  std::string method() { return one_of(methods_); }

  config::route route() {
    config::route out;
    out.hosts = {pattern()};
    if (below(3) == 0) out.hosts.push_back(pattern());
    (below(2) == 0 ? out.path : out.path_prefix) = path();
    if (below(2) == 0) {
      for (std::size_t i = 1 + below(3); i > 0; --i) out.methods.push_back(method());
    }
    return out;
  }

 private:
  static constexpr std::array<const char*, 6> segments_{"a",    "b",  "ab", "longer-than-eight",
                                                        "a%20", "a.b"};
  static constexpr std::array<const char*, 4> labels_{"a", "b", "example", "x-y"};
  static constexpr std::array<const char*, 6> methods_{"GET",     "HEAD",  "POST",
                                                       "OPTIONS", "PURGE", "X"};

  std::mt19937 random_;
};

TEST(TableProperty, AgreesWithAWalkOverAllRoutes) {
  std::array<int, 3> seen{};
  for (unsigned seed = 0; seed < 400; ++seed) {
    generator make(seed);
    std::vector<config::route> routes(1 + make.below(seed % 10 == 0 ? 300 : 12));
    for (config::route& one : routes) one = make.route();
    const table all(routes);
    for (int i = 0; i < 200; ++i) {
      const std::string host = make.host();
      const std::string path = make.path();
      const std::string method = make.method();
      const expectation wanted = walk(routes, host, path, method);
      const match_result got = all.match(host, path, method);
      ++seen[static_cast<std::size_t>(got.what)];
      ASSERT_EQ(got.what, wanted.what) << seed << " " << host << path << " " << method;
      if (wanted.what == outcome::found) {
        ASSERT_EQ(got.index, wanted.index) << seed << " " << host << path << " " << method;
      }
      if (wanted.what == outcome::method_not_allowed) {
        std::string listed;
        all.append_allow(listed, got);
        std::set<std::string> names;
        for (std::size_t at = 0; at < listed.size();) {
          const std::size_t end = std::min(listed.find(", ", at), listed.size());
          names.insert(listed.substr(at, end - at));
          at = end + 2;
        }
        ASSERT_EQ(names, wanted.allowed) << seed;
      }
    }
  }
  for (const int count : seen) EXPECT_GT(count, 1000);  // the generator meets every outcome
}

}  // namespace
}  // namespace rw::route
