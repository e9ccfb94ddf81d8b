// Which country an address is in, as a MaxMind DB has it (country.iso_code).
//
// The file is read once, by libmaxminddb, into a table of our own: whoever looks something up
// touches neither the library nor the file, which may be rewritten or broken meanwhile.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/country.h"
#include "base/error.h"

namespace rw::geo {

// Immutable; any thread.
class country_table {
 public:
  using address = std::array<std::uint8_t, 16>;  // network order; IPv4 as ::ffff:a.b.c.d

  // Octets of a file: several times what databases of cities have.
  static constexpr std::size_t file_bytes_max = 512U << 20U;

  // `file`: the whole of it, not kept. Errors: fault::invalid with a literal text.
  static result<std::shared_ptr<const country_table>> load(std::string_view file);

  // A binary search: no allocation, no lock. Unknown for what the database says nothing of.
  country find(const address& of) const noexcept;

  // Of the file's octets; never 0. Two tables with the same one say the same.
  std::uint64_t id() const noexcept { return id_; }
  static std::uint64_t id_of(std::string_view file) noexcept;
  wall_time built() const noexcept { return built_; }
  std::size_t ranges() const noexcept { return v4_.size() + v6_.size(); }

 private:
  struct builder;
  using wide = unsigned __int128;

  // Each range goes from its first address to the next one's.
  std::vector<std::uint32_t> v4_;
  std::vector<country> v4_in_;
  std::vector<wide> v6_;
  std::vector<country> v6_in_;
  std::uint64_t id_ = 0;
  wall_time built_;
};

}  // namespace rw::geo
