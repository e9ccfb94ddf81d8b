// Where the frames of HTTP/2 begin and end (RFC 9113 4.1) in what a peer sends, and nothing else
// of them. No I/O, no clock.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace rw::http {

// Beside the library that reads them, which does not say that it is in the middle of something.
class h2_frames {
 public:
  static constexpr std::uint32_t header_bytes = 9;
  // `from_client`: its preface (RFC 9113 3.4) comes first.
  explicit h2_frames(bool from_client = true) noexcept : left_(from_client ? preface_bytes : 0) {}
  // All that comes, in pieces of any size.
  void pass(std::string_view bytes) noexcept;
  // Which header section, from 1 on, has begun and not come to its end; 0: none. HEADERS and its
  // CONTINUATIONs are one, and nothing else may come between them (RFC 9113 4.3).
  std::uint64_t open_section() const noexcept { return in_section_ ? sections_ : 0; }
  // DATA frames (RFC 9113 6.1) whose header has come, and their octets, all 9 of it included.
  struct tally {
    std::uint64_t frames = 0;
    std::uint64_t octets = 0;
    void add(std::uint32_t length) noexcept {
      ++frames;
      octets += length + header_bytes;
    }
  };
  const tally& data() const noexcept { return data_; }

 private:
  static constexpr std::uint32_t preface_bytes = 24;
  void read_header() noexcept;
  void end_frame() noexcept;

  std::array<unsigned char, header_bytes> header_{};
  std::uint32_t header_size_ = 0;  // octets of it that have come
  std::uint32_t left_;             // before the next one
  std::uint64_t sections_ = 0;
  tally data_;
  bool in_section_ = false;
  bool ends_section_ = false;  // the frame that comes in does
};

}  // namespace rw::http
