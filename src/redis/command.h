// What Redis is asked, as it goes over the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rw::redis {

// The words of one command, kept in one piece of memory that clear() leaves for the next.
class command {
 public:
  command& add(std::string_view word);
  command& add(std::uint64_t number);
  void clear() noexcept;
  std::size_t size() const noexcept { return ends_.size(); }
  std::string_view word(std::size_t i) const noexcept;
  void wipe() noexcept;  // it has a secret in it

 private:
  std::string bytes_;
  std::vector<std::uint32_t> ends_;
};

inline constexpr std::size_t words_max = 128;  // of one command

// Appends `first` and then `rest`, as RESP2 has it, to `out`. `wiped`: what is made on the way is
// overwritten, since there is a secret in it.
void append(std::string& out, const command& first, const command& rest, bool wiped = false);

}  // namespace rw::redis
