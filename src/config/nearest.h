// Which word did somebody mean?
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace rw::config {

// Insertions, deletions, replacements and swaps of neighbours between the two, in octets.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The closest of `known`, the first of them on a tie; empty when there is none.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// `; did you mean "x"?` when one is close, else empty.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

// The same, but else `; the nearest known is "x"`; empty without any.
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace rw::config
