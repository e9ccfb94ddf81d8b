// The client's side of one HTTP/2 connection (RFC 9113): requests out, answers in. What an answer
// may be is h2_section's to say.
#pragma once

#include "http/h2_endpoint.h"

namespace rw::http {

// One stream of a request's.
class h2_answer_events : public h2_stream_events {
 public:
  // A header section of an answer has come, whole: an interim one (1xx), or the final one. `ends`:
  // and no body follows. False: it breaks the protocol, and the stream is reset; it is told no
  // more of it.
  virtual bool on_head(const h2_section& section, bool ends) = 0;
  // The final head has come: another header section is the trailer section.
  virtual bool has_head() const noexcept = 0;
  // Before on_closed(): nothing was done for the request, which may be sent again, whatever it is
  // (RFC 9113 8.7).
  virtual void on_refused() noexcept = 0;

 protected:
  ~h2_answer_events() = default;
};

class h2_client final : public h2_endpoint {
 public:
  // What a request's head may measure, as text: one HEADERS and less than eight CONTINUATION
  // frames. More of them are an attack to many servers (nghttp2's default among them), which end
  // the connection for it, whoever else is served there.
  static constexpr std::size_t head_max = 128U << 10U;

  // `limits.head` is for answers; `limits.streams` is what the other side is asked for at most.
  explicit h2_client(const h2_limits& limits);

  // The other side's SETTINGS have come: it speaks HTTP/2.
  bool is_agreed() const noexcept { return has_settings_; }
  // It takes no more streams on this connection (GOAWAY).
  bool told_to_end() const noexcept { return told_to_end_; }
  // Goes on reading: neither side has found something that ends the connection at once.
  bool goes_on() const noexcept;
  // It has, for what the other side did, and has said so.
  bool has_failed() const noexcept { return has_failed_; }
  // How many streams may be under way at once: what the other side says, and limits.streams.
  std::uint32_t streams_max() const noexcept;
  // Some of a body could leave: the other side has not left the window shut that all streams share
  // (RFC 9113 6.9).
  bool has_window() const noexcept;
  // Another stream may begin at all.
  bool may_begin() const noexcept;

  // The head of a request as text, head_max at most, with its request line and Host, and with
  // nothing in it that RFC 9113 8.2.2 forbids. `ends`: there is no body, else pull() is asked for
  // it. The stream's id; 0: none may begin. `to` is told what becomes of it, until on_closed().
  std::int32_t request(std::string_view head, std::string_view scheme, bool ends,
                       h2_answer_events& to);

 private:
  void begin_section(std::int32_t id, bool opens) override;
  void end_section(std::int32_t id, bool opens, bool ends) override;
  void sent_end(std::int32_t) override {}
  void closed(std::int32_t id, std::uint32_t error) override;
  void passed_data() noexcept override { pardon(2); }
};

}  // namespace rw::http
