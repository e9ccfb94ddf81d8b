// Reading a ClientHello before wolfSSL does: the server name decides which certificate, and so
// which WOLFSSL_CTX, a connection is made with. Pure; bytes in, facts out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rw::tls {

// Larger messages, their four-byte header included, are refused. Real ones stay under 4 KiB with
// the largest key shares and tickets; other servers draw the line here too, and wolfSSL soon after.
inline constexpr std::size_t client_hello_bytes_max = 16U << 10U;

// What the choice of a certificate needs (RFC 8446 4.1.2). Views point into the message.
struct client_hello {
  std::string_view server_name;           // RFC 6066 3, as sent; "" when absent
  std::span<const std::byte> protocols;   // RFC 7301 3.1, the list's entries; empty when absent
  std::span<const std::byte> signatures;  // RFC 8446 4.2.3, two bytes each; empty when absent
  std::span<const std::byte> groups;      // RFC 8446 4.2.7, two bytes each; empty when absent
  bool has_server_name = false;
  bool has_protocols = false;
  bool offers_tls12 = false;
  bool offers_tls13 = false;

  bool has_group(std::uint16_t id) const noexcept;
};

// `message` with its four-byte handshake header. False when its structure is broken: a length that
// leads outside, a list that is empty where it must not be, an extension of these given twice.
bool parse_client_hello(std::span<const std::byte> message, client_hello& out) noexcept;

// Calls `each(std::string_view)` for the client's protocols in their order until it returns true.
template <class F>
bool any_protocol(const client_hello& hello, F&& each) {
  for (auto list = hello.protocols; !list.empty();) {
    const auto size = std::to_integer<std::size_t>(list[0]);
    const auto name = list.subspan(1, size);
    if (each(std::string_view(reinterpret_cast<const char*>(name.data()), name.size())))
      return true;
    list = list.subspan(1 + size);
  }
  return false;
}

// Puts a ClientHello together that came in pieces: of bytes, of records, or both (RFC 8446 5.1).
class hello_reader {
 public:
  enum class state : std::uint8_t {
    incomplete,
    complete,
    not_tls,     // the first bytes are no TLS record
    unexpected,  // a record or message of another kind, or an empty record
    record_too_large,
    message_too_large
  };

  // Takes from `in` what belongs to the ClientHello's records and nothing past the last of them.
  state take(std::span<const std::byte>& in);

  // Once complete: the message, and a record that holds the whole of it.
  std::span<const std::byte> message() const noexcept { return message_; }
  std::vector<std::byte> record() const;

  // The length of the record that holds a whole ClientHello and nothing else at the front of `in`;
  // 0 when it is not that simple. The usual case, which needs no copy.
  static std::size_t whole_record(std::span<const std::byte> in) noexcept;

 private:
  state take_header(std::span<const std::byte>& in);

  std::vector<std::byte> message_;
  std::byte header_[5]{};
  std::byte version_minor_{};
  std::uint8_t header_size_ = 0;
  std::size_t record_left_ = 0;  // payload bytes of the present record still to come
};

}  // namespace rw::tls
