#include "control/profile_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rw::control {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

worker_profile busy(milliseconds cpu, std::uint64_t requests, std::uint64_t kernel,
                    std::uint64_t tls) {
  worker_profile one{.cpu = cpu, .requests = requests};
  one.samples[static_cast<std::size_t>(phase::kernel)] = kernel;
  one.samples[static_cast<std::size_t>(phase::tls)] = tls;
  return one;
}

// 400 samples in 1.6 s.
gate_profile two_workers() {
  return {.time = milliseconds{2000},
          .other_threads = milliseconds{20},
          .workers = {busy(milliseconds{1000}, 60'000, 200, 50),
                      busy(milliseconds{600}, 40'000, 100, 50)}};
}

TEST(ProfileReport, SharesOfTheCpuTimeMakeWhatARequestCosts) {
  EXPECT_EQ(
      profile_text(two_workers()),
      "2.0 s, 100000 requests: 1.60 s of CPU by workers, 16.0 us for each; 0.02 s by other "
      "threads\n"
      "400 samples, one for each 4.0 ms of CPU: shares are right to 4.9 points\n"
      "\n"
      "PHASE    SHARE  SAMPLES  US/REQUEST\n"
      "kernel   75.0%      300       12.00\n"
      "tls      25.0%      100        4.00\n"
      "other     0.0%        0        0.00\n"
      "http1     0.0%        0        0.00\n"
      "http2     0.0%        0        0.00\n"
      "decide    0.0%        0        0.00\n"
      "forward   0.0%        0        0.00\n"
      "answer    0.0%        0        0.00\n"
      "log       0.0%        0        0.00\n"
      "\n"
      "WORKER    CPU  REQUESTS  SAMPLES  kernel    tls  other  http1  http2  decide  forward  "
      "answer   log\n"
      "0       50.0%     60000      250   80.0%  20.0%   0.0%   0.0%   0.0%    0.0%     0.0%  "
      "  0.0%  0.0%\n"
      "1       30.0%     40000      150   66.7%  33.3%   0.0%   0.0%   0.0%    0.0%     0.0%  "
      "  0.0%  0.0%\n");
}

TEST(ProfileReport, JsonHasTheSame) {
  const std::string text = profile_json(two_workers());
  EXPECT_THAT(text, testing::StartsWith(
                        R"({"seconds":2,"requests":100000,"cpu_seconds":1.6,"cpu_percent":80,)"
                        R"("other_threads_cpu_seconds":0.02,"samples":400,"sample_interval_ms":4,)"
                        R"("phases":[{"name":"other","samples":0,"share":0,"cpu_seconds":0,)"
                        R"("us_per_request":0},{"name":"kernel","samples":300,"share":0.75,)"
                        R"("cpu_seconds":1.2,"us_per_request":12},)"));
  EXPECT_THAT(text, HasSubstr(R"("workers":[{"name":"0","requests":60000,"cpu_seconds":1,)"
                              R"("cpu_percent":50,"samples":250,"phases":[{"name":"other",)"));
}

TEST(ProfileReport, NothingIsDividedByNothing) {
  const gate_profile idle{.time = milliseconds{1000}, .workers = {worker_profile{}}};
  EXPECT_EQ(profile_text(idle),
            "1.0 s, 0 requests: 0.00 s of CPU by workers; 0.00 s by other threads\n"
            "no sample: the workers had next to nothing to do\n");
  EXPECT_THAT(profile_json(idle), HasSubstr(R"("samples":0,"sample_interval_ms":null)"));
  EXPECT_THAT(profile_json(idle), HasSubstr(R"("us_per_request":null)"));

  const gate_profile handshakes{.time = milliseconds{1000},
                                .workers = {busy(milliseconds{400}, 0, 10, 90)}};
  EXPECT_THAT(profile_text(handshakes), HasSubstr("tls      90.0%       90           -\n"));
  EXPECT_THAT(profile_text(handshakes), HasSubstr("0.40 s of CPU by workers; "));
}

}  // namespace
}  // namespace rw::control
