#include "redis/command.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <array>

#include "base/assert.h"
#include "base/secret.h"

namespace rw::redis {

command& command::add(std::string_view word) {
  bytes_ += word;
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  return *this;
}

command& command::add(std::uint64_t number) {
  const fmt::format_int text(number);
  return add(std::string_view(text.data(), text.size()));
}

void command::clear() noexcept {
  bytes_.clear();
  ends_.clear();
}

std::string_view command::word(std::size_t i) const noexcept {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(begin, ends_[i] - begin);
}

void command::wipe() noexcept {
  rw::wipe(bytes_.data(), bytes_.size());
  clear();
}

void append(std::string& out, const command& first, const command& rest, bool wiped) {
  std::array<const char*, words_max> words;
  std::array<std::size_t, words_max> sizes;
  RW_ASSERT(first.size() + rest.size() <= words_max);
  std::size_t count = 0;
  for (const command* one : {&first, &rest}) {
    for (std::size_t i = 0; i < one->size(); ++i) {
      words[count] = one->word(i).data();
      sizes[count++] = one->word(i).size();
    }
  }
  char* made = nullptr;
  const auto size =
      redisFormatCommandArgv(&made, static_cast<int>(count), words.data(), sizes.data());
  RW_ASSERT(size > 0);
  const auto bytes = static_cast<std::size_t>(size);
  out.append(made, bytes);
  if (wiped) wipe(made, bytes);
  redisFreeCommand(made);
}

}  // namespace rw::redis
