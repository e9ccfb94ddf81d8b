// One HTTP/2 stream as an exchange sees it: a connection of its own that carries one request.
#pragma once

#include <memory>
#include <string>

#include "gateway/exchange.h"
#include "http/h2_session.h"
#include "net/carried_stream.h"

namespace rw::gateway {

class h2_connection;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// Made for a header section that has come, and alive until its exchange has ended. The text of the
// request's head is the first of its input(), where views of it point, and the body follows. What
// is sent first is an answer's head, whole and as text, with its status line, or several where the
// first ones are interim; then the body as it is; trailer lines are the third piece of the last
// send().
class h2_stream final : public net::carried_stream, public http::h2_stream_events {
 public:
  h2_stream(h2_connection& on, exchange& its, std::int32_t id) noexcept;
  ~h2_stream();

  // Puts the head into the exchange; an outcome as of h2_section::make_request().
  http::outcome take_head(const http::h2_section& section, bool ends);
  // Of a body without Content-Length that has come whole: so its length is known after all.
  void settle_length() noexcept;

  exchange& its() noexcept { return its_; }
  std::int32_t id() const noexcept { return id_; }
  // Its answer has begun, and its end has not been sent.
  bool lacks_end() const noexcept { return answered_ && !ended_ && !failed(); }
  // Of the request's; lines as of h2_section::make_trailers().
  std::string_view request_trailers() const noexcept { return request_trailers_; }

 private:
  void on_receive() noexcept override;
  bool on_send(pieces& what, bool last) override;
  bool is_stuck() noexcept override;
  void on_abort(fault why) noexcept override;
  void take_in(std::uint64_t done) noexcept;
  void settle_window() noexcept;

  void on_data(std::string_view bytes) override;
  void on_end(std::string trailers) override;
  void on_closed(bool in_order) override;
  pulled pull(std::span<char> room) override;
  std::string_view trailers() override { return answer_trailers_; }

  h2_connection& on_;
  exchange& its_;
  std::int32_t id_;
  http::receive_window window_;
  bool open_ = true;              // the session knows it
  bool whole_ = false;            // the body has come to its end
  bool answered_ = false;         // a final head has gone out
  bool ended_ = false;            // and what is sent now is the last
  std::uint64_t body_bytes_ = 0;  // that have come
  std::uint64_t credited_ = 0;    // and were given back to its window
  std::string request_trailers_;
  std::string answer_trailers_;
};

}  // namespace rw::gateway
