#include "control/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "control/json_text.h"
#include "control/text_table.h"

namespace rw::control {
namespace {

using kind = top_column::kind;

constexpr std::string_view durations = "ringward_request_duration_seconds";
constexpr std::string_view first_bytes = "ringward_upstream_first_byte_duration_seconds";

// As it stands in a series.
std::string labelled(std::string_view label, std::string_view value) {
  std::string text = fmt::format("{}=\"", label);
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

top_table routes(const metric_change& change) {
  top_table made{"ROUTE",
                 "routes",
                 {{"REQ/S", "requests_per_second", kind::rate},
                  {"4XX/S", "4xx_per_second", kind::rate},
                  {"5XX/S", "5xx_per_second", kind::rate},
                  {"P50", "p50_seconds", kind::seconds},
                  {"P90", "p90_seconds", kind::seconds},
                  {"P99", "p99_seconds", kind::seconds}},
                 {}};
  constexpr std::string_view requests = "ringward_requests_total";
  for (const std::string& name : change.now().values_of(requests, "route")) {
    const std::string label = labelled("route", name);
    const auto of_class = [&](char first) {
      return change.rate(requests, fmt::format("{},code=\"{}xx\"", label, first));
    };
    double all = 0;
    for (const char first : {'1', '2', '3', '4', '5'}) all += of_class(first);
    made.rows.push_back(
        {name,
         {all, of_class('4'), of_class('5'), change.quantile(durations, label, .5),
          change.quantile(durations, label, .9), change.quantile(durations, label, .99)}});
  }
  return made;
}

top_table upstreams(const metric_change& change) {
  top_table made{"UPSTREAM",
                 "upstreams",
                 {{"REQ/S", "requests_per_second", kind::rate},
                  {"FAILED/S", "failed_per_second", kind::rate},
                  {"P50", "p50_first_byte_seconds", kind::seconds},
                  {"P90", "p90_first_byte_seconds", kind::seconds},
                  {"P99", "p99_first_byte_seconds", kind::seconds}},
                 {}};
  constexpr std::string_view requests = "ringward_upstream_requests_total";
  for (const std::string& name : change.now().values_of(requests, "upstream")) {
    const std::string label = labelled("upstream", name);
    const double failed = change.rate(requests, label + ",outcome=\"failed\"");
    made.rows.push_back(
        {name,
         {change.rate(requests, label + ",outcome=\"answered\"") + failed, failed,
          change.quantile(first_bytes, label, .5), change.quantile(first_bytes, label, .9),
          change.quantile(first_bytes, label, .99)}});
  }
  return made;
}

top_table limits(const metric_change& change) {
  top_table made{"LIMIT",
                 "limits",
                 {{"ADMITTED/S", "admitted_per_second", kind::rate},
                  {"REFUSED/S", "refused_per_second", kind::rate},
                  {"SHADOW/S", "shadow_refused_per_second", kind::rate}},
                 {}};
  constexpr std::string_view decisions = "ringward_limit_decisions_total";
  for (const std::string& name : change.now().values_of(decisions, "limit")) {
    const std::string label = labelled("limit", name) + ",outcome=";
    made.rows.push_back({name,
                         {change.rate(decisions, label + "\"admitted\""),
                          change.rate(decisions, label + "\"refused\""),
                          change.rate(decisions, label + "\"shadow_refused\"")}});
  }
  return made;
}

top_table refusals(const metric_change& change) {
  top_table made{"REFUSAL", "refusals", {{"REFUSED/S", "refused_per_second", kind::rate}}, {}};
  constexpr std::string_view reasons = "ringward_refusals_total";
  for (const std::string& name : change.now().values_of(reasons, "reason")) {
    made.rows.push_back({name, {change.rate(reasons, labelled("reason", name))}});
  }
  return made;
}

top_table workers(const metric_change& change) {
  top_table made{"WORKER",
                 "workers",
                 {{"CPU", "cpu_percent", kind::percent},
                  {"REQ/S", "requests_per_second", kind::rate},
                  {"CONNECTIONS", "connections", kind::count}},
                 {}};
  constexpr std::string_view cpu = "ringward_worker_cpu_seconds_total";
  for (const std::string& name : change.now().values_of(cpu, "worker")) {
    const std::string label = labelled("worker", name);
    made.rows.push_back(
        {name,
         {change.rate(cpu, label) * 100, change.rate("ringward_worker_requests_total", label),
          change.now().value("ringward_worker_connections", label)}});
  }
  return made;
}

std::string cell_text(double value, kind is) {
  switch (is) {
    case kind::rate:
      return fmt::format("{:.{}f}", value, value < 10 ? 1 : 0);
    case kind::bytes:
      return bytes_text(static_cast<std::uint64_t>(value));
    case kind::seconds:
      return value == 0 ? "-" : duration_text(value * 1e9);
    case kind::percent:
      return fmt::format("{:.0f}%", value);
    case kind::count:
      return fmt::format("{:.0f}", value);
  }
  return {};
}

std::string json_number(double value) { return fmt::format("{:.6g}", value); }

}  // namespace

std::vector<top_table> top_tables(const metric_change& change, top_table callers) {
  std::vector<top_table> all;
  all.push_back(routes(change));
  all.push_back(std::move(callers));
  all.push_back(upstreams(change));
  all.push_back(limits(change));
  all.push_back(refusals(change));
  all.push_back(workers(change));
  return all;
}

void sort_rows(top_table& table, std::string_view column) {
  const auto at = std::ranges::find(table.columns, column, &top_column::title);
  if (at == table.columns.end() && !column.empty()) return;
  const auto i = static_cast<std::size_t>(at - table.columns.begin());
  const bool by_name = column.empty();
  std::ranges::sort(table.rows, [by_name, i](const top_row& a, const top_row& b) {
    if (!by_name && a.values[i] != b.values[i]) return a.values[i] > b.values[i];
    return a.name < b.name;
  });
}

std::string top_summary(const metric_change& change) {
  const metric_sample& now = change.now();
  const auto speed = [&change](std::string_view name) {
    return bytes_text(static_cast<std::uint64_t>(change.rate(name)));
  };
  const auto quantile = [&change](double part) {
    return cell_text(change.quantile(durations, {}, part), kind::seconds);
  };
  return fmt::format(
      "{:.0f} requests/s, {:.0f} refusals/s, {:.0f} connections, {:.0f} new/s, {}B/s in, {}B/s "
      "out\np50 {}, p90 {}, p99 {}; CPU of the workers {:.0f}%, memory {}B, {:.0f} bans\n",
      change.rate_of_all("ringward_requests_total"), change.rate_of_all("ringward_refusals_total"),
      now.value("ringward_connections"), change.rate("ringward_connections_accepted_total"),
      speed("ringward_request_body_bytes_total"), speed("ringward_response_bytes_total"),
      quantile(.5), quantile(.9), quantile(.99),
      change.rate_of_all("ringward_worker_cpu_seconds_total") * 100,
      bytes_text(static_cast<std::uint64_t>(now.value("ringward_resident_memory_bytes"))),
      now.value("ringward_bans"));
}

std::string top_text(const top_table& table, std::string_view sorted_by) {
  text_rows rows;
  std::vector<std::string> titles = {std::string(table.title) + (sorted_by.empty() ? "*" : "")};
  for (const top_column& one : table.columns) {
    titles.push_back(std::string(one.title) + (one.title == sorted_by ? "*" : ""));
  }
  rows.push_back(std::move(titles));
  for (const top_row& one : table.rows) {
    std::vector<std::string> cells = {one.name};
    for (std::size_t i = 0; i < one.values.size(); ++i) {
      cells.push_back(cell_text(one.values[i], table.columns[i].is));
    }
    rows.push_back(std::move(cells));
  }
  return align(rows, 1);
}

std::string top_json(const metric_change& change, const std::vector<top_table>& tables) {
  const metric_sample& now = change.now();
  json_object out;
  out.put("seconds", json_number(change.seconds()))
      .put("requests_per_second", json_number(change.rate_of_all("ringward_requests_total")))
      .put("refusals_per_second", json_number(change.rate_of_all("ringward_refusals_total")))
      .put("connections", json_number(now.value("ringward_connections")))
      .put("p50_seconds", json_number(change.quantile(durations, {}, .5)))
      .put("p90_seconds", json_number(change.quantile(durations, {}, .9)))
      .put("p99_seconds", json_number(change.quantile(durations, {}, .99)))
      .put("cpu_percent",
           json_number(change.rate_of_all("ringward_worker_cpu_seconds_total") * 100));
  for (const top_table& table : tables) {
    std::vector<std::string> rows;
    for (const top_row& row : table.rows) {
      json_object one;
      one.text("name", row.name);
      for (std::size_t i = 0; i < row.values.size(); ++i) {
        one.put(table.columns[i].key, json_number(row.values[i]));
      }
      rows.push_back(one.str());
    }
    out.put(table.key, json_array(rows));
  }
  return out.str();
}

}  // namespace rw::control
