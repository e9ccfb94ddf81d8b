#include "gateway/grpc_call.h"

#include "gateway/connection.h"
#include "gateway/worker.h"
#include "http/grpc.h"

namespace rw::gateway {

bool is_call(const exchange& x) noexcept {
  return x.downstream->is_carried() &&
         http::is_grpc_type(x.request.value(http::field_id::content_type));
}

std::optional<mono_time> end_of_patience(const exchange& x) noexcept {
  if (!is_call(x)) return std::nullopt;
  const http::field* const said = x.request.find("grpc-timeout");
  if (said == nullptr) return std::nullopt;
  const std::optional<nanoseconds> patience = http::parse_grpc_timeout(said->value);
  if (!patience) return std::nullopt;
  return x.began + *patience;
}

io::task<bool> end_call(exchange& x) {
  if (!is_call(x) || x.downstream->failed() || x.decision.status == 499) co_return false;
  std::string lines;
  http::append_grpc_status(lines, x.decision.status);
  x.keep_alive = false;
  x.reason = x.decision.reason;
  x.downstream->end_with_next_send();
  const nanoseconds gap = x.state->listeners[x.client->listener].settings->timeouts.write_gap;
  const result<> sent =
      co_await x.downstream->send({std::string_view{}, std::string_view{}, lines}, gap);
  if (sent) x.bytes_out += lines.size();
  co_return sent.has_value();
}

}  // namespace rw::gateway
