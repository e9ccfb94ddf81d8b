// Certificate authorities that servers, or clients, are verified by: a bundle in PEM, such as the
// system's.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace rw::tls {

// Immutable; any thread may read.
class authorities {
 public:
  static constexpr std::size_t certificates_max = 4096;

  // Certificates whose time is over, or has not come, are left out and counted: a bundle is not
  // broken by one of many. So are those that wolfSSL cannot use, and RSA keys below 2048 bits.
  // Errors: fault::invalid for what is no PEM, and when none is left.
  static result<std::shared_ptr<const authorities>> load(std::string_view pem, wall_time now);

  std::span<const std::string> certificates() const noexcept { return der_; }  // in DER
  std::size_t left_out() const noexcept { return left_out_; }
  // Whether every certificate of `other` is one of these.
  bool includes(const authorities& other) const noexcept;
  // Of certificates(), in their order.
  const std::array<std::byte, 32>& fingerprint() const noexcept { return fingerprint_; }

 private:
  authorities() = default;

  std::vector<std::string> der_;
  std::vector<std::array<std::byte, 32>> digests_;  // of each, sorted
  std::size_t left_out_ = 0;
  std::array<std::byte, 32> fingerprint_{};
};

}  // namespace rw::tls
