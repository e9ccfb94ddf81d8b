// Replies of Redis: however the bytes are cut, the replies are the same; what is read stays within
// what a reply has room for.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "redis/reply.h"

namespace {

using namespace rw::redis;
using outcome = reply_reader::outcome;

struct reading {
  std::vector<std::string> replies;
  bool garbage = false;
  friend bool operator==(const reading&, const reading&) = default;
};

std::string describe(const reply& one) {
  std::string text = std::to_string(static_cast<int>(one.what)) + std::string(one.text());
  const bool has_numbers = one.what == reply::kind::array || one.what == reply::kind::number;
  if (!has_numbers) return text;
  RW_ASSERT(one.count <= reply::numbers_max);
  for (std::size_t i = 0; i < one.count; ++i) text += ' ' + std::to_string(one.numbers[i]);
  return text;
}

reading read(std::string_view input, std::size_t first, std::size_t most) {
  reading got;
  reply_reader reader;
  std::size_t step = first;
  while (!input.empty() && !got.garbage) {
    step = step * 5 % most + 1;
    const std::string piece(input.substr(0, step));
    input.remove_prefix(piece.size());
    reader.feed(piece);
    outcome next = reader.next();
    for (; next == outcome::whole; next = reader.next()) {
      got.replies.push_back(describe(reader.reply()));
    }
    got.garbage = next == outcome::garbage;
  }
  return got;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > reply_reader::unfinished_bytes_max) return 0;
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  RW_ASSERT(read(input, size, size + 1) == read(input, data[0], 1U + data[0] % 50U));
  return 0;
}
