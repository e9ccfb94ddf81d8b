#include <fmt/format.h>

#include <iterator>

#include "control/upstream_board.h"
#include "observe/exposition.h"

namespace rw::control {
namespace {

std::string label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

void upstream_board::expose(mono_time now, std::string& out) const {
  const auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                          auto&& value) {
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    for (const entry& one : entries_) {
      fmt::format_to(std::back_inserter(out), "{}{{upstream=\"{}\",server=\"{}\"", name,
                     label(one.plan->settings->name), label(one.server().name));
      value(one);
    }
  };
  const auto number = [&](std::uint64_t n) {
    fmt::format_to(std::back_inserter(out), "}} {}\n", n);
  };
  family("ringward_upstream_server_usable", "gauge", "1 while the server gets requests.",
         [&](const entry& one) { number(one.health->usable() ? 1 : 0); });
  family("ringward_upstream_server_state", "gauge",
         "1, with the server's state and the reason of the last change as labels.",
         [&](const entry& one) {
           fmt::format_to(std::back_inserter(out), ",state=\"{}\",reason=\"{}\"}} 1\n",
                          upstream::name(one.standing(now)), one.health->why());
         });
  family("ringward_upstream_server_ejections_total", "counter",
         "Times the server was taken out for what requests saw.",
         [&](const entry& one) { number(one.health->ejections()); });
  family("ringward_upstream_server_under_way", "gauge", "Requests under way at the server.",
         [&](const entry& one) { number(count(*one.health).under_way); });
  family("ringward_upstream_server_requests_total", "counter",
         "Requests sent to the server, second tries included.",
         [&](const entry& one) { number(count(*one.health).requests); });
  family("ringward_upstream_server_failures_total", "counter",
         "Of those, the ones that failed by its fault: no connection, no answer in time, cut off, "
         "or 500, 502, 503, 504.",
         [&](const entry& one) { number(count(*one.health).failed); });
  constexpr std::string_view timeouts = "ringward_upstream_server_timeouts_total";
  fmt::format_to(std::back_inserter(out),
                 "# HELP {0} Deadlines of upstream.timeouts that the server has missed.\n"
                 "# TYPE {0} counter\n",
                 timeouts);
  for (const entry& one : entries_) {
    for (const observe::deadline which : observe::deadlines_of_servers) {
      fmt::format_to(std::back_inserter(out),
                     "{}{{upstream=\"{}\",server=\"{}\",deadline=\"{}\"}} {}\n", timeouts,
                     label(one.plan->settings->name), label(one.server().name),
                     observe::name(which), missed(one, which));
    }
  }
  family("ringward_upstream_server_idle_connections", "gauge",
         "Connections kept for the next request. As of the last second.",
         [&](const entry& one) { number(count(*one.health).idle); });
  expose_handshakes(out);
  out +=
      "# HELP ringward_upstream_waiting Requests that wait for one of max_requests_in_flight.\n"
      "# TYPE ringward_upstream_waiting gauge\n";
  for (const gateway::upstream_plan& plan : state_->upstreams) {
    fmt::format_to(std::back_inserter(out), "ringward_upstream_waiting{{upstream=\"{}\"}} {}\n",
                   label(plan.settings->name),
                   plan.health.common().waiting.load(std::memory_order_relaxed));
  }
}

// Of the upstreams that speak TLS.
void upstream_board::expose_handshakes(std::string& out) const {
  const auto each = [&](auto&& write) {
    for (const entry& one : entries_) {
      if (!one.plan->settings->has_tls) continue;
      write(one, fmt::format("upstream=\"{}\",server=\"{}\"", label(one.plan->settings->name),
                             label(one.server().name)));
    }
  };
  constexpr std::string_view handshakes = "ringward_upstream_tls_handshakes_total";
  fmt::format_to(std::back_inserter(out),
                 "# HELP {0} TLS handshakes with the server, by result.\n# TYPE {0} counter\n",
                 handshakes);
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
  fmt::format_to(std::back_inserter(out),
                 "# HELP {0} Those that were completed, without the connecting.\n"
                 "# TYPE {0} histogram\n",
                 took);
  each([&](const entry& one, const std::string& labels) {
    std::vector<const observe::histogram*> parts;
    for (const upstream::server_counts& part : one.health->counts()) {
      parts.push_back(&part.handshakes);
    }
    observe::append_histogram(took, labels, parts, out);
  });
}

}  // namespace rw::control
