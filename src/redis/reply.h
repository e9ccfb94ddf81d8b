// What Redis says (RESP2), as far as it is asked: by hiredis' reader, into memory of a fixed size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;  // NOLINT(readability-identifier-naming): hiredis' name

namespace rw::redis {

// One reply. Longer texts are cut; an array has numbers alone, or texts alone where those are what
// is asked for, whole.
struct reply {
  enum class kind : std::uint8_t { none, text, error, number, nil, array };
  static constexpr std::size_t text_bytes_max = 128;
  static constexpr std::size_t numbers_max = 64;

  kind what = kind::none;
  std::size_t count = 0;  // of `text_bytes` or `numbers`
  std::array<char, text_bytes_max> text_bytes{};
  std::array<std::int64_t, numbers_max> numbers{};
  bool takes_texts = false;
  std::vector<std::string> texts;  // numbers_max at most

  std::string_view text() const noexcept {
    return what == kind::text || what == kind::error ? std::string_view(text_bytes.data(), count)
                                                     : std::string_view();
  }
};

// Of one connection. Bytes in any pieces, replies out. Allocates for bytes that are no whole reply
// yet, at most `unfinished_bytes_max` of them.
class reply_reader {
 public:
  static constexpr std::size_t unfinished_bytes_max = 16384;

  explicit reply_reader(bool takes_texts = false);
  ~reply_reader();
  reply_reader(const reply_reader&) = delete;
  reply_reader& operator=(const reply_reader&) = delete;

  enum class outcome : std::uint8_t {
    whole,    // the next one is in reply()
    partial,  // more has to come
    garbage   // not RESP2, or nothing that anybody asked for; what follows means nothing
  };
  void feed(std::string_view bytes) noexcept;
  outcome next() noexcept;
  const redis::reply& reply() const noexcept { return *reply_; }

 private:
  struct freed {
    void operator()(redisReader* one) const noexcept;
  };
  std::unique_ptr<redis::reply> reply_;
  std::unique_ptr<redisReader, freed> reader_;
};

}  // namespace rw::redis
