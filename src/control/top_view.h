// What `ringward top` shows: tables of what a gate has done between two samples of its metrics.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/top_sample.h"

namespace rw::control {

struct top_column {
  enum class kind : std::uint8_t { rate, bytes, seconds, percent, count };
  std::string_view title;  // "P99"
  std::string_view key;    // in JSON: "p99_seconds"
  kind is;
};

struct top_row {
  std::string name;
  std::vector<double> values;  // of each column
};

struct top_table {
  std::string_view title;  // "ROUTE"
  std::string_view key;    // in JSON: "routes"
  std::vector<top_column> columns;
  std::vector<top_row> rows;
};

// By route, caller, upstream, limit, reason of refusal and worker, in this order; rows in that of
// the page. `callers` as callers_table() makes it.
std::vector<top_table> top_tables(const metric_change& change, top_table callers);

// By the column of that title, the largest first, then by name; "": by name alone; any other word:
// as they are.
void sort_rows(top_table& table, std::string_view column);

// All of the gate, in two lines.
std::string top_summary(const metric_change& change);
// Aligned, with a line of titles; that of `sorted_by` has an asterisk.
std::string top_text(const top_table& table, std::string_view sorted_by);
// One object.
std::string top_json(const metric_change& change, const std::vector<top_table>& tables);

}  // namespace rw::control
