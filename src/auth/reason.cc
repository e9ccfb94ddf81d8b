#include "auth/reason.h"

namespace rw::auth {

std::string_view name(reason why) noexcept {
  switch (why) {
    case reason::none:
      return "none";
    case reason::missing:
      return "missing";
    case reason::ambiguous:
      return "ambiguous";
    case reason::unsupported_scheme:
      return "unsupported_scheme";
    case reason::malformed:
      return "malformed";
    case reason::too_large:
      return "too_large";
    case reason::not_accepted:
      return "not_accepted";
    case reason::unknown_key:
      return "unknown_key";
    case reason::algorithm:
      return "algorithm";
    case reason::header:
      return "header";
    case reason::unknown_kid:
      return "unknown_kid";
    case reason::bad_signature:
      return "bad_signature";
    case reason::wrong_issuer:
      return "wrong_issuer";
    case reason::wrong_audience:
      return "wrong_audience";
    case reason::expired:
      return "expired";
    case reason::not_yet_valid:
      return "not_yet_valid";
    case reason::too_old:
      return "too_old";
    case reason::missing_claim:
      return "missing_claim";
    case reason::bad_claim:
      return "bad_claim";
    case reason::insufficient_scope:
      return "insufficient_scope";
    case reason::keys_unavailable:
      return "keys_unavailable";
    case reason::unverified:
      return "unverified";
    case reason::key_removed:
      return "key_removed";
    case reason::revoked:
      return "revoked";
    case reason::replayed:
      return "replayed";
    case reason::replay_full:
      return "replay_full";
    case reason::replay_unknown:
      return "replay_unknown";
    case reason::certificate:
      return "certificate";
    case reason::certificate_name:
      return "certificate_name";
  }
  return "unknown";
}

unsigned status_of(reason why) noexcept {
  switch (why) {
    case reason::none:
      return 200;
    case reason::ambiguous:
      return 400;
    case reason::insufficient_scope:
      return 403;
    case reason::keys_unavailable:
    case reason::unverified:
    case reason::replay_full:
    case reason::replay_unknown:
      return 503;
    default:
      return 401;
  }
}

reason more_telling(reason a, reason b) noexcept {
  const auto rank = [](reason why) {
    switch (why) {
      case reason::none:
        return 0;
      case reason::missing:
        return 1;
      case reason::not_accepted:
        return 2;
      case reason::wrong_issuer:
        return 3;
      default:
        return 4;
    }
  };
  return rank(b) > rank(a) ? b : a;
}

}  // namespace rw::auth
