#include "gateway/conduct.h"

#include "gateway/ban.h"
#include "gateway/client_address.h"
#include "gateway/connection.h"
#include "gateway/decide.h"
#include "gateway/forward.h"
#include "gateway/respond.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// Of a refused head the parser vouches for the method and the target alone.
void forget_head(exchange& x) {
  x.request.present = 0;
  x.request.fields.clear();
  x.request.minor = 1;
  x.request.verb = http::method::other;
  x.request.expect_continue = false;
  x.request.authority = {};
  find_request_id(x);
  find_trace(x);
  x.decided = x.head_done;
  x.on->audit().decide(x);
}

}  // namespace

io::task<> conduct(exchange& x, bool complete) {
  x.head_done = x.on->loop().now();
  if (!complete) {
    if (x.decision.status == 0) co_return;
    forget_head(x);
    co_await respond(x);
    co_return;
  }
  decide(x);
  if (x.decision.pending()) co_await settle(x);
  if (x.decision.admitted() && !is_forwarded(x)) co_await check_chunks(x);
  if (x.decision.status == 499) co_return give_up_client(x);
  if (x.decision.admitted() && is_forwarded(x)) {
    co_await forward(x);
  } else {
    co_await respond(x);
  }
}

void refuse_malformed(exchange& x, const char* reason) {
  x.head_done = x.on->loop().now();
  x.decision = {400, reason};
  forget_head(x);
  note_refusal(x);
  x.status = x.decision.status;
  x.reason = reason;
  x.downstream->abort(fault::malformed);
}

}  // namespace rw::gateway
