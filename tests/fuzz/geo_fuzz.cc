// Files of countries: whatever is in one, loading it ends, and each country that it puts an address
// in is a text of the file.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "geo/country_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rw;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  const auto made = geo::country_table::load(file);
  if (!made) {
    RW_ASSERT(made.error().text[0] != '\0');
    return 0;
  }
  RW_ASSERT((*made)->id() == geo::country_table::id_of(file));
  std::uint64_t next = (*made)->id();
  for (int i = 0; i < 512; ++i) {
    geo::country_table::address at{};
    for (std::uint8_t& octet : at) {
      next = next * 6364136223846793005 + 1442695040888963407;
      octet = static_cast<std::uint8_t>(next >> 56U);
    }
    // Half of them IPv4, and many near where the seeds have networks.
    if (i % 2 == 0) at = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, at[12], at[13], at[14], at[15]};
    if (i % 4 == 0) at[12] = 198, at[13] = 51, at[14] = 100;
    if (i % 4 == 1) at[0] = 0x20, at[1] = 0x01, at[2] = 0x0d, at[3] = 0xb8;
    const country where = (*made)->find(at);
    if (!where.is_known()) continue;
    // A text of two octets, as the format writes it.
    RW_ASSERT(file.find("\x42" + std::string(where.text())) != std::string_view::npos);
  }
  return 0;
}
