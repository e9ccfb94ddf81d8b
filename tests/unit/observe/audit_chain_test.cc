#include "observe/audit_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace rw::observe {
namespace {

using testing::HasSubstr;

// RFC 8032 7.1, test 1.
constexpr std::string_view seed =
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
constexpr std::string_view public_key =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

struct AuditChain : testing::Test {
  static void SetUpTestSuite() { random_init(); }
};

TEST_F(AuditChain, TheDigestIsThatOfB2sum) {
  const audit_digest d = digest_of("abc");  // printf abc | b2sum -l 256
  EXPECT_EQ(std::string_view(d.data(), d.size()),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST_F(AuditChain, EachRecordHasTheDigestOfTheOneBefore) {
  audit_chain chain(no_digest, {});
  std::string text;
  for (int i = 0; i < 5; ++i) chain.append("\"a\":" + std::to_string(i) + "}\n", text);
  audit_digest before = no_digest;
  int number = 0;
  for (const std::string& line : lines_of(text)) {
    EXPECT_EQ(line, "{\"seq\":" + std::to_string(number + 1) + ",\"prev\":\"" +
                        std::string(before.data(), before.size()) +
                        "\",\"a\":" + std::to_string(number) + "}");
    before = digest_of(line);
    ++number;
  }
  EXPECT_EQ(number, 5);
}

TEST_F(AuditChain, ASeedIsHexadecimalOrBase64AndNothingElse) {
  for (const std::string_view form :
       {seed, std::string_view("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="),
        std::string_view("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")}) {
    const auto key = audit_key::from_seed(form);
    ASSERT_TRUE(key.has_value()) << form;
    EXPECT_EQ(key->public_key(), public_key);
  }
  for (const std::string_view form :
       {std::string_view(), std::string_view("abc"), seed.substr(1), seed.substr(2),
        std::string_view("0123456789abcdef0123456789abcdef")}) {
    EXPECT_FALSE(audit_key::from_seed(form).has_value()) << form;
  }
}

TEST_F(AuditChain, ACheckpointIsSignedByTheKeyAndNoOtherTextIs) {
  audit_chain chain(no_digest, audit_key::from_seed(seed));
  std::string text;
  chain.append(chain.start_body({}, ""), text);
  EXPECT_EQ(chain.unsigned_records(), 1U);
  chain.append_checkpoint({}, 7, text);
  EXPECT_EQ(chain.unsigned_records(), 0U);
  const std::string& line = chain.last_checkpoint();
  EXPECT_EQ(line, lines_of(text).back());
  EXPECT_THAT(line, HasSubstr(R"("dropped":7,"signature":")"));
  const std::size_t at = line.rfind(signature_member);
  std::string_view signature = std::string_view(line).substr(at + signature_member.size());
  signature.remove_suffix(2);
  EXPECT_TRUE(verify_checkpoint(line.substr(0, at), signature, public_key));
  EXPECT_FALSE(verify_checkpoint(line.substr(0, at - 1), signature, public_key));
  EXPECT_FALSE(verify_checkpoint(line.substr(0, at), signature.substr(2), public_key));
  EXPECT_FALSE(verify_checkpoint(line.substr(0, at), signature, seed));
}

}  // namespace
}  // namespace rw::observe
