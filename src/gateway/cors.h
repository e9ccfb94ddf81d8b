// What a route tells browsers of pages of other origins (WHATWG Fetch, "HTTP extensions"): the
// answer to a preflight, and the fields of every other answer. Worked out once per configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "gateway/header_rules.h"
#include "http/head.h"
#include "http/serialise.h"

namespace rw::gateway {

struct exchange;
struct verdict;

// Immutable.
struct cors_rules {
  const config::cors* settings = nullptr;  // null: the route has none
  bool any_origin = false;                 // then the answer is the same for all of them
  std::string vary;                        // that response_headers.set has
  bool keeps_vary = true;                  // of the origin server's answer
  std::string granted;                     // field lines after the origin, preflight or not
  std::string preflight;                   // more of them, for the answer to one
  std::string actual;                      // more of them, for every other answer

  bool is_on() const noexcept { return settings != nullptr; }
  // Pages of this origin, as a browser has serialised it, may read the answer.
  bool admits(std::string_view origin) const noexcept;
};

// Takes what is its own out of `set`, the fields that the route sets, and has what the origin
// server says of it removed.
cors_rules make_cors_rules(const config::route& route, resolved_headers& set, name_set& removed);

// The method that a preflight asks for; empty for any other request.
std::string_view preflight_method(const http::request_head& request) noexcept;

// Of a preflight, on its route: whether the request that it announces may be sent. Nothing is known
// of who will send it.
verdict judge_preflight(const exchange& x) noexcept;

// Of an answer on a route that has them: its fields, Vary with what the origin server varies by.
void write_cors_fields(const exchange& x, http::head_writer& out) noexcept;

}  // namespace rw::gateway
