#include "gateway/client_rows.h"

#include <algorithm>

#include "gateway/connection.h"
#include "gateway/exchange.h"
#include "gateway/record.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// What it waits for, as far as the request has come.
std::string_view state_of(const exchange& x) noexcept {
  if (x.head_done == mono_time{}) return "reading head";
  if (!x.upstream_name.empty()) return x.status == 101 ? "tunnel" : "forwarding";
  return x.status == 0 ? "deciding" : "answering";
}

client_row describe(const connection& c) {
  client_row row{.worker = c.on.index(),
                 .listener = c.listener,
                 .peer = c.peer,
                 .opened = c.opened,
                 .requests = c.requests,
                 .received = c.downstream.bytes_received(),
                 .sent = c.downstream.bytes_sent()};
  const exchange* const x = c.current;
  if (x == nullptr && !c.idle) {
    row.state = c.requests == 0 ? "opening" : "closing";
  } else {
    row.state = x == nullptr ? "idle" : state_of(*x);
    row.tls = tls_name(c);
  }
  if (c.multiplexed) {
    row.protocol = "h2";
  } else if (c.requests > 0) {
    row.protocol = "h1";
  }
  if (x == nullptr) return row;
  for (const exchange* one = x; one != nullptr; one = one->next_of_client) ++row.under_way;
  row.upstream = x->upstream_name;
  row.identity = x->caller.who.view();
  return row;
}

}  // namespace

std::vector<client_row> client_rows(const worker& of, std::size_t most, bool oldest) {
  std::vector<client_row> rows;
  const std::size_t bound = std::min(most, client_rows_max);
  const connection* c = oldest ? of.oldest_client() : of.newest_client();
  for (; c != nullptr && rows.size() < bound; c = oldest ? c->previous : c->next) {
    rows.push_back(describe(*c));
  }
  return rows;
}

}  // namespace rw::gateway
