#include "control/top_callers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"
#include "control/census.h"
#include "control/process.h"
#include "gateway/worker.h"
#include "net/address.h"

namespace rw::control {
namespace {

using gateway::caller_row;
using sums = std::map<std::string, std::vector<double>, std::less<>>;

std::string name_of(const caller_row& one) {
  if (!one.identity.empty()) return one.identity;
  const net::endpoint_text address(one.address, one.is_unix);
  return fmt::format("address {}{}", address.view(), address.view().contains(':') ? "/64" : "");
}

// A caller of several workers is one.
void add(sums& to, const std::vector<caller_row>& rows) {
  for (const caller_row& one : rows) {
    std::vector<double>& sum = to[name_of(one)];
    sum.resize(4);
    sum[0] += one.requests;
    sum[1] += one.refused;
    sum[2] += one.bytes_in;
    sum[3] += one.bytes_out;
  }
}

}  // namespace

io::task<std::vector<top_row>> find_top_callers(process& of) {
  if (!of.ready()) co_return {};
  const auto found = std::make_shared<sums>();
  gateway::question asked;
  asked.look = [found](gateway::worker& on) -> std::function<void()> {
    return [found, rows = on.callers().rates(on.loop().now())] { add(*found, rows); };
  };
  co_await ask_workers(of, std::move(asked));
  std::vector<top_row> rows;
  for (const auto& [name, values] : *found) rows.push_back({name, values});
  std::ranges::sort(rows, [](const top_row& a, const top_row& b) {
    return a.values != b.values ? a.values > b.values : a.name < b.name;
  });
  rows.resize(std::min(rows.size(), top_callers_max));
  co_return rows;
}

top_table callers_table(std::vector<top_row> rows) {
  using kind = top_column::kind;
  return {"CALLER",
          "callers",
          {{"REQ/S", "requests_per_second", kind::rate},
           {"REFUSED/S", "refused_per_second", kind::rate},
           {"IN/S", "bytes_in_per_second", kind::bytes},
           {"OUT/S", "bytes_out_per_second", kind::bytes}},
          std::move(rows)};
}

std::string callers_text(const std::vector<top_row>& rows) {
  std::string text;
  for (const top_row& one : rows) {
    for (const double value : one.values) text += fmt::format("{:.6g}\t", value);
    text += one.name + "\n";
  }
  return text;
}

std::vector<top_row> read_callers(std::string_view text) {
  const std::size_t columns = callers_table({}).columns.size();
  std::vector<top_row> rows;
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    top_row one;
    for (std::size_t i = 0; i < columns; ++i) {
      const auto value = read_number(cut(line, '\t'));
      if (value) one.values.push_back(*value);
    }
    one.name = line;
    if (one.values.size() == columns && !line.empty()) rows.push_back(std::move(one));
  }
  return rows;
}

}  // namespace rw::control
