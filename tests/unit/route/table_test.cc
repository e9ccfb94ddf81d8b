#include "route/table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rw::route {
namespace {

config::route prefix(std::string path, std::vector<std::string> hosts = {"*"},
                     std::vector<std::string> methods = {}) {
  config::route out;
  out.path_prefix = std::move(path);
  out.hosts = std::move(hosts);
  out.methods = std::move(methods);
  return out;
}

config::route exact(std::string path, std::vector<std::string> hosts = {"*"},
                    std::vector<std::string> methods = {}) {
  config::route out = prefix({}, std::move(hosts), std::move(methods));
  out.path = std::move(path);
  return out;
}

// The index of what matches, or -1.
int ask(const table& all, std::string_view host, std::string_view path,
        std::string_view method = "GET") {
  const match_result got = all.match(host, path, method);
  return got.what == outcome::found ? static_cast<int>(got.index) : -1;
}

std::string allow(const table& all, std::string_view path, std::string_view method) {
  const match_result got = all.match("h", path, method);
  EXPECT_EQ(got.what, outcome::method_not_allowed);
  std::string out;
  all.append_allow(out, got);
  return out;
}

TEST(Table, PrefixesEndAtSegments) {
  const std::vector<config::route> routes{prefix("/api"), prefix("/web/"), exact("/one"),
                                          exact("/two/")};
  const table all(routes);
  EXPECT_EQ(ask(all, "h", "/api"), 0);
  EXPECT_EQ(ask(all, "h", "/api/"), 0);
  EXPECT_EQ(ask(all, "h", "/api/x/y"), 0);
  EXPECT_EQ(ask(all, "h", "/apix"), -1);
  EXPECT_EQ(ask(all, "h", "/ap"), -1);
  EXPECT_EQ(ask(all, "h", "/x/api"), -1);
  EXPECT_EQ(ask(all, "h", "/web"), -1);
  EXPECT_EQ(ask(all, "h", "/web/"), 1);
  EXPECT_EQ(ask(all, "h", "/web/x"), 1);
  EXPECT_EQ(ask(all, "h", "/one"), 2);
  EXPECT_EQ(ask(all, "h", "/one/"), -1);
  EXPECT_EQ(ask(all, "h", "/one/x"), -1);
  EXPECT_EQ(ask(all, "h", "/two/"), 3);
  EXPECT_EQ(ask(all, "h", "/two"), -1);
  EXPECT_EQ(ask(all, "h", "/API"), -1);  // paths are told apart by case
}

TEST(Table, TheRootTakesEverythingThatIsAPath) {
  const std::vector<config::route> routes{prefix("/")};
  const table all(routes);
  for (const char* path : {"/", "/a", "/a/", "/a/b/c"}) EXPECT_EQ(ask(all, "h", path), 0) << path;
  EXPECT_EQ(ask(all, "", "/"), 0);  // a request without Host, HTTP/1.0
  EXPECT_EQ(ask(all, "h", "*"), -1);
  EXPECT_EQ(ask(all, "h", ""), -1);
}

TEST(Table, TheFirstWins) {
  const std::vector<config::route> routes{prefix("/a/b"), prefix("/a"), exact("/a/b/c"),
                                          prefix("/")};
  const table all(routes);
  EXPECT_EQ(ask(all, "h", "/a/b/c"), 0);
  EXPECT_EQ(ask(all, "h", "/a/x"), 1);
  EXPECT_EQ(ask(all, "h", "/x"), 3);
  const std::vector<config::route> reversed{prefix("/"), exact("/a")};
  EXPECT_EQ(ask(table(reversed), "h", "/a"), 0);
}

TEST(Table, HostsAreComparedWithoutPortAndCase) {
  const std::vector<config::route> routes{
      prefix("/", {"api.example"}), prefix("/", {"[2001:db8::1]"}), prefix("/", {"192.0.2.1"})};
  const table all(routes);
  for (const char* host : {"api.example", "API.Example", "api.example:8443", "api.example.",
                           "api.example.:443", "api.example:"}) {
    EXPECT_EQ(ask(all, host, "/"), 0) << host;
  }
  EXPECT_EQ(ask(all, "[2001:DB8::1]:8443", "/"), 1);
  EXPECT_EQ(ask(all, "[2001:db8::1]", "/"), 1);
  EXPECT_EQ(ask(all, "192.0.2.1:80", "/"), 2);
  for (const char* host : {"", "example", "x.api.example", "api.examplex", "api.example..",
                           "[2001:db8::1", ":443", "[", "]"}) {
    EXPECT_EQ(ask(all, host, "/"), -1) << host;
  }
  EXPECT_EQ(ask(all, std::string(70000, 'a'), "/"), -1);
  EXPECT_EQ(ask(all, std::string(300, '.'), "/"), -1);
}

TEST(Table, AStarStandsForOneOrMoreLabels) {
  const std::vector<config::route> routes{prefix("/", {"*.b.example"}), prefix("/", {"a.example"}),
                                          prefix("/", {"*.example"}), prefix("/x", {"*"})};
  const table all(routes);
  EXPECT_EQ(ask(all, "a.b.example", "/"), 0);
  EXPECT_EQ(ask(all, "a.a.B.example:1", "/"), 0);
  EXPECT_EQ(ask(all, "b.example", "/"), 2);
  EXPECT_EQ(ask(all, "a.example", "/"), 1);
  EXPECT_EQ(ask(all, "c.d.e.example", "/"), 2);
  EXPECT_EQ(ask(all, "example", "/"), -1);
  EXPECT_EQ(ask(all, ".example", "/"), -1);
  EXPECT_EQ(ask(all, "xexample", "/"), -1);
  EXPECT_EQ(ask(all, "example", "/x"), 3);
}

TEST(Table, OrderHoldsAcrossHosts) {
  const std::vector<config::route> routes{prefix("/a"), prefix("/", {"x.example"}),
                                          prefix("/b", {"*.example"}),
                                          prefix("/a/b", {"x.example"})};
  const table all(routes);
  EXPECT_EQ(ask(all, "x.example", "/a/b"), 0);
  EXPECT_EQ(ask(all, "x.example", "/b"), 1);
  EXPECT_EQ(ask(all, "y.example", "/b"), 2);
}

TEST(Table, MethodsDecideBetweenRoutes) {
  const std::vector<config::route> routes{prefix("/a", {"*"}, {"POST"}),
                                          prefix("/a", {"*"}, {"GET"}),
                                          exact("/a/b", {"*"}, {"PURGE"}), prefix("/c")};
  const table all(routes);
  EXPECT_EQ(ask(all, "h", "/a", "POST"), 0);
  EXPECT_EQ(ask(all, "h", "/a", "GET"), 1);
  EXPECT_EQ(ask(all, "h", "/a", "HEAD"), 1);
  EXPECT_EQ(ask(all, "h", "/a/b", "PURGE"), 2);
  EXPECT_EQ(ask(all, "h", "/c", "WHATEVER"), 3);
  EXPECT_EQ(allow(all, "/a", "DELETE"), "GET, POST, HEAD");
  EXPECT_EQ(allow(all, "/a/b", "WHATEVER"), "GET, POST, HEAD, PURGE");
  EXPECT_EQ(allow(all, "/a", "get"), "GET, POST, HEAD");  // methods are told apart by case
  EXPECT_EQ(all.match("h", "/x", "GET").what, outcome::not_found);
}

TEST(Table, FoundCarriesItsRoute) {
  const std::vector<config::route> routes{exact("/a"), exact("/b")};
  const table all(routes);
  EXPECT_EQ(all.match("h", "/b", "GET").route, &routes[1]);
  EXPECT_EQ(table({}).match("h", "/", "GET").what, outcome::not_found);
}

TEST(Table, StripsThePrefixItMatched) {
  EXPECT_EQ(without_prefix(prefix("/api"), "/api/x"), "/x");
  EXPECT_EQ(without_prefix(prefix("/api"), "/api"), "/");
  EXPECT_EQ(without_prefix(prefix("/api"), "/api/"), "/");
  EXPECT_EQ(without_prefix(prefix("/api/"), "/api/x/y"), "/x/y");
  EXPECT_EQ(without_prefix(prefix("/api/"), "/api/"), "/");
  EXPECT_EQ(without_prefix(prefix("/"), "/x"), "/x");
  EXPECT_EQ(without_prefix(prefix("/"), "/"), "/");
}

}  // namespace
}  // namespace rw::route
