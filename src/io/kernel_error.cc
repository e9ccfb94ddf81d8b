#include <cerrno>

#include "io/ring.h"

namespace rw::io {

error kernel_error(int os, origin from) noexcept {
  switch (os) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
      return {fault::reset, from, true, os, "the connection was reset"};
    case ECONNREFUSED:
      return {fault::refused, from, true, os, "the connection was refused"};
    case ETIMEDOUT:  // of a connection there was; to stream::open() it is one that never came
      return {fault::reset, from, true, os, "the peer has vanished"};
    case ETIME:
      return {fault::timed_out, from, true, os, "the kernel gave up waiting"};
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case ENOENT:
      return {fault::unreachable, from, true, os, "the address cannot be reached"};
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
      return {fault::exhausted, from, true, os, "the machine has no more to give"};
    case ECANCELED:
      return {fault::canceled, from, false, os, "canceled"};
    case EACCES:
    case EPERM:
      return {fault::denied, from, false, os, "not permitted"};
    default:
      return {fault::system, from, false, os, "the kernel refused"};
  }
}

}  // namespace rw::io
