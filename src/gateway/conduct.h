// From a request's head to its answer, whatever protocol it came by.
#pragma once

#include "gateway/exchange.h"

namespace rw::gateway {

// Of a request whose head has come: decides, and sees to its answer; record() is the caller's. When
// the head is not `complete`, `decision` says what is wrong with it, and with which status its
// client is told, 0 where nobody is there to be.
io::task<> conduct(exchange& x, bool complete);

// Of a request that is malformed in a way that no answer is due to (RFC 9113 8.1.1): ends its
// stream, and leaves for the log why. `reason`: a literal.
void refuse_malformed(exchange& x, const char* reason);

}  // namespace rw::gateway
