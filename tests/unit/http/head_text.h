// A parsed head as text, so that two can be compared and a difference read.
#pragma once

#include <map>
#include <string>

#include "http/head.h"

namespace rw::http::test {

inline const char* word(framing body) {
  switch (body) {
    case framing::none:
      return "none";
    case framing::length:
      return "length";
    case framing::chunked:
      return "chunked";
    case framing::until_close:
      return "until_close";
  }
  return "?";
}

// Every property under the key that the vector files use for it.
using properties = std::map<std::string, std::string>;

inline void describe_message(const message_head& head, properties& out) {
  out["minor"] = std::to_string(head.minor);
  out["body"] = word(head.body);
  out["length"] = std::to_string(head.content_length);
  out["keep_alive"] = head.keep_alive ? "1" : "0";
  out["upgrade"] = head.has_upgrade ? "1" : "0";
  out["trailers"] = head.accepts_trailers ? "1" : "0";
  out["size"] = std::to_string(head.size);
  out["fields"] = std::to_string(head.fields.size());
  std::string& hop = out["hop"];
  std::string& lines = out["lines"];
  for (const field& one : head.fields) {
    if (one.hop_by_hop) hop.append(hop.empty() ? "" : ",").append(one.name);
    lines.append(one.name).append("=").append(one.value).append(";");
    lines.append(std::to_string(static_cast<int>(one.id))).append("\n");
  }
}

inline properties describe(const request_head& head) {
  properties out;
  describe_message(head, out);
  out["verb"] = name(head.verb);
  out["method"] = head.method_text;
  out["target"] = head.target;
  out["scheme"] = head.scheme;
  out["authority"] = head.authority;
  out["host"] = head.host;
  out["path"] = head.path;
  out["query"] = head.query;
  out["expect"] = head.expect_continue ? "1" : "0";
  return out;
}

inline properties describe(const response_head& head) {
  properties out;
  describe_message(head, out);
  out["status"] = std::to_string(head.status);
  out["reason"] = head.reason;
  return out;
}

}  // namespace rw::http::test
