#include "http/method.h"

namespace rw::http {

method parse_method(std::string_view text) noexcept {
  switch (text.size()) {
    case 3:
      if (text == "GET") return method::get;
      if (text == "PUT") return method::put;
      break;
    case 4:
      if (text == "POST") return method::post;
      if (text == "HEAD") return method::head;
      break;
    case 5:
      if (text == "PATCH") return method::patch;
      if (text == "TRACE") return method::trace;
      break;
    case 6:
      if (text == "DELETE") return method::delete_;
      break;
    case 7:
      if (text == "OPTIONS") return method::options;
      if (text == "CONNECT") return method::connect;
      break;
    default:
      break;
  }
  return method::other;
}

std::string_view name(method verb) noexcept {
  switch (verb) {
    case method::get:
      return "GET";
    case method::head:
      return "HEAD";
    case method::post:
      return "POST";
    case method::put:
      return "PUT";
    case method::delete_:
      return "DELETE";
    case method::connect:
      return "CONNECT";
    case method::options:
      return "OPTIONS";
    case method::trace:
      return "TRACE";
    case method::patch:
      return "PATCH";
    case method::other:
      break;
  }
  return {};
}

}  // namespace rw::http
