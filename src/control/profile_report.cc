#include "control/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "control/json_text.h"
#include "control/text_table.h"

namespace rw::control {
namespace {

double seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::uint64_t sum(const phase_samples::counts& of) {
  return std::accumulate(of.begin(), of.end(), std::uint64_t{0});
}

worker_profile all_of(const gate_profile& of) {
  worker_profile all;
  for (const worker_profile& one : of.workers) {
    all.cpu += one.cpu;
    all.requests += one.requests;
    for (std::size_t i = 0; i < phase_count; ++i) all.samples[i] += one.samples[i];
  }
  return all;
}

// 0 where there is nothing to have a share of.
double share(const worker_profile& of, std::size_t phase) {
  const std::uint64_t all = sum(of.samples);
  return all == 0 ? 0 : static_cast<double>(of.samples[phase]) / static_cast<double>(all);
}

double percent(const gate_profile& of, nanoseconds cpu) {
  return of.time.count() == 0 ? 0 : 100 * seconds(cpu) / seconds(of.time);
}

// By share, the largest first.
std::vector<std::size_t> order_of(const phase_samples::counts& samples) {
  std::vector<std::size_t> order(phase_count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return samples[a] != samples[b] ? samples[a] > samples[b] : a < b;
  });
  return order;
}

std::string title(std::size_t phase) {
  return std::string(name_of(static_cast<enum phase>(phase)));
}

// Of 100 profiles of a gate that goes on as it does, 95 have each share within so many points.
double points(std::uint64_t samples) { return 98 / std::sqrt(static_cast<double>(samples)); }

std::string summary(const gate_profile& of, const worker_profile& all) {
  const std::uint64_t samples = sum(all.samples);
  std::string text = fmt::format("{:.1f} s, {} requests: {:.2f} s of CPU by workers",
                                 seconds(of.time), all.requests, seconds(all.cpu));
  if (all.requests > 0) {
    text += fmt::format(", {:.1f} us for each",
                        1e6 * seconds(all.cpu) / static_cast<double>(all.requests));
  }
  text += fmt::format("; {:.2f} s by other threads\n", seconds(of.other_threads));
  if (samples == 0) return text + "no sample: the workers had next to nothing to do\n";
  return text + fmt::format(
                    "{} samples, one for each {:.1f} ms of CPU: shares are right to {:.1f} "
                    "points\n",
                    samples, 1e3 * seconds(all.cpu) / static_cast<double>(samples),
                    points(samples));
}

std::string number(double value) { return fmt::format("{:.6g}", value); }

std::string phases_json(const worker_profile& of) {
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < phase_count; ++i) {
    const double cpu = seconds(of.cpu) * share(of, i);
    rows.push_back(
        json_object()
            .text("name", title(i))
            .number("samples", of.samples[i])
            .put("share", number(share(of, i)))
            .put("cpu_seconds", number(cpu))
            .put("us_per_request",
                 of.requests == 0 ? "null" : number(1e6 * cpu / static_cast<double>(of.requests)))
            .str());
  }
  return json_array(rows);
}

}  // namespace

std::string profile_text(const gate_profile& of) {
  const worker_profile all = all_of(of);
  std::string text = summary(of, all);
  if (sum(all.samples) == 0) return text;
  const std::vector<std::size_t> order = order_of(all.samples);
  text_rows phases = {{"PHASE", "SHARE", "SAMPLES", "US/REQUEST"}};
  for (const std::size_t i : order) {
    const double us = 1e6 * seconds(all.cpu) * share(all, i) / static_cast<double>(all.requests);
    phases.push_back({title(i), fmt::format("{:.1f}%", 100 * share(all, i)),
                      fmt::format("{}", all.samples[i]),
                      all.requests == 0 ? "-" : fmt::format("{:.2f}", us)});
  }
  text += "\n" + align(phases, 1) + "\n";
  text_rows rows = {{"WORKER", "CPU", "REQUESTS", "SAMPLES"}};
  for (const std::size_t i : order) rows.front().push_back(title(i));
  for (std::size_t w = 0; w < of.workers.size(); ++w) {
    const worker_profile& one = of.workers[w];
    rows.push_back({fmt::format("{}", w), fmt::format("{:.1f}%", percent(of, one.cpu)),
                    fmt::format("{}", one.requests), fmt::format("{}", sum(one.samples))});
    for (const std::size_t i : order) {
      rows.back().push_back(fmt::format("{:.1f}%", 100 * share(one, i)));
    }
  }
  return text + align(rows, 1);
}

std::string profile_json(const gate_profile& of) {
  const worker_profile all = all_of(of);
  const std::uint64_t samples = sum(all.samples);
  std::vector<std::string> rows;
  rows.reserve(of.workers.size());
  for (std::size_t w = 0; w < of.workers.size(); ++w) {
    const worker_profile& one = of.workers[w];
    rows.push_back(json_object()
                       .text("name", fmt::format("{}", w))
                       .number("requests", one.requests)
                       .put("cpu_seconds", number(seconds(one.cpu)))
                       .put("cpu_percent", number(percent(of, one.cpu)))
                       .number("samples", sum(one.samples))
                       .put("phases", phases_json(one))
                       .str());
  }
  return json_object()
      .put("seconds", number(seconds(of.time)))
      .number("requests", all.requests)
      .put("cpu_seconds", number(seconds(all.cpu)))
      .put("cpu_percent", number(percent(of, all.cpu)))
      .put("other_threads_cpu_seconds", number(seconds(of.other_threads)))
      .number("samples", samples)
      .put("sample_interval_ms",
           samples == 0 ? "null" : number(1e3 * seconds(all.cpu) / static_cast<double>(samples)))
      .put("phases", phases_json(all))
      .put("workers", json_array(rows))
      .str();
}

}  // namespace rw::control
