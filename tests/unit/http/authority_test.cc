#include "http/authority.h"

#include <gtest/gtest.h>

#include "guarded.h"
#include "vector_file.h"

namespace rw::http {
namespace {

TEST(Authority, GivesTheVerdictOfEachVector) {
  test::guarded memory;
  for (test::vector_case& one : test::read_vectors("authorities.txt")) {
    SCOPED_TRACE(one.where);
    authority_parts parts;
    ASSERT_EQ(parse_authority(memory.hold(one.input()), parts), one.words[0] == "accept");
    if (one.expected.contains("host")) EXPECT_EQ(parts.host, one.expected["host"]);
    if (one.expected.contains("port")) EXPECT_EQ(parts.port, one.expected["port"]);
  }
}

}  // namespace
}  // namespace rw::http
