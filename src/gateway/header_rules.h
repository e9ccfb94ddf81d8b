// Which fields a route removes, sets and adds, worked out once per configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "config/config.h"
#include "http/field.h"

namespace rw::gateway {

// A set of lower-case names that is asked once per field of every message: most answers are "no"
// and cost one bit test.
class name_set {
 public:
  void add(std::string_view lower_case_name);
  bool contains(const http::field& one) const noexcept;

 private:
  std::uint64_t known_ = 0;    // mask of field ids
  std::uint64_t lengths_ = 0;  // mask of the lengths of names_, those over 63 as 63
  std::vector<std::string> names_;
};

struct request_rules {
  name_set removed;  // on top of what never passes: hop-by-hop, framing, credentials, addresses
  // Field lines, ready to be copied; in guarded memory, since values may be secrets. Null: none.
  std::shared_ptr<const secret> added;
  std::string identity_name;  // of forward_identity
  std::string host;           // literal Host; empty: the client's, or the server's name
  bool upstream_host = false;
  bool upstream_tls = false;
  bool credentials = false;  // forward_credentials
};

struct response_rules {
  name_set removed;
  std::string added_plain;  // security headers and set fields, ready to be copied
  std::string added_tls;    // the same with strict-transport-security
  std::string policy;       // content-security-policy line, for answers that have none
};

using resolved_headers = std::vector<std::pair<std::string, std::string>>;  // name, value
// Of values that were secrets, once they are where they belong.
void wipe_values(resolved_headers& set) noexcept;

// `all_identity_names`: forward_identity of every route, since no client's copy may reach any.
request_rules make_request_rules(const config::route& route, const config::upstream* to,
                                 const resolved_headers& set,
                                 const std::vector<std::string>& all_identity_names);
// `removed`: more of what the origin's answer loses.
response_rules make_response_rules(const config::route& route, const resolved_headers& set,
                                   const resolved_headers& security, name_set removed = {});
// For answers where no route matched.
response_rules make_default_response_rules(const resolved_headers& security);

}  // namespace rw::gateway
