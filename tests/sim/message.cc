#include "message.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rw::sim {

std::string_view message::value(std::string_view name) const {
  for (const auto& [n, v] : fields) {
    if (n == name) return v;
  }
  return {};
}

unsigned message::count(std::string_view name) const {
  return static_cast<unsigned>(
      std::count_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; }));
}

bool message_reader::fail(std::string why) {
  if (error_.empty()) error_ = std::move(why);
  return false;
}

void message_reader::next() {
  now_ = {};
  framing_ = framing::none;
  left_ = 0;
  at_ = at::size;
}

bool message_reader::line(std::string& input, std::string& out) {
  const std::size_t end = input.find('\n');
  if (end == std::string::npos) {
    return input.size() > 100'000 ? fail("a line without an end") : false;
  }
  if (end == 0 || input[end - 1] != '\r') return fail("a bare LF");
  out = input.substr(0, end - 1);
  input.erase(0, end + 1);
  if (out.find_first_of(std::string_view("\r\0", 2)) != std::string::npos) return fail("CR or NUL");
  return true;
}

bool message_reader::take_head(std::string& input, bool to_head) {
  const std::size_t end = input.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  std::string head = input.substr(0, end + 2);
  input.erase(0, end + 4);
  if (!line(head, now_.start)) return fail("no start line");
  for (std::string text; !head.empty();) {
    if (!line(head, text)) return fail("a broken field line");
    const std::size_t colon = text.find(": ");
    if (colon == std::string::npos || colon == 0) return fail("a field without a name: " + text);
    std::string name = text.substr(0, colon);
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      if (c <= ' ' || c == ':') return fail("a bad name: " + text);
    }
    now_.fields.emplace_back(std::move(name), text.substr(colon + 2));
  }
  now_.head_complete = true;
  find_framing(to_head);
  return error_.empty();
}

void message_reader::find_framing(bool to_head) {
  if (kind_ == kind::response) {
    if (!now_.start.starts_with("HTTP/1.1 ") || now_.start.size() < 12) {
      fail("a bad status line: " + now_.start);
      return;
    }
    std::from_chars(now_.start.data() + 9, now_.start.data() + 12, now_.status);
    if (now_.status < 200 || now_.status == 204 || now_.status == 304 || to_head) {
      if (now_.status < 200 && now_.count("content-length") > 0) fail("content-length in a 1xx");
      framing_ = framing::none;
      return;
    }
  } else if (!now_.start.ends_with(" HTTP/1.1")) {
    fail("a bad request line: " + now_.start);
  }
  const unsigned lengths = now_.count("content-length");
  const unsigned codings = now_.count("transfer-encoding");
  if (lengths + codings > 1) fail("framed twice");
  if (codings == 1) {
    if (now_.value("transfer-encoding") != "chunked") fail("an unknown coding");
    framing_ = framing::chunked;
  } else if (lengths == 1) {
    const std::string_view text = now_.value("content-length");
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), left_);
    if (code != std::errc{} || end != text.data() + text.size()) fail("a bad length");
    framing_ = framing::length;
  } else {
    framing_ = kind_ == kind::request ? framing::none : framing::until_close;
  }
  now_.until_close = framing_ == framing::until_close;
}

// True when the body is complete.
bool message_reader::take_chunk(std::string& input) {
  for (std::string text; error_.empty();) {
    if (at_ == at::data) {
      const std::size_t size = std::min<std::uint64_t>(left_, input.size());
      now_.body.append(input, 0, size);
      input.erase(0, size);
      left_ -= size;
      if (left_ > 0) return false;
      at_ = at::data_end;
    }
    if (!line(input, text)) return false;
    if (at_ == at::data_end) {
      if (!text.empty()) return fail("a chunk longer than it says");
      at_ = at::size;
    } else if (at_ == at::trailers) {
      if (text.empty()) return true;
    } else {
      const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), left_, 16);
      if (code != std::errc{} || end != text.data() + text.size()) return fail("a bad chunk size");
      at_ = left_ == 0 ? at::trailers : at::data;
    }
  }
  return false;
}

bool message_reader::take(std::string& input, bool ended, bool to_head) {
  if (now_.complete) return true;
  if (!error_.empty()) return false;
  if (!now_.head_complete && !take_head(input, to_head)) return false;
  switch (framing_) {
    case framing::none:
      now_.complete = true;
      break;
    case framing::length: {
      const std::size_t size = std::min<std::uint64_t>(left_, input.size());
      now_.body.append(input, 0, size);
      input.erase(0, size);
      left_ -= size;
      now_.complete = left_ == 0;
      break;
    }
    case framing::chunked:
      now_.complete = take_chunk(input);
      break;
    case framing::until_close:
      now_.body.append(input);
      input.clear();
      now_.complete = ended;
      break;
  }
  return now_.complete;
}

}  // namespace rw::sim
