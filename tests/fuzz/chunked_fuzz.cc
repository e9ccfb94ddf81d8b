// Chunked bodies: however they are cut, the verdict, the data, the trailers and the end are the
// same; and what was accepted, written again, is read as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "http/chunked.h"

namespace {

using namespace rw::http;
using status = chunked_decoder::status;

constexpr chunked_limits tight(bool of_origin) {
  return {.line_bytes = 40,
          .trailer_bytes = 200,
          .trailer_count = 4,
          .names = of_origin ? underscores::taken : underscores::refused};
}

struct reading {
  status state = status::reading;
  std::string reason;
  std::string data;
  std::string trailers;
  std::size_t consumed = 0;
};

reading read(std::string_view input, std::size_t first, std::size_t most,
             const chunked_limits& limits) {
  reading got;
  chunked_decoder decoder{limits};
  std::size_t step = first;
  while (decoder.state() == status::reading && got.consumed < input.size()) {
    step = step * 5 % most + 1;
    const std::size_t size = std::min(step, input.size() - got.consumed);
    auto piece = std::make_unique<char[]>(size);
    std::memcpy(piece.get(), input.data() + got.consumed, size);
    std::string_view left{piece.get(), size};
    while (!left.empty() && decoder.state() == status::reading) {
      const auto [consumed, data] = decoder.feed(left);
      RW_ASSERT(consumed > 0 && consumed <= left.size() && data.size() <= consumed);
      got.data += data;
      got.consumed += consumed;
      left.remove_prefix(consumed);
    }
  }
  got.state = decoder.state();
  got.reason = decoder.reason();
  if (got.state == status::done) got.trailers = decoder.trailers();
  return got;
}

void check_writing(const reading& body) {
  std::string stream;
  if (!body.data.empty()) {
    stream.append(make_chunk_head(body.data.size()).view()).append(body.data).append(chunk_end);
  }
  stream.append(last_chunk).append(body.trailers).append(chunk_end);
  const reading again = read(stream, 1, stream.size() + 1,
                             {.names = underscores::taken});  // a missing blank is made up for
  RW_ASSERT(again.state == status::done && again.consumed == stream.size());
  RW_ASSERT(again.data == body.data && again.trailers == body.trailers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  const chunked_limits limits = tight((data[0] & 1U) != 0);
  const reading whole = read(input, size, size + 1, limits);
  const reading cut = read(input, data[0], 1U + data[0] % 50U, limits);
  RW_ASSERT(whole.state == cut.state && whole.reason == cut.reason);
  if (whole.state != status::refused) {
    RW_ASSERT(whole.data == cut.data && whole.consumed == cut.consumed);
  }
  if (whole.state != status::done) return 0;
  RW_ASSERT(whole.trailers == cut.trailers);
  std::string_view lines = whole.trailers;
  for (field one; next_trailer(lines, one);) {
    RW_ASSERT(one.id == field_id::none || one.id == field_id::etag);
  }
  RW_ASSERT(lines.empty());
  check_writing(whole);
  return 0;
}
