// HTTP/1.1 messages as the invented peers read them: written apart from src/http, and without
// mercy. What the gateway sends has to be exactly right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rw::sim {

struct message {
  std::string start;
  std::vector<std::pair<std::string, std::string>> fields;  // lower-case names
  std::string body;
  bool head_complete = false;
  bool complete = false;
  bool until_close = false;
  unsigned status = 0;  // of a response

  std::string_view value(std::string_view name) const;  // of the first; "" when there is none
  unsigned count(std::string_view name) const;
};

class message_reader {
 public:
  enum class kind : std::uint8_t { request, response };
  explicit message_reader(kind what) : kind_(what) {}

  // Takes what it can off the front of `input`. True when now() is complete. `ended`: nothing
  // follows. `to_head`: of a response, to a HEAD request.
  bool take(std::string& input, bool ended, bool to_head = false);
  message& now() noexcept { return now_; }
  void next();
  // What is wrong with it, "" while nothing is.
  const std::string& error() const noexcept { return error_; }
  // Bytes of a message have come that is not complete.
  bool begun() const noexcept { return !now_.start.empty() && !now_.complete; }

 private:
  bool take_head(std::string& input, bool to_head);
  void find_framing(bool to_head);
  bool take_chunk(std::string& input);
  bool line(std::string& input, std::string& out);
  bool fail(std::string why);

  enum class framing : std::uint8_t { none, length, chunked, until_close };
  enum class at : std::uint8_t { size, data, data_end, trailers };
  kind kind_;
  message now_;
  std::string error_;
  framing framing_ = framing::none;
  std::uint64_t left_ = 0;
  at at_ = at::size;
};

}  // namespace rw::sim
