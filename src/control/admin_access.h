// Who may read what the admin address tells: the page, its events and the metrics.
#pragma once

#include "base/secret.h"
#include "http/head.h"

namespace rw::control {

// Whether it was asked for by an IP address or as localhost, with any port or none. Somebody else's
// name may lead here by his DNS, and his page in a browser on this machine would read what it gets
// (DNS rebinding).
bool names_this_machine(const http::request_head& asked) noexcept;

// Whether the request presents admin.credential: as a bearer token (RFC 6750 2.1), or as the
// password of whatever user (RFC 7617), as browsers do.
bool presents(const http::request_head& asked, const secret& credential);

}  // namespace rw::control
