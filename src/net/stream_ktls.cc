// TLS whose records the kernel makes on the sending side; receiving stays with the codec.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "net/stream.h"

namespace rw::net {
namespace {

using record = control_record::type;

constexpr std::byte alert_warning{1};
constexpr std::array<std::byte, 5> key_update = {std::byte{24}, {}, {}, std::byte{1}, {}};
// RFC 8446 5.5 allows 2^24.5 full records for one key of AES-GCM: well before that.
constexpr std::uint32_t records_max = 1U << 23U;

}  // namespace

// After the handshake, with everything sent.
void stream::let_kernel_send() {
  const io::kernel_tls able = loop_.kernel().sends_tls();
  tls::traffic_keys keys;
  if (tls_->write_keys(keys)) {
    const crypto_info info(keys);
    kernel_sends_ = loop_.kernel().send_as_tls(fd_, info.bytes());
  }
  if (kernel_sends_) {
    tls_->hand_over_writing(able == io::kernel_tls::renewable_keys &&
                            tls_->version() == tls::protocol_version::tls13);
  } else {
    tls_->keep_writing();
  }
}

void stream::want_new_keys() noexcept {
  if (loop_.kernel().sends_tls() == io::kernel_tls::renewable_keys) {
    new_keys_due_ = true;
  } else {
    worn_out_ = true;
  }
}

// What the codec would have answered by itself.
void stream::take_unsent() {
  const tls::codec::unsent what = tls_->take_unsent();
  if (what.key_update) want_new_keys();
  if (what.warning >= 0) queue_alert(static_cast<std::byte>(what.warning));
}

void stream::queue_alert(std::byte number) {
  control_.insert(control_.end(), {alert_warning, number});
}

// What is to go before any data, if there is something.
const msghdr* stream::next_record() {
  if (control_.size() >= 2) {
    record_ = std::make_unique<control_record>(record::alert, std::span(control_).first(2));
    control_.erase(control_.begin(), control_.begin() + 2);
  } else if (new_keys_due_) {
    record_ = std::make_unique<control_record>(record::handshake, key_update);
  }
  return record_ ? record_->message() : nullptr;
}

// RFC 8446 4.6.3: what follows our KeyUpdate has the next keys.
bool stream::record_sent() {
  const bool renew = std::exchange(record_, nullptr)->what() == record::handshake;
  if (!renew) return true;
  new_keys_due_ = false;
  records_sent_ = 0;
  tls::traffic_keys keys;
  if (!tls_->next_keys(keys)) return false;
  const crypto_info info(keys);
  return loop_.kernel().send_as_tls(fd_, info.bytes());
}

void stream::count_records(std::size_t bytes) noexcept {
  records_sent_ += 1 + static_cast<std::uint32_t>(bytes / tls::record_plaintext_max);
  if (records_sent_ < records_max || tls_->version() != tls::protocol_version::tls13) return;
  records_sent_ = 0;
  want_new_keys();
}

// The kernel drops a record that found no room in the socket's queue when FIN is due, and does not
// count it as unacknowledged. None is left once the peer has acknowledged all there is, twice in a
// row: only a full queue keeps a record out.
io::task<> stream::drain_records(mono_time deadline) {
  constexpr std::chrono::milliseconds look_again{5};
  constexpr std::chrono::seconds longest{60};  // for a reader that is only slow
  const nanoseconds patience = deadline - loop_.now();
  const mono_time latest = loop_.now() + longest;
  std::size_t before = SIZE_MAX;
  for (unsigned empty = 0; empty < 2 && !ended_ && !failed_;) {
    if (loop_.now() >= std::min(deadline, latest)) break;
    while (has_pending()) drop_front();
    const result<> more = co_await receive(loop_.now() + look_again);
    if (more || more.error().code != fault::timed_out) continue;
    const std::size_t left = loop_.kernel().unacknowledged(fd_);
    if (left != before) deadline = loop_.now() + patience;
    before = left;
    empty = left == 0 ? empty + 1 : 0;
  }
}

}  // namespace rw::net
