#include "http/h2_frames.h"

#include <algorithm>

namespace rw::http {
namespace {

constexpr unsigned char data_type = 0;
constexpr unsigned char headers = 1;
constexpr unsigned char end_headers = 4;

}  // namespace

void h2_frames::pass(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    if (left_ > 0) {
      const std::size_t size = std::min<std::size_t>(left_, bytes.size());
      left_ -= static_cast<std::uint32_t>(size);
      bytes.remove_prefix(size);
      if (left_ == 0) end_frame();
      continue;
    }
    const std::size_t size = std::min(header_.size() - header_size_, bytes.size());
    std::copy_n(bytes.begin(), size, header_.begin() + header_size_);
    header_size_ += static_cast<std::uint32_t>(size);
    bytes.remove_prefix(size);
    if (header_size_ == header_.size()) read_header();
  }
}

// CONTINUATION does not begin a section, and what else comes within one is no frame at all.
void h2_frames::read_header() noexcept {
  header_size_ = 0;
  left_ = std::uint32_t{header_[0]} << 16U | std::uint32_t{header_[1]} << 8U | header_[2];
  if (header_[3] == data_type) data_.add(left_);
  if (header_[3] == headers) {
    in_section_ = true;
    ++sections_;
  }
  ends_section_ = (header_[4] & end_headers) != 0;
  if (left_ == 0) end_frame();
}

void h2_frames::end_frame() noexcept {
  if (in_section_ && ends_section_) in_section_ = false;
}

}  // namespace rw::http
