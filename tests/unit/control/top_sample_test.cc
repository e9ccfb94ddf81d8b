#include "control/top_sample.h"

#include <gtest/gtest.h>

#include <string>

#include "control/top_callers.h"
#include "control/top_view.h"

namespace rw::control {
namespace {

using std::chrono::seconds;

metric_sample at(int second, const std::string& text) {
  return {text, mono_time{} + seconds{second}};
}

TEST(TopSample, ReadsSeriesAndPassesOverTheRest) {
  const metric_sample read = at(0, R"(# HELP a Something.
# TYPE a counter
a 3
b{x="1",y="2"} 4.5
b{x="1",y="3"} 5
no_number x
half{x="1" 5
)");
  EXPECT_EQ(read.value("a"), 3);
  EXPECT_EQ(read.value("b", R"(x="1",y="3")"), 5);
  EXPECT_EQ(read.value("b"), 0);
  EXPECT_EQ(read.value("c"), 0);
  EXPECT_EQ(read.sum("b"), 9.5);
  EXPECT_EQ(read.values_of("b", "y"), (std::vector<std::string>{"2", "3"}));
  EXPECT_EQ(read.values_of("b", "x"), std::vector<std::string>{"1"});
}

TEST(TopSample, ALabelMayHaveQuotesInIt) {
  EXPECT_EQ(label_in(R"(a="x\"y\\z",b="2")", "a"), R"(x"y\z)");
  EXPECT_EQ(label_in(R"(a="x\",b=\"1",b="2")", "b"), "2");
  for (const char* broken : {"", "a", "a=", "a=\"", "a=\"x", "a=\"x\\", "=\"x\""}) {
    EXPECT_EQ(label_in(broken, "b"), "") << broken;
  }
}

TEST(TopSample, RatesArePerSecondAndARestartIsNoNegativeOne) {
  const metric_sample first = at(0, "a{x=\"1\"} 10\na{x=\"2\"} 100\n");
  const metric_sample second = at(4, "a{x=\"1\"} 30\na{x=\"2\"} 40\n");
  const metric_change change(first, second);
  EXPECT_EQ(change.rate("a", "x=\"1\""), 5);
  EXPECT_EQ(change.rate("a", "x=\"2\""), 10);  // began anew
  EXPECT_EQ(change.rate("none"), 0);
}

std::string histogram(int low, int middle, int all) {
  const auto line = [](const char* bound, int count) {
    return "h_bucket{r=\"a\",le=\"" + std::string(bound) + "\"} " + std::to_string(count) + "\n";
  };
  return line("0.1", low) + line("0.2", middle) + line("+Inf", all);
}

TEST(TopSample, QuantilesAreOfWhatCameMeanwhile) {
  const metric_sample first = at(0, histogram(1000, 1000, 1000));
  const metric_sample second = at(1, histogram(1050, 1100, 1100));
  const metric_change change(first, second);
  EXPECT_NEAR(change.quantile("h", "r=\"a\"", 0.25), 0.05, 1e-9);
  EXPECT_NEAR(change.quantile("h", "r=\"a\"", 0.75), 0.15, 1e-9);
  EXPECT_NEAR(change.quantile("h", "", 0.75), 0.15, 1e-9);
  EXPECT_EQ(change.quantile("h", "r=\"b\"", 0.5), 0);
  EXPECT_EQ(metric_change(second, second).quantile("h", "r=\"a\"", 0.5), 0);
  const metric_sample slow = at(2, histogram(1050, 1100, 1200));
  EXPECT_EQ(metric_change(second, slow).quantile("h", "r=\"a\"", 0.5), 0.2);  // more, at least
}

TEST(TopView, RowsAreSortedByAnyColumn) {
  top_table table{"ROUTE", "routes", {{"A", "a", top_column::kind::rate}}, {}};
  table.rows = {{"x", {1}}, {"z", {3}}, {"y", {2}}};
  const auto order = [&table] {
    std::string names;
    for (const top_row& one : table.rows) names += one.name;
    return names;
  };
  sort_rows(table, "A");
  EXPECT_EQ(order(), "zyx");
  sort_rows(table, "none");
  EXPECT_EQ(order(), "zyx");
  sort_rows(table, "");
  EXPECT_EQ(order(), "xyz");
  EXPECT_EQ(top_text(table, "A"), "ROUTE   A*\nx      1.0\ny      2.0\nz      3.0\n");
}

TEST(TopCallers, WhatOneGateWritesAnotherReads) {
  const std::vector<top_row> rows = {{"alice", {1234.5, 0, 1e9, .25}},
                                     {"address ::/64", {1, 2, 3, 4}}};
  const std::string text = callers_text(rows);
  EXPECT_EQ(text, "1234.5\t0\t1e+09\t0.25\talice\n1\t2\t3\t4\taddress ::/64\n");
  const std::vector<top_row> read = read_callers(text);
  ASSERT_EQ(read.size(), 2);
  EXPECT_EQ(read[0].name, "alice");
  EXPECT_EQ(read[0].values, rows[0].values);
  EXPECT_EQ(top_text(callers_table(read), "REQ/S"),
            "CALLER         REQ/S*  REFUSED/S  IN/S  OUT/S\n"
            "alice            1234        0.0  954M      0\n"
            "address ::/64     1.0        2.0     3      4\n");
  EXPECT_TRUE(read_callers("no such command\n\n1\t2\t3\tx\n1\t2\t3\t4\t\n").empty());
}

}  // namespace
}  // namespace rw::control
