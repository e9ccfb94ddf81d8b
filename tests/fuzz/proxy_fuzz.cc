// PROXY headers: a beginning of one that is complete is partial, one that is refused stays refused
// whatever follows, and what is read can be written and read again.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "net/proxy_header.h"

namespace {

using namespace rw;
using namespace rw::net;

bool same(const proxy_header& a, const proxy_header& b) {
  return a.has_addresses == b.has_addresses && a.from == b.from && a.to == b.to;
}

void write_and_read(const proxy_header& what) {
  for (const auto version : {config::proxy_protocol::v1, config::proxy_protocol::v2}) {
    std::array<char, written_proxy_header_max> room;
    const std::size_t size = write_proxy_header(version, what, room);
    proxy_header again;
    RW_ASSERT(size <= room.size());
    RW_ASSERT(parse_proxy_header({room.data(), size}, again) == proxy_state::complete);
    RW_ASSERT(again.size == size && same(what, again));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  proxy_header got;
  const proxy_state whole = parse_proxy_header(input, got);
  if (whole == proxy_state::complete) {
    RW_ASSERT(got.size <= size && got.size <= proxy_header_bytes_max);
    write_and_read(got);
    proxy_header part;
    for (std::size_t cut = 0; cut < got.size; ++cut) {
      RW_ASSERT(parse_proxy_header(input.substr(0, cut), part) == proxy_state::partial);
    }
  } else if (whole == proxy_state::refused) {
    proxy_header more;
    RW_ASSERT(parse_proxy_header(std::string(input) + '\n', more) == proxy_state::refused);
  } else {
    RW_ASSERT(size < proxy_header_bytes_max);
  }
  return 0;
}
