#include "control/audit_verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace rw::control {
namespace {

using weight = audit_finding::weight;

std::string make_chain(const observe::audit_digest& earlier, int records, bool ended) {
  observe::audit_chain chain(earlier, {});
  std::string text;
  chain.append(chain.start_body({}, ""), text);
  for (int i = 0; i < records; ++i) {
    chain.append("\"time\":\"t\",\"event\":\"admin\",\"i\":" + std::to_string(i) + "}\n", text);
  }
  if (ended) {
    chain.append(chain.stop_body({}), text);
    chain.append_checkpoint({}, 0, text);
  }
  return text;
}

weight worst(const std::string& text, bool running = false) {
  audit_checker checker("", "");
  std::istringstream in(text);
  checker.read(in, "f");
  checker.finish(running);
  weight found = weight::note;
  for (const audit_finding& one : checker.findings()) found = std::max(found, one.how);
  return found;
}

TEST(AuditChecker, TakesWhatTheChainWrote) {
  EXPECT_EQ(worst(make_chain(observe::no_digest, 20, true)), weight::note);
  EXPECT_EQ(worst(make_chain(observe::no_digest, 20, false)), weight::open);
  EXPECT_EQ(worst(make_chain(observe::no_digest, 20, false), true), weight::note);
  EXPECT_EQ(worst(""), weight::open);
}

TEST(AuditChecker, NoOctetButTheLastLinesCanChange) {
  const std::string text = make_chain(observe::no_digest, 3, true);
  const std::size_t last_line = text.rfind('\n', text.size() - 2) + 1;
  for (std::size_t i = 0; i < last_line; ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(worst(changed), weight::broken) << i;
  }
}

TEST(AuditChecker, EveryCutIsSeen) {
  const std::string text = make_chain(observe::no_digest, 3, true);
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    EXPECT_EQ(worst(text.substr(0, size)), weight::open) << size;
  }
}

TEST(AuditChecker, AChainThatFollowsAnotherHasToFollowItsEnd) {
  const std::string first = make_chain(observe::no_digest, 3, true);
  const std::size_t at = first.rfind('\n', first.size() - 2) + 1;
  const auto end = observe::digest_of(std::string_view(first).substr(at, first.size() - at - 1));
  EXPECT_EQ(worst(first + make_chain(end, 3, true)), weight::note);
  EXPECT_EQ(worst(first + make_chain(observe::no_digest, 3, true)), weight::broken);
  EXPECT_EQ(worst(first.substr(0, at) + make_chain(end, 3, true)), weight::broken);
}

TEST(AuditChecker, AnyTextIsReadToItsEnd) {
  for (const char* text :
       {"\n", "\n\n\n", "{", "{\"seq\":1,\"prev\":\"", "{\"seq\":99999999999999999999}\n",
        "{\"seq\":0,\"prev\":\"\",\"time\":\"\",\"event\":\"\"}\n", "\xff\xfe\n{}\nx\ny\n"}) {
    EXPECT_NE(worst(text), weight::note) << text;
  }
}

}  // namespace
}  // namespace rw::control
