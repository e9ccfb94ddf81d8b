// A country by its ISO 3166-1 alpha-2 code, or none that is known.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace rw {

class country {
 public:
  // How many there can be, the unknown one included: what is counted by country has so many places.
  static constexpr std::size_t count = 26 * 26 + 1;

  constexpr country() = default;
  // Any two letters from A to Z, given out or not; unknown for everything else.
  static constexpr country of(std::string_view code) noexcept {
    country made;
    const auto is_letter = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (code.size() == 2 && is_letter(code[0]) && is_letter(code[1])) {
      made.code_ = {code[0], code[1]};
    }
    return made;
  }
  // Its place: 0 for the unknown one, below `count`.
  constexpr std::size_t index() const noexcept {
    if (!is_known()) return 0;
    const auto place = [](char letter) { return static_cast<std::size_t>(letter - 'A'); };
    return place(code_[0]) * 26 + place(code_[1]) + 1;
  }
  static constexpr country at(std::size_t index) noexcept {
    country made;
    if (index > 0 && index < count) {
      made.code_ = {static_cast<char>('A' + (index - 1) / 26),
                    static_cast<char>('A' + (index - 1) % 26)};
    }
    return made;
  }

  constexpr bool is_known() const noexcept { return code_[0] != 0; }
  // "DE"; empty when unknown. Lives as long as this object.
  constexpr std::string_view text() const noexcept {
    return is_known() ? std::string_view(code_.data(), 2) : std::string_view{};
  }
  friend constexpr bool operator==(const country&, const country&) = default;

 private:
  std::array<char, 2> code_{};
};

}  // namespace rw
