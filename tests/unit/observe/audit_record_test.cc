#include "observe/audit_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace rw::observe {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

const std::array<std::string, 2> redact = {"authorization", "?token"};

std::string text_of(const audit_record& r) {
  audit_formatter formatter(redact);
  std::string out = "what was there before";
  formatter.begin(r, out);
  audit_formatter::end(r, out);
  return out;
}

audit_record example() {
  audit_record r;
  r.at = wall_time{1'795'458'371s + 123'456'000ns};
  r.what = audit_event::authentication;
  r.outcome = audit_result::deny;
  r.reason = "unknown_key";
  r.client = "192.0.2.7";
  return r;
}

TEST(AuditRecord, BeginsWithWhatNoClientWrites) {
  EXPECT_EQ(text_of(example()),
            R"("time":"2026-11-23T18:26:11.123456Z","event":"authentication","result":"deny",)"
            R"("reason":"unknown_key","client":"192.0.2.7"})"
            "\n");
}

TEST(AuditRecord, NothingAClientSendsEndsAMemberOrALine) {
  audit_record r = example();
  r.path = "/a\"}\n{\"seq\":1\x7f\xff\\";
  r.method = "G\"ET";
  r.identity = "a\"b";
  const std::string text = text_of(r);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_THAT(text, HasSubstr(R"("identity":"a\"b")"));
  EXPECT_THAT(text, HasSubstr(R"("path":"/a\"}\u000a{\"seq\":1\u007f\u00ff\\")"));
}

TEST(AuditRecord, AQueryIsRedactedAndAPathIsCut) {
  audit_record r = example();
  r.path = "/x";
  r.query = "?token=hush&a=b";
  EXPECT_THAT(text_of(r), HasSubstr(R"("path":"/x?token=***&a=b")"));
  const std::string long_path(3000, 'p');
  r.path = long_path;
  r.query = "?token=hush";
  const std::string text = text_of(r);
  EXPECT_THAT(text, HasSubstr("\"" + std::string(2048, 'p') + R"(","path_bytes":)"));
  EXPECT_EQ(text.find("hush"), std::string::npos);
}

TEST(AuditRecord, EveryOctetEscapedFitsWhatWasReserved) {
  audit_record r = example();
  const std::string all(4096, '\x01');
  r.identity = r.credential_id = r.issuer = r.route = r.request_id = r.trace = r.object = r.detail =
      all;
  r.path = r.query = all;
  r.count = r.status = 4'000'000'000U;
  r.bytes_in = r.bytes_out = UINT64_MAX;
  EXPECT_THAT(text_of(r), StartsWith("\"time\""));
}

TEST(AuditRecord, AnAnswerHasItsBytesAlsoWhenTheyAreNone) {
  audit_record r = example();
  r.status = 204;
  EXPECT_THAT(text_of(r), HasSubstr(R"(,"status":204,"bytes_in":0,"bytes_out":0})"));
}

}  // namespace
}  // namespace rw::observe
