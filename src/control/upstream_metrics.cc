#include <fmt/format.h>

#include <iterator>

#include "control/upstream_board.h"
#include "observe/exposition.h"
#include "observe/metric.h"

namespace rw::control {

using observe::label_value;

void upstream_board::expose(mono_time now, std::string& out) const {
  const auto family = [&](std::string_view name, auto&& value) {
    observe::begin_metric(name, out);
    for (const entry& one : entries_) {
      fmt::format_to(std::back_inserter(out), "{}{{upstream=\"{}\",server=\"{}\"", name,
                     label_value(one.plan->settings->name), label_value(one.server().name));
      value(one);
    }
  };
  const auto number = [&](std::uint64_t n) {
    fmt::format_to(std::back_inserter(out), "}} {}\n", n);
  };
  family("ringward_upstream_server_usable",
         [&](const entry& one) { number(one.health->usable() ? 1 : 0); });
  family("ringward_upstream_server_state", [&](const entry& one) {
    fmt::format_to(std::back_inserter(out), ",state=\"{}\",reason=\"{}\"}} 1\n",
                   upstream::name(one.standing(now)), one.health->why());
  });
  family("ringward_upstream_server_ejections_total",
         [&](const entry& one) { number(one.health->ejections()); });
  family("ringward_upstream_server_under_way",
         [&](const entry& one) { number(count(*one.health).under_way); });
  family("ringward_upstream_server_requests_total",
         [&](const entry& one) { number(count(*one.health).requests); });
  family("ringward_upstream_server_failures_total",
         [&](const entry& one) { number(count(*one.health).failed); });
  constexpr std::string_view timeouts = "ringward_upstream_server_timeouts_total";
  observe::begin_metric(timeouts, out);
  for (const entry& one : entries_) {
    for (const observe::deadline which : observe::deadlines_of_servers) {
      fmt::format_to(std::back_inserter(out),
                     "{}{{upstream=\"{}\",server=\"{}\",deadline=\"{}\"}} {}\n", timeouts,
                     label_value(one.plan->settings->name), label_value(one.server().name),
                     observe::name(which), missed(one, which));
    }
  }
  family("ringward_upstream_server_idle_connections",
         [&](const entry& one) { number(count(*one.health).idle); });
  expose_handshakes(out);
  observe::begin_metric("ringward_upstream_waiting", out);
  for (const gateway::upstream_plan& plan : state_->upstreams) {
    fmt::format_to(std::back_inserter(out), "ringward_upstream_waiting{{upstream=\"{}\"}} {}\n",
                   label_value(plan.settings->name),
                   plan.health.common().waiting.load(std::memory_order_relaxed));
  }
}

// Of the upstreams that speak TLS.
void upstream_board::expose_handshakes(std::string& out) const {
  const auto each = [&](auto&& write) {
    for (const entry& one : entries_) {
      if (!one.plan->settings->has_tls) continue;
      write(one, fmt::format("upstream=\"{}\",server=\"{}\"", label_value(one.plan->settings->name),
                             label_value(one.server().name)));
    }
  };
  constexpr std::string_view handshakes = "ringward_upstream_tls_handshakes_total";
  observe::begin_metric(handshakes, out);
  each([&](const entry& one, const std::string& labels) {
    std::uint64_t full = 0;
    std::uint64_t resumed = 0;
    std::uint64_t failed = 0;
    for (const upstream::server_counts& part : one.health->counts()) {
      full += part.tls_full.get();
      resumed += part.tls_resumed.get();
      failed += part.tls_failed.get();
    }
    for (const auto& [result, n] :
         {std::pair{"full", full}, std::pair{"resumed", resumed}, std::pair{"failed", failed}}) {
      fmt::format_to(std::back_inserter(out), "{}{{{},result=\"{}\"}} {}\n", handshakes, labels,
                     result, n);
    }
  });
  constexpr std::string_view took = "ringward_upstream_tls_handshake_duration_seconds";
  observe::begin_metric(took, out);
  each([&](const entry& one, const std::string& labels) {
    std::vector<const observe::histogram*> parts;
    for (const upstream::server_counts& part : one.health->counts()) {
      parts.push_back(&part.handshakes);
    }
    observe::append_histogram(took, labels, parts, out);
  });
}

}  // namespace rw::control
