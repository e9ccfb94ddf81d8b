// One HTTP/2 stream to an origin as an exchange sees it: a connection of its own that carries one
// request.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http/h2_client.h"
#include "io/task.h"
#include "net/carried_stream.h"

namespace rw::upstream {

class h2_link;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// What is sent first is a request's head, whole and as text, without anything that is HTTP/1.1's
// alone; then the body as it is; trailer lines are the third piece of the last send(). The head of
// the answer, or several where the first ones are interim, is the first of its input(), as text,
// and the body follows until it is complete().
//
// Its errors are of origin::upstream: fault::exhausted from opened(), see there; may_retry where
// nothing was done for the request, so that whatever it is may be sent again; fault::malformed
// where the origin breaks the protocol; fault::system where it has reset the stream; closed or
// reset as the connection ended.
class h2_stream final : public net::carried_stream, public http::h2_answer_events {
 public:
  // Belongs to `on` from here on, which may still be opening.
  explicit h2_stream(std::shared_ptr<h2_link> on);
  ~h2_stream();

  // Until its connection is there, at most until that has to be. fault::exhausted: it has fewer
  // streams than was thought, and none for this one.
  io::task<result<>> opened();

  h2_link& on() noexcept { return *on_; }
  const h2_link& on() const noexcept { return *on_; }
  // Of the answer, once it is complete(); lines as of h2_section::make_trailers().
  std::string_view answer_trailers() const noexcept { return answer_trailers_; }

  // ---- for its link
  // The connection has ended.
  void lose(const error& why) noexcept;

 private:
  void on_receive() noexcept override;
  bool on_send(pieces& what, bool last) override;
  bool is_stuck() noexcept override;
  void on_abort(fault why) noexcept override;
  void take_in(std::uint64_t done) noexcept;
  void settle_window() noexcept;
  void begin(std::string_view head, bool ends);
  bool is_open() const noexcept { return id_ != 0 && !closed_; }

  bool on_head(const http::h2_section& section, bool ends) override;
  bool has_head() const noexcept override { return has_head_; }
  void on_refused() noexcept override;
  void on_data(std::string_view bytes) override;
  void on_end(std::string trailers) override;
  void on_closed(bool in_order) override;
  pulled pull(std::span<char> room) override;
  std::string_view trailers() override { return request_trailers_; }

  std::shared_ptr<h2_link> on_;
  std::int32_t id_ = 0;  // 0: no head was sent
  http::receive_window window_;
  bool closed_ = false;         // the session knows no more of it
  bool ended_ = false;          // what is sent now is the last
  bool has_head_ = false;       // the final one has come
  bool asks_for_head_ = false;  // HEAD: its answer has no body
  bool may_have_body_ = true;
  unsigned interim_heads_ = 0;
  std::size_t interim_bytes_ = 0;
  bool has_length_ = false;
  bool whole_ = false;            // the answer has come to its end
  std::uint64_t length_ = 0;      // Content-Length
  std::uint64_t body_bytes_ = 0;  // that have come
  std::uint64_t credited_ = 0;    // and were given back to its window
  std::string request_trailers_;
  std::string answer_trailers_;
};

}  // namespace rw::upstream
