#include "http/grpc.h"

#include <gtest/gtest.h>

namespace rw::http {
namespace {

using namespace std::chrono_literals;

TEST(Grpc, ItsTypeIsNotThatOfGrpcWeb) {
  for (const char* yes : {"application/grpc", "application/grpc+proto", "Application/GRPC;x=1"}) {
    EXPECT_TRUE(is_grpc_type(yes)) << yes;
  }
  for (const char* no : {"", "application/grp", "application/grpc-web",
                         "application/grpc-web+proto", "application/grpcx", "text/plain"}) {
    EXPECT_FALSE(is_grpc_type(no)) << no;
  }
}

TEST(Grpc, TimeoutsInEachUnit) {
  EXPECT_EQ(parse_grpc_timeout("1H"), 1h);
  EXPECT_EQ(parse_grpc_timeout("2M"), 2min);
  EXPECT_EQ(parse_grpc_timeout("3S"), 3s);
  EXPECT_EQ(parse_grpc_timeout("250m"), 250ms);
  EXPECT_EQ(parse_grpc_timeout("5u"), 5us);
  EXPECT_EQ(parse_grpc_timeout("99999999n"), 99'999'999ns);
  EXPECT_EQ(parse_grpc_timeout("0m"), 0ms);
}

TEST(Grpc, ATimeoutThatDoesNotFitIsTheLongestThereIs) {
  EXPECT_EQ(parse_grpc_timeout("99999999H"), grpc_timeout_max);
  EXPECT_EQ(parse_grpc_timeout("8760H"), grpc_timeout_max);
  EXPECT_EQ(parse_grpc_timeout("8759H"), 8759h);
}

TEST(Grpc, WhatIsNoTimeout) {
  for (const char* bad :
       {"", "1", "S", "1s", "1h", "-1S", "+1S", " 1S", "1.5S", "1 S", "123456789S", "1SS"}) {
    EXPECT_FALSE(parse_grpc_timeout(bad)) << bad;
  }
}

TEST(Grpc, AStatusOfOursAsLines) {
  std::string lines;
  append_grpc_status(lines, 429);
  EXPECT_EQ(lines, "grpc-status: 8\r\ngrpc-message: Too Many Requests\r\n");
  lines.clear();
  append_grpc_status(lines, 502, "50% of \xc3\xbc\n");
  EXPECT_EQ(lines, "grpc-status: 14\r\ngrpc-message: 50%25 of %C3%BC%0A\r\n");
}

TEST(Grpc, StatusesOfOurs) {
  EXPECT_EQ(grpc_status_of(401), 16U);
  EXPECT_EQ(grpc_status_of(403), 7U);
  EXPECT_EQ(grpc_status_of(404), 12U);
  EXPECT_EQ(grpc_status_of(413), 8U);
  EXPECT_EQ(grpc_status_of(503), 14U);
  EXPECT_EQ(grpc_status_of(504), 4U);
  EXPECT_EQ(grpc_status_of(418), 2U);
}

}  // namespace
}  // namespace rw::http
