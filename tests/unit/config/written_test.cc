#include "config/written.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace rw::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

written of(std::string_view text) {
  report out;
  out.add_file("test.toml");
  written all = write_down(parse_toml(text, 0, out));
  EXPECT_FALSE(out.has_error()) << text;
  return all;
}

std::vector<std::string> between(std::string_view before, std::string_view after) {
  return differences(of(before), of(after));
}

TEST(Written, TheSameIsTheSameHoweverItIsLaidOut) {
  EXPECT_THAT(between("[server]\nworkers = 2\nbuffers = \"8MiB\"\n",
                      "# a comment\n[server]\nbuffers='8MiB'\nworkers=0x2\n"),
              IsEmpty());
  EXPECT_THAT(between("[[route]]\nname='a'\nrequest_headers = { set = { x = 'y' } }\n",
                      "[[route]]\nname='a'\n[route.request_headers.set]\nx = 'y'\n"),
              IsEmpty());
  EXPECT_THAT(between("", ""), IsEmpty());
}

TEST(Written, TablesComeAndGoByName) {
  EXPECT_THAT(between("[[route]]\nname='a'\n[[route]]\nname='b'\n[ban]\n",
                      "[[route]]\nname='b'\n[[route]]\nname='c'\n[auth.jwt.main]\nissuer='x'\n"),
              ElementsAre("- ban", "- route a", "+ auth.jwt.main", "+ route c"));
}

TEST(Written, KeysSayWhatTheyWereAndAre) {
  EXPECT_THAT(between("[[listener]]\nname='l'\naddress='a'\nmax_connections = 5\n"
                      "[listener.tls]\nmin_version='1.2'\n[server]\nworkers='auto'\n",
                      "[[listener]]\nname='l'\naddress='a'\nprotocols = ['h2', 'http/1.1']\n"
                      "[listener.tls]\nmin_version='1.3'\n[server]\nworkers=4\n"),
              ElementsAre("~ listener l: max_connections 5 -> not written",
                          "~ listener l: tls.min_version \"1.2\" -> \"1.3\"",
                          "~ listener l: protocols not written -> [\"h2\", \"http/1.1\"]",
                          "~ server: workers \"auto\" -> 4"));
}

TEST(Written, ListsOfTablesAreValues) {
  EXPECT_THAT(between("[[upstream]]\nname='o'\nservers=[{ address = 'a:1', backup = true }]\n",
                      "[[upstream]]\nname='o'\nservers=[{ address = 'a:1', weight = 2.5 }]\n"),
              ElementsAre("~ upstream o: servers [{ address = \"a:1\", backup = true }] -> "
                          "[{ address = \"a:1\", weight = 2.5 }]"));
}

TEST(Written, TheOrderOfRoutesMatters) {
  EXPECT_THAT(between("[[route]]\nname='a'\n[[route]]\nname='b'\n[[route]]\nname='c'\n",
                      "[[route]]\nname='new'\n[[route]]\nname='b'\n[[route]]\nname='a'\n"),
              ElementsAre("- route c", "+ route new", "~ the order of routes: b, a"));
  EXPECT_THAT(between("[[limit]]\nname='a'\n[[limit]]\nname='b'\n",
                      "[[limit]]\nname='b'\n[[limit]]\nname='a'\n"),
              IsEmpty());
}

TEST(Written, TextIsOnOneLine) {
  EXPECT_THAT(between("[[route]]\nname='a'\nbody=\"x\"\n",
                      "[[route]]\nname='a'\nbody=\"a\\n\\\"b\\\"\\\\\"\n"),
              ElementsAre("~ route a: body \"x\" -> \"a\\n\\\"b\\\"\\\\\""));
}

}  // namespace
}  // namespace rw::config
