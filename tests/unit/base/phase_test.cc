#include "base/phase.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

namespace rw {
namespace {

std::uint64_t in(const phase_samples& of, phase one) {
  return of.read()[static_cast<std::size_t>(one)];
}

TEST(Phase, AScopeEndsInThePhaseThatItBeganIn) {
  EXPECT_EQ(phase_scope::current(), phase::other);
  {
    const phase_scope outer(phase::decide);
    EXPECT_EQ(phase_scope::current(), phase::decide);
    for (int i = 0; i < 2; ++i) {
      const phase_scope inner(phase::log);
      EXPECT_EQ(phase_scope::current(), phase::log);
      const phase_scope innermost(phase::kernel);
      EXPECT_EQ(phase_scope::current(), phase::kernel);
    }
    EXPECT_EQ(phase_scope::current(), phase::decide);
  }
  EXPECT_EQ(phase_scope::current(), phase::other);
}

TEST(Phase, ASampleCountsForWhatIsUnderWay) {
  phase_samples samples;
  count_phases(&samples);
  sample_phase();
  {
    const phase_scope about(phase::tls);
    sample_phase();
    sample_phase();
  }
  sample_phase();
  count_phases(nullptr);
  const phase_scope about(phase::tls);
  sample_phase();  // nowhere
  EXPECT_EQ(in(samples, phase::other), 2U);
  EXPECT_EQ(in(samples, phase::tls), 2U);
  EXPECT_EQ(in(samples, phase::kernel), 0U);
}

TEST(Phase, EachThreadHasItsOwn) {
  phase_samples ours;
  phase_samples others;
  count_phases(&ours);
  const phase_scope about(phase::decide);
  std::thread([&others] {
    EXPECT_EQ(phase_scope::current(), phase::other);
    sample_phase();  // before it has a place to count: nowhere
    count_phases(&others);
    const phase_scope its(phase::log);
    sample_phase();
  }).join();
  sample_phase();
  count_phases(nullptr);
  EXPECT_EQ(in(ours, phase::decide), 1U);
  EXPECT_EQ(in(ours, phase::log), 0U);
  EXPECT_EQ(in(others, phase::log), 1U);
  EXPECT_EQ(in(others, phase::other), 0U);
}

TEST(Phase, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < phase_count; ++i) names.insert(name_of(static_cast<phase>(i)));
  EXPECT_EQ(names.size(), phase_count);
  EXPECT_EQ(name_of(phase::log), "log");  // the last one
  EXPECT_EQ(static_cast<std::size_t>(phase::log), phase_count - 1);
}

}  // namespace
}  // namespace rw
