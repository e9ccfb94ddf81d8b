#include "base/error.h"

namespace rw {

std::string_view name(fault code) noexcept {
  switch (code) {
    case fault::closed:
      return "closed";
    case fault::reset:
      return "reset";
    case fault::timed_out:
      return "timed_out";
    case fault::refused:
      return "refused";
    case fault::unreachable:
      return "unreachable";
    case fault::exhausted:
      return "exhausted";
    case fault::canceled:
      return "canceled";
    case fault::malformed:
      return "malformed";
    case fault::too_large:
      return "too_large";
    case fault::unsupported:
      return "unsupported";
    case fault::tls:
      return "tls";
    case fault::denied:
      return "denied";
    case fault::not_found:
      return "not_found";
    case fault::invalid:
      return "invalid";
    case fault::system:
      return "system";
  }
  return "unknown";
}

std::string_view name(origin from) noexcept {
  switch (from) {
    case origin::downstream:
      return "downstream";
    case origin::upstream:
      return "upstream";
    case origin::local:
      return "local";
    case origin::configuration:
      return "configuration";
  }
  return "unknown";
}

}  // namespace rw
