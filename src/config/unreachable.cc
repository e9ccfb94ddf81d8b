#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "config/sections.h"

namespace rw::config {
namespace {

// Earlier routes by one host pattern and one path, exact or prefix.
class earlier_routes {
 public:
  void add(const route& one, std::uint32_t index) {
    for (const std::string& host : one.hosts) routes_[key(host, path_of(one))].push_back(index);
  }

  // Calls `take(index)` for every route that takes all paths of `later` on all hosts of the pattern
  // `host`, until it returns true.
  template <class F>
  bool any_covering(const std::string& host, const route& later, F&& take) const {
    if (any_covering_path(host, later, take) || any_covering_path("*", later, take)) return true;
    for (std::size_t dot = host.find('.'); dot != std::string::npos;
         dot = host.find('.', dot + 1)) {
      if (any_covering_path("*" + host.substr(dot), later, take)) return true;
    }
    return false;
  }

 private:
  static std::string path_of(const route& one) {
    return one.path_prefix.empty() ? "=" + one.path : one.path_prefix;
  }

  static std::string key(std::string_view host, std::string_view path) {
    return fmt::format("{} {}", host, path);
  }

  template <class F>
  bool any_at(std::string_view host, std::string_view path, F&& take) const {
    const auto at = routes_.find(key(host, path));
    return at != routes_.end() && std::ranges::any_of(at->second, take);
  }

  template <class F>
  bool any_covering_path(std::string_view host, const route& later, F&& take) const {
    if (!later.path.empty() && any_at(host, path_of(later), take)) return true;
    const std::string_view path = later.path.empty() ? later.path_prefix : later.path;
    if (any_at(host, path, take)) return true;
    // Each prefix that ends at a segment's boundary, with and without its final "/".
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      if (slash > 0 && any_at(host, path.substr(0, slash), take)) return true;
      if (slash + 1 < path.size() && any_at(host, path.substr(0, slash + 1), take)) return true;
    }
    return false;
  }

  std::unordered_map<std::string, std::vector<std::uint32_t>> routes_;
};

bool takes_method(const route& one, std::string_view method) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(one.methods, name) != one.methods.end();
  };
  return one.methods.empty() || has(method) || (method == "HEAD" && has("GET"));
}

bool takes_methods_of(const route& earlier, const route& later) {
  if (later.methods.empty()) return earlier.methods.empty();
  return std::ranges::all_of(later.methods,
                             [&](const auto& method) { return takes_method(earlier, method); });
}

}  // namespace

void find_unreachable(const std::vector<route>& routes, const std::vector<place>& places,
                      report& out) {
  earlier_routes earlier;
  for (std::uint32_t i = 0; i < routes.size(); ++i) {
    const route& later = routes[i];
    std::uint32_t by = 0;
    const auto takes_all = [&](std::uint32_t index) {
      by = index;
      return takes_methods_of(routes[index], later);
    };
    const auto is_covered = [&](const std::string& host) {
      return earlier.any_covering(host, later, takes_all);
    };
    if (!later.hosts.empty() && std::ranges::all_of(later.hosts, is_covered)) {
      out.warning(places[i], "route",
                  fmt::format("no request reaches \"{}\": \"{}\" at {} takes all of its requests",
                              later.name, routes[by].name, out.describe(places[by])));
    }
    earlier.add(later, i);
  }
}

}  // namespace rw::config
