#include "observe/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <set>
#include <sstream>

namespace rw::observe {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

struct world {
  std::unique_ptr<counters> first = std::make_unique<counters>();
  std::unique_ptr<counters> second = std::make_unique<counters>();
  label_names labels;
  process_facts facts{.version = "0.1.0",
                      .tls_library = "5.9.2",
                      .started = wall_time{1'700'000'000s},
                      .reloaded = wall_time{1'700'000'100s + 500ms},
                      .reloads = 2,
                      .reloads_failed = 1,
                      .access_lines_dropped = 9,
                      .key_hashes = 17,
                      .access_log_failing = true};

  std::string text() const {
    const std::array<const counters*, 2> workers = {first.get(), second.get()};
    std::string out;
    expose(workers, labels, facts, out);
    return out;
  }
};

TEST(Exposition, SumsTheWorkers) {
  world w;
  const std::uint32_t api = w.labels.routes.id_of("api");
  w.first->route(api).by_class[1].add(3);
  w.second->route(api).by_class[1].add(4);
  w.first->limit(w.labels.limits.id_of("per-ip")).refused.add();
  w.second->upstream(w.labels.upstreams.id_of("origin")).answered.add(7);
  w.first->add(counter::connections_accepted, 5);
  w.first->add(counter::connections_closed, 3);
  w.second->add(counter::connections_accepted, 2);
  w.second->add(counter::connections_closed, 1);
  w.first->add(counter::connections_handed_over, 4);
  w.second->add(counter::connections_handed_over, 2);
  w.first->refusals.add("rate_limited");
  static const char elsewhere[] = "rate_limited";  // the same text at another address
  w.second->refusals.add(elsewhere);
  w.first->client_deadlines.add(deadline::write_gap);
  w.second->client_deadlines.add(deadline::write_gap);
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr("ringward_client_timeouts_total{deadline=\"write_gap\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ringward_client_timeouts_total{deadline=\"head\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("ringward_requests_total{route=\"api\",code=\"2xx\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("ringward_requests_total{route=\"api\",code=\"5xx\"} 0\n"));
  EXPECT_THAT(
      text, HasSubstr("ringward_limit_decisions_total{limit=\"per-ip\",outcome=\"refused\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("ringward_upstream_requests_total{upstream=\"origin\",outcome=\"answered\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("ringward_connections 3\n"));
  EXPECT_THAT(text, HasSubstr("ringward_connections_handed_over_total 6\n"));
  EXPECT_THAT(text, HasSubstr("ringward_refusals_total{reason=\"rate_limited\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ringward_build_info{version=\"0.1.0\",wolfssl=\"5.9.2\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("ringward_config_last_reload_success_timestamp_seconds 1700000100.500\n"));
  EXPECT_THAT(text, HasSubstr("ringward_access_lines_dropped_total 9\n"));
  EXPECT_THAT(text, HasSubstr("ringward_access_log_failing 1\n"));
  EXPECT_THAT(text, HasSubstr("ringward_key_hashes_total 17\n"));
}

TEST(Exposition, BucketsAreCumulative) {
  world w;
  const std::uint32_t api = w.labels.routes.id_of("api");
  EXPECT_THAT(w.text(), Not(HasSubstr("duration_seconds_bucket{route")));
  w.first->durations.record(api, 1us);
  w.second->durations.record(api, 64us);
  w.second->durations.record(api, 65us);
  w.second->durations.record(api, 10min);
  w.second->durations.record(names::other, 1us);
  w.second->first_bytes.record(w.labels.upstreams.id_of("origin"), 1ms);
  const std::string text = w.text();
  const std::string name = "ringward_request_duration_seconds";
  const std::string bucket = name + "_bucket{route=\"api\",le=";
  EXPECT_THAT(text, HasSubstr(bucket + "\"6.4e-05\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"0.000128\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"67.108864\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr(name + "_count{route=\"api\"} 4\n"));
  EXPECT_THAT(text, HasSubstr(name + "_count{route=\"other\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("ringward_upstream_first_byte_duration_seconds_count{upstream=\"origin\"} 1"));
}

TEST(Exposition, CertificatesHaveTheirSecondsLeft) {
  world w;
  w.facts.now = wall_time{1'700'000'000s};
  const std::array<certificate_end, 2> ends = {
      certificate_end{"listener", "https", "/etc/a \"b\".pem", w.facts.now + 36h},
      certificate_end{"upstream", "origin", "/etc/own.pem", w.facts.now - 5s}};
  w.facts.certificates = ends;
  const std::string text = w.text();
  const std::string name = "ringward_certificate_expiry_seconds{role=";
  EXPECT_THAT(text, HasSubstr(name + "\"listener\",name=\"https\",chain=\"/etc/a \\\"b\\\".pem\"} "
                                     "129600\n"));
  EXPECT_THAT(text, HasSubstr(name + "\"upstream\",name=\"origin\",chain=\"/etc/own.pem\"} -5\n"));
}

TEST(Exposition, WhatIsStaleSaysWhat) {
  world w;
  EXPECT_THAT(w.text(), HasSubstr("ringward_config_stale{what=\"configuration\"} 0\n"
                                  "ringward_config_stale{what=\"files\"} 0\n"));
  w.facts.stale_files = true;
  EXPECT_THAT(w.text(), HasSubstr("ringward_config_stale{what=\"configuration\"} 0\n"
                                  "ringward_config_stale{what=\"files\"} 1\n"));
}

TEST(Exposition, HandshakesAreByVersionAndResumption) {
  world w;
  w.first->add(counter::handshakes_tls12, 1);
  w.first->add(counter::handshakes_tls12_resumed, 2);
  w.second->add(counter::handshakes_tls13, 3);
  w.second->add(counter::handshakes_tls13_resumed, 4);
  const std::string name = "ringward_tls_handshakes_total{version=\"";
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr(name + "1.2\",resumed=\"no\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(name + "1.2\",resumed=\"yes\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(name + "1.3\",resumed=\"no\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "1.3\",resumed=\"yes\"} 4\n"));
}

TEST(Exposition, OtherShowsWhenItIsNeeded) {
  world w;
  EXPECT_THAT(w.text(), Not(HasSubstr("\"other\"")));
  w.first->route(names::other).by_class[3].add();
  w.first->upstream(names::other).failed.add();
  w.first->limit(names::other).admitted.add();
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr("ringward_requests_total{route=\"other\",code=\"4xx\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{upstream=\"other\",outcome=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{limit=\"other\",outcome=\"admitted\"} 1\n"));
}

TEST(Exposition, CountriesAreThoseThatCame) {
  world w;
  w.first->requests_from(country::of("DE")).add(2);
  w.second->requests_from(country::of("DE")).add();
  w.second->requests_from({}).add(5);
  EXPECT_THAT(w.text(), Not(HasSubstr("country"))) << "there is no database";
  w.facts.geo_built = wall_time{1'700'000'000s};
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr("ringward_geo_database_build_timestamp_seconds 1700000000\n"));
  EXPECT_THAT(text, HasSubstr("ringward_requests_by_country_total{country=\"DE\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("ringward_requests_by_country_total{country=\"unknown\"} 5\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"FR\"")));
}

TEST(Exposition, ShowsEachWorkersConnections) {
  world w;
  w.first->add(counter::connections_accepted, 5);
  w.second->add(counter::connections_accepted, 9);
  w.second->add(counter::connections_closed, 2);
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr("ringward_worker_connections{worker=\"0\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("ringward_worker_connections{worker=\"1\"} 7\n"));
}

TEST(Exposition, ShowsEachWorkersWork) {
  world w;
  w.second->add(counter::requests, 8);
  const std::array<nanoseconds, 2> cpu = {1500ms, 0ns};
  w.facts.worker_cpu = cpu;
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr("ringward_worker_requests_total{worker=\"0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("ringward_worker_requests_total{worker=\"1\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("ringward_worker_cpu_seconds_total{worker=\"0\"} 1.500000\n"));
}

// Workers are read one after the other, so a close may be seen without its accept.
TEST(Exposition, AGaugeNeverWraps) {
  world w;
  w.first->add(counter::connections_closed);
  EXPECT_THAT(w.text(), HasSubstr("ringward_connections 0\n"));
}

TEST(Exposition, EscapesLabels) {
  world w;
  w.labels.routes.id_of("a\"b\\c\nd");
  EXPECT_THAT(w.text(), HasSubstr(R"(route="a\"b\\c d")"));
}

TEST(Exposition, NoSeriesComesTwice) {
  world w;
  for (const char* name : {"api", "web"}) {
    w.labels.routes.id_of(name);
    w.labels.upstreams.id_of(name);
    w.labels.limits.id_of(name);
  }
  std::istringstream lines(w.text());
  std::set<std::string> seen;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
}

TEST(Exposition, PassesPromtool) {
  world w;
  for (const char* name : {"api", "we\"b"}) {
    w.first->route(w.labels.routes.id_of(name)).by_class[1].add();
    w.first->upstream(w.labels.upstreams.id_of(name)).answered.add();
    w.first->limit(w.labels.limits.id_of(name)).admitted.add();
  }
  w.first->refusals.add("missing");
  w.first->durations.record(w.labels.routes.id_of("api"), 3ms);
  const std::string text = w.text();
  FILE* promtool = ::popen("promtool check metrics 1>&2", "w");
  ASSERT_NE(promtool, nullptr);
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(::pclose(promtool), 0) << text;
}

}  // namespace
}  // namespace rw::observe
