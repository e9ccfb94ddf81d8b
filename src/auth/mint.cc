#include "auth/mint.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "auth/base64url.h"
#include "auth/token_id.h"
#include "base/text.h"

namespace rw::auth {

namespace {

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  out += '"';
  return out;
}

}  // namespace

minter::minter(std::shared_ptr<const private_key> key, const config::mint& rules, signer hand)
    : key_(std::move(key)),
      signer_(std::move(hand)),
      ttl_(std::chrono::duration_cast<std::chrono::seconds>(rules.ttl)) {
  append_base64url(header_, fmt::format(R"({{"alg":"{}","typ":"JWT","kid":{}}})", name(key_->alg()),
                                        json_quoted(key_->kid())));
  header_ += '.';
  claims_start_ =
      fmt::format(R"({{"iss":{},"aud":{})", json_quoted(rules.issuer), json_quoted(rules.audience));
  answer_middle_ =
      fmt::format(R"(","token_type":"Bearer","expires_in":{},"kid":{},"alg":"{}","access_token":")",
                  ttl_.count(), json_quoted(key_->kid()), name(key_->alg()));
}

result<minter> minter::make(std::shared_ptr<const private_key> key, const config::mint& rules) {
  auto hand = signer::make();
  if (!hand) return std::unexpected(hand.error());
  return minter(std::move(key), rules, std::move(*hand));
}

result<std::string> minter::token(std::string_view subject, const line_tag& key, wall_time now,
                                  std::string_view thumbprint) {
  const auto issued = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  std::string claims = claims_start_;
  fmt::format_to(std::back_inserter(claims), R"(,"sub":{},"iat":{},"nbf":{},"exp":{},"jti":"{}")",
                 json_quoted(subject), issued, issued, issued + ttl_.count(), make_token_id(key));
  if (!thumbprint.empty()) {
    fmt::format_to(std::back_inserter(claims), R"(,"cnf":{{"x5t#S256":"{}"}})", thumbprint);
  }
  claims += '}';

  std::string out = header_;
  append_base64url(out, claims);
  const auto signature = signer_.sign(*key_, out);
  if (!signature) return std::unexpected(signature.error());
  out += '.';
  append_base64url(out, *signature);
  return out;
}

result<std::string> minter::answer(std::string_view subject, const line_tag& key, wall_time now,
                                   std::string_view thumbprint) {
  const auto made = token(subject, key, now, thumbprint);
  if (!made) return std::unexpected(made.error());
  std::string body = "{\"token\":\"";
  body += *made;
  body += answer_middle_;
  body += *made;
  body += "\"}";
  return body;
}

}  // namespace rw::auth
