#include "gateway/splice.h"

#include <algorithm>
#include <utility>

namespace rw::gateway {
namespace {

// A tunnel's piece; what is shorter costs less when it is copied.
constexpr std::size_t long_piece = 8U << 10U;
// Of what has not arrived with the head; less is copied at the same cost.
constexpr std::uint64_t least_bytes = 32U << 10U;
// After so much without having had to wait, others are served.
constexpr std::size_t turn_bytes = 1U << 20U;

struct readiness_mode {
  explicit readiness_mode(net::stream& s) noexcept : of(s) {
    of.receive_as(net::stream::receive_mode::readiness);
  }
  readiness_mode(const readiness_mode&) = delete;
  readiness_mode& operator=(const readiness_mode&) = delete;
  ~readiness_mode() { of.receive_as(net::stream::receive_mode::single); }  // see expect_body()
  net::stream& of;
};

bool may_splice(const net::stream& from, const net::stream& to) noexcept {
  return from.tls() == nullptr && to.sends_plain() && !from.is_carried() && !to.is_carried();
}

}  // namespace

io::task<result<>> splice_body(passage through, rate_floor& floor, std::uint64_t left,
                               std::uint64_t& moved) {
  net::stream& from = through.from;
  net::stream& to = through.to;
  if (left < least_bytes || !may_splice(from, to)) co_return {};
  io::pipe pipe = from.loop().pipes().take();
  if (!pipe) co_return {};
  const readiness_mode mode(from);
  const bool from_client = from.side() == origin::downstream;
  const auto now = [&from] { return from.loop().now(); };
  std::size_t since_wait = 0;
  nanoseconds waited{0};  // for the client, since the floor was last asked
  while (left > 0) {
    const std::size_t most = std::min<std::uint64_t>(left, io::pipe_pool::pipe_bytes);
    const result<std::size_t> got = since_wait < turn_bytes ? from.splice_to(pipe, most) : 0;
    if (!got) co_return failure(got.error());
    std::size_t size = *got;
    const mono_time began = now();
    if (size == 0) {
      since_wait = 0;
      const result<> more = co_await from.receive(now() + through.receive_gap);
      if (!more) co_return more;
      if (from_client) waited += now() - began;
      // What the ordinary receive still brought.
      size = std::min<std::uint64_t>(left, from.input().size());
      if (size == 0) continue;
      const result<> sent = co_await to.send(from.input().substr(0, size), through.send_gap);
      if (!sent) co_return sent;
      from.consume(size);
    } else {
      since_wait += size;
      if (to.owes_records()) {
        const result<> told = co_await to.send(std::string_view{}, through.send_gap);
        if (!told) co_return told;
      }
      const result<> sent = co_await to.send(pipe, through.send_gap);
      if (!sent) co_return sent;
      if (!from_client) waited += now() - began;
    }
    left -= size;
    moved += size;
    if (!floor.keeps_up(size, std::exchange(waited, nanoseconds{0}))) {
      co_return failure({fault::timed_out, origin::downstream, false, 0, "below the least rate"});
    }
  }
  co_return {};
}

io::task<result<>> splice_while_long(passage through, mono_time& moved_at, std::uint64_t& moved) {
  net::stream& from = through.from;
  net::stream& to = through.to;
  if (!may_splice(from, to)) co_return {};
  io::pipe pipe = from.loop().pipes().take();
  if (!pipe) co_return {};
  const readiness_mode mode(from);
  std::size_t since_wait = 0;
  bool has_waited = false;
  for (bool is_long = true; is_long;) {
    const result<std::size_t> got =
        since_wait < turn_bytes ? from.splice_to(pipe, io::pipe_pool::pipe_bytes) : 0;
    if (!got) co_return failure(got.error());
    std::size_t size = *got;
    if (size == 0) {
      has_waited = since_wait < turn_bytes;
      since_wait = 0;
      const result<> more = co_await from.receive(moved_at + through.receive_gap);
      if (!more) co_return more;
      // What the ordinary receive still brought.
      size = from.input().size();
      if (size == 0) continue;
      const result<> sent = co_await to.send(from.input(), through.send_gap);
      if (!sent) co_return sent;
      from.consume(size);
    } else {
      since_wait += size;
      is_long = size >= long_piece || !has_waited;
      if (to.owes_records()) {
        const result<> told = co_await to.send(std::string_view{}, through.send_gap);
        if (!told) co_return told;
      }
      const result<> sent = co_await to.send(pipe, through.send_gap);
      if (!sent) co_return sent;
    }
    has_waited = false;
    moved += size;
    moved_at = from.loop().now();
  }
  co_return {};
}

}  // namespace rw::gateway
