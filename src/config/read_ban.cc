// [ban]: after how many failures a client is shut out, and for how long.
#include "config/sections.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t failures_max = 100;

void read_weights(table_reader& in, ban_weights& out) {
  constexpr range<std::uint32_t> within{0, failures_max};
  in.number("unauthorized", out.unauthorized, within);
  in.number("forbidden", out.forbidden, within);
  in.number("malformed", out.malformed, within);
  in.number("handshake", out.handshake, within);
  in.number("expired", out.expired, within);
}

}  // namespace

void read_ban(table_reader& in, ban& out) {
  in.number<std::uint32_t>("failures", out.failures, {1, failures_max});
  in.duration("within", out.within, {1s, 24h});
  in.duration("for", out.lasts, {1s, 24h});
  in.table("weights", [&](table_reader& weights) { read_weights(weights, out.weights); });
  read_networks(in, "exempt", out.exempt);
}

}  // namespace rw::config
