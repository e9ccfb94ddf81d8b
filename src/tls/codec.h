// One TLS connection as a codec: ciphertext in, plaintext out, and the other way round. It knows no
// descriptor and no clock, blocks on nothing and never calls back. This is what both sides share;
// server_codec and client_codec differ in how the handshake goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tls/peer_certificate.h"
#include "tls/traffic_keys.h"
#include "tls/version.h"

struct WOLFSSL;

namespace rw::tls {

struct call;

// RFC 8446 5.1: what one record carries at most, and by how much any suite of ours grows it. A
// buffer of record_plaintext_max + record_overhead_max bytes takes a full record of any connection.
inline constexpr std::size_t record_plaintext_max = 16384;
inline constexpr std::size_t record_overhead_max = 29;

// Where a codec appends the bytes to be sent; the caller's buffer, the caller's to drain.
struct output {
  std::byte* data = nullptr;
  std::size_t size = 0;  // bytes in it, from the front
  std::size_t capacity = 0;

  std::size_t room() const noexcept { return capacity - size; }
};

// How a call ended. Every one of them can leave bytes in `output` that must be sent.
enum class step : std::uint8_t {
  done,         // handshake: established; write: all taken; read: the plaintext is full, call again
  want_input,   // all input was taken: call again with what arrives next
  want_output,  // `output` has no room: drain it, then call again with what is left of the rest
  closed,       // read: the peer's close_notify; no more plaintext will come, writing still works
  failed        // for good: send what is in `output` (the alert), then close; see failure()
};

struct transfer {
  std::size_t size = 0;  // plaintext bytes produced (read) or consumed (write)
  step state = step::want_input;
};

// One thread. After the handshake it holds nothing that only the handshake needed.
//
// Input: `in` is advanced past what was taken. Everything is taken, partial records too (the codec
// keeps those), unless the call returns done, want_output, closed or failed: then what is left in
// `in` comes first the next time.
// Output: what does not fit is never lost: the codec keeps it, returns want_output and takes no
// more input until it could hand it over. It keeps one flight of the handshake at most.
class codec {
 public:
  virtual ~codec();
  codec& operator=(const codec&) = delete;

  // Until it returns done or failed. What is left in `in` then belongs to read(). A client's first
  // call needs no input.
  step handshake(std::span<const std::byte>& in, output& out);

  // After the handshake. Decrypts into `plaintext` as much as fits; `out` takes answers to the
  // peer's key updates. done: `plaintext` is full and more may be waiting without further input.
  transfer read(std::span<const std::byte>& in, std::span<std::byte> plaintext, output& out);

  // After the handshake. Encrypts `parts`, one after the other, into as few records as possible: a
  // head and a body share one where they fit. done: all of it; want_output: `size` bytes of it,
  // call again with the rest. A record is cut short to fill `out`, but not below 1 KiB.
  transfer write(std::span<const std::span<const std::byte>> parts, output& out);
  transfer write(std::span<const std::byte> part, output& out) { return write({&part, 1}, out); }

  // Appends close_notify, once. done or want_output. Before the handshake is done it does nothing.
  step close(output& out);

  // Hands over what an earlier call had to keep. done or want_output.
  step flush(output& out);

  // ---- records that somebody else makes: the kernel; of a server, that was told so when made
  // What the next record is to be encrypted with; everything that wolfSSL has to send of its own
  // accord, tickets above all, has left it by the end of the handshake. Established and flushed
  // only. False when there is no memory.
  bool write_keys(traffic_keys& out) const;
  // write_keys() are somebody else's now: no write(), close() or flush() any more. `renewable`:
  // next_keys() may be asked for.
  void hand_over_writing(bool renewable) noexcept;
  // Nobody took them: what they could have been made of is forgotten.
  void keep_writing() noexcept { export_.seen.reset(); }
  // Those that follow a KeyUpdate of ours (RFC 8446 4.6.3). False when there is no memory.
  bool next_keys(traffic_keys& out);
  // What read() would have sent since it was last asked.
  struct unsent {
    bool key_update = false;
    int warning = -1;  // the number of an alert
  };
  unsent take_unsent() noexcept { return std::exchange(export_.dropped, {}); }

  // By ALPN, once established; "" when none was agreed. Valid until the context goes.
  virtual std::string_view protocol() const noexcept { return {}; }

  bool established() const noexcept { return stage_ == stage::established; }
  bool failed() const noexcept { return stage_ == stage::failed; }
  // Plaintext that read() would give without further input.
  std::size_t buffered() const noexcept;

  // The peer has said its close_notify, and it was read: a stream that ends without was cut off.
  bool peer_closed() const noexcept { return peer_closed_; }

  // What was found wrong with the other side's certificate.
  enum class flaw : std::uint8_t {
    none,
    missing,    // a client's, where one is required
    untrusted,  // no chain to a trusted authority
    name,       // a certificate of another name
    expired,
    not_yet_valid,
    pin,   // no pinned key in the chain
    unfit  // for another use, too weak a key, a critical extension nobody knows
  };
  // After `failed`. fault::tls, or fault::malformed for bytes that are no TLS at all; text is
  // literal. `library_code` is wolfSSL's error or 0, `alert` the one the peer sent (RFC 8446 6) or
  // -1: both for the log.
  struct failure_report {
    error what;
    int library_code = 0;
    int peer_alert = -1;
    flaw found = flaw::none;
  };
  const failure_report& failure() const noexcept { return failure_; }
  // After `failed`, of a client's: the server speaks nothing that was offered by ALPN, and says so,
  // or chooses something else (RFC 7301 3.2).
  bool found_no_protocol() const noexcept;

  // What a client has proven to be, once established; null when it has shown no certificate, of a
  // server, and when this was asked before.
  virtual std::unique_ptr<peer_certificate> take_peer() noexcept;

  // The rest for the log, once established. Views are valid until the next call.
  protocol_version version() const noexcept;
  std::string_view cipher() const noexcept;  // the RFC's name, "TLS_AES_128_GCM_SHA256"
  std::string_view group() const noexcept;   // "X25519MLKEM768"; "" when wolfSSL does not say
  bool resumed() const noexcept { return resumed_; }
  // As the client sends it, in lower case; "" when it sends none. A server knows it as soon as it
  // has the hello.
  std::string_view server_name() const noexcept { return server_name_; }

 protected:
  enum class stage : std::uint8_t { hello, negotiating, established, failed };

  codec() = default;
  codec(codec&& other) noexcept;

  // One step of the handshake, after what was kept has found room. `hello` comes before `in`.
  virtual step negotiate(std::span<const std::byte>& in, output& out) = 0;
  // What a code of wolfSSL's means to this side. Sets `what` and perhaps `found`.
  virtual void explain(int library_code, failure_report& to) const noexcept = 0;
  // A session that can be resumed has come with what was read.
  virtual void on_ticket() {}

  // What follows wolfSSL_accept or wolfSSL_connect.
  step after_handshake_call(int returned, output& out);
  step refuse(fault code, const char* text, int alert, output& out);
  step fail(int library_code, output& out);
  void append_alert(int alert);

  WOLFSSL* ssl_ = nullptr;
  std::vector<std::byte> kept_;  // output that found no room
  std::string server_name_;
  failure_report failure_;
  stage stage_ = stage::hello;
  struct exporting {
    bool wanted = false;
    bool done = false;  // what wolfSSL writes goes nowhere
    unsent dropped;
    std::unique_ptr<traffic_state> seen;  // while it may be asked for
  } export_;

 private:
  transfer decrypt(std::span<const std::byte>& in, std::span<std::byte> plaintext, output& out);
  void note_discarded() noexcept;

  std::uint32_t silent_bytes_ = 0;  // taken since the last plaintext
  bool resumed_ = false;
  bool close_sent_ = false;
  bool peer_closed_ = false;
};

}  // namespace rw::tls
