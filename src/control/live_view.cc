#include "control/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/json_text.h"
#include "control/limits_command.h"
#include "control/process.h"
#include "control/top_callers.h"
#include "control/top_view.h"

namespace rw::control {
namespace {

// Watchers wake up each `interval`, a little early or late.
constexpr std::chrono::milliseconds slack{100};

}  // namespace

io::task<> live_view::look() {
  const mono_time now = process_.loop().now();
  if (looking_) co_return;
  looking_ = true;
  if (made_.sample == 0 || now - sampled_ >= interval - slack) {
    metric_sample fresh(process_.metrics(), now);
    // What came long ago is no rate of now: the first look after a pause only begins one.
    if (now - sampled_ < 3 * interval) {
      const metric_change change(last_, fresh);
      top_table callers = callers_table(co_await find_top_callers(process_));
      sample_ = json_object()
                    .put("top", top_json(change, top_tables(change, std::move(callers))))
                    .put("upstreams", process_.upstreams_json())
                    .str();
      ++made_.sample;
    }
    last_ = std::move(fresh);
    sampled_ = now;
  }
  if (made_.status == 0 || now - status_at_ >= status_interval - slack) {
    status_at_ = now;
    const std::string keys = co_await fullest_keys();
    status_ = json_object().put("status", process_.status_json()).put("fullest_keys", keys).str();
    ++made_.status;
  }
  looking_ = false;
}

io::task<std::string> live_view::fullest_keys() {
  std::vector<std::string> names;
  for (const config::limit& one : process_.settings().limits) {
    if (one.rate.count != 0 && names.size() < limits_max) names.push_back(one.name);
  }
  std::vector<std::string> found;
  for (const std::string& name : names) {
    // A reload may have taken it away meanwhile.
    admin_answer one =
        co_await list_limits(process_, fmt::format("limits\t{}\t{}", name, keys_max));
    if (one.done) found.push_back(std::move(one.json));
  }
  co_return json_array(found);
}

std::string live_view::news(mark& seen) const {
  std::string text;
  if (seen.status != made_.status) text += fmt::format("event: status\ndata: {}\n\n", status_);
  if (seen.sample != made_.sample) text += fmt::format("event: sample\ndata: {}\n\n", sample_);
  seen = made_;
  return text;
}

}  // namespace rw::control
