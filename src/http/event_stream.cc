#include "http/event_stream.h"

#include "base/text.h"

namespace rw::http {

bool is_event_stream(const response_head& head) noexcept {
  if (head.status != 200 || head.has(field_id::content_encoding)) return false;
  if (head.body != framing::chunked && head.body != framing::until_close) return false;
  if (head.count(field_id::content_type) != 1) return false;
  constexpr std::string_view type = "text/event-stream";
  const std::string_view value = head.value(field_id::content_type);
  if (!iequals(value.substr(0, type.size()), type)) return false;
  const std::string_view rest = value.substr(type.size());
  return rest.empty() || rest.front() == ';' || rest.front() == ' ' || rest.front() == '\t';
}

}  // namespace rw::http
