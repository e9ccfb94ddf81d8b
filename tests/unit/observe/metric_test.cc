#include "observe/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace rw::observe {
namespace {

using testing::MatchesRegex;

// Prometheus' conventions, beyond what promtool looks at (the exposition's test asks that).
TEST(Metrics, NamesSayTypeAndUnit) {
  std::set<std::string_view> seen;
  for (const metric& one : metrics()) {
    SCOPED_TRACE(one.name);
    EXPECT_TRUE(seen.insert(one.name).second) << "twice";
    EXPECT_THAT(std::string(one.name), MatchesRegex("ringward_[a-z0-9_]+"));
    std::string_view stem = one.name;
    EXPECT_EQ(stem.ends_with("_total"), one.type == metric::kind::counter);
    if (stem.ends_with("_total")) stem.remove_suffix(6);
    if (!one.unit.empty()) {
      EXPECT_THAT(std::string(one.unit), testing::AnyOf("seconds", "bytes"));
      EXPECT_TRUE(stem.ends_with(one.unit));
    }
    for (const char* reserved : {"_count", "_sum", "_bucket", "_info"}) {
      EXPECT_TRUE(!stem.ends_with(reserved) || one.name == "ringward_build_info");
    }
    EXPECT_TRUE(one.help.ends_with('.'));
    EXPECT_EQ(one.help.find_first_of("\n\\|"), std::string_view::npos);
  }
}

// Who calls is for the access log and `ringward status`: a series for each would have no bound.
TEST(Metrics, NoLabelNamesACaller) {
  for (const metric& one : metrics()) {
    std::istringstream labels{std::string(one.labels)};
    for (std::string label; std::getline(labels, label, ',');) {
      EXPECT_THAT(label, testing::Not(testing::AnyOf("identity", "client", "address", "path", "key",
                                                     "user_agent", "le")))
          << one.name;
      EXPECT_THAT(label, MatchesRegex("[a-z_]+"));
    }
  }
}

TEST(Metrics, OneThatTheTableLacksCannotBeShown) {
  std::string out;
  EXPECT_DEATH(begin_metric("ringward_unheard_of", out), "metric");
  begin_metric("ringward_bans", out);
  EXPECT_EQ(out, "# HELP ringward_bans Bans in force.\n# TYPE ringward_bans gauge\n");
}

std::string page() {
  std::string text =
      "# Metrics\n\n"
      "`http://127.0.0.1:9180/metrics` (`admin.address`) in Prometheus' text format: counters "
      "since the start,\n"
      "gauges as of now. No label names a caller: those are in the access log. All\n"
      "values of labels are from a closed set, or names of the configuration, of which at most "
      "1,023 are kept\n"
      "over all reloads (what comes later is `other`). A histogram has 22 buckets, from 64 us on, "
      "each bound\n"
      "twice the one before.\n\n"
      "A scrape is made by the control thread, from counters that each worker writes with plain "
      "stores: no\n"
      "worker is asked, woken or waited for. [operations.md](operations.md) says what to watch;\n"
      "packaging/prometheus/ringward.rules.yml has alerts.\n\n"
      "This page is made of the table in src/observe/metric.cc:\n"
      "`RW_WRITE_DOCS=1 ./dev test unit observe` writes it anew.\n\n"
      "| metric | type | labels | what it is |\n|---|---|---|---|\n";
  for (const metric& one : metrics()) {
    std::string labels;
    std::istringstream list{std::string(one.labels)};
    for (std::string label; std::getline(list, label, ',');) {
      labels += (labels.empty() ? "`" : ", `") + label + "`";
    }
    text += "| `" + std::string(one.name) + "` | " + std::string(name(one.type)) + " | " + labels +
            " | " + std::string(one.help) + " |\n";
  }
  return text;
}

TEST(Metrics, TheDocumentationIsThatOfTheTable) {
  const char* vectors = std::getenv("RW_VECTORS");
  ASSERT_NE(vectors, nullptr);
  const std::string path = std::string(vectors) + "/../../docs/metrics.md";
  if (std::getenv("RW_WRITE_DOCS") != nullptr) std::ofstream(path) << page();
  std::ostringstream there;
  there << std::ifstream(path).rdbuf();
  EXPECT_EQ(there.str(), page()) << "RW_WRITE_DOCS=1 ./dev test unit observe writes it anew";
}

}  // namespace
}  // namespace rw::observe
