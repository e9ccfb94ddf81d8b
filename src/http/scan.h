// Finds the end of a run of allowed octets. Internal to http/.
//
// With SSE2, which every x86-64 has, sixteen octets at a time; a table finishes what is shorter
// than that, so nothing is ever read past `end`. Elsewhere the table does it all.
#pragma once

#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "http/character.h"

namespace rw::http {

template <class_bit Bit>
inline const char* skip_by_table(const char* at, const char* end) noexcept {
  while (at != end && is(*at, Bit)) ++at;
  return at;
}

#ifdef __SSE2__

namespace detail {

inline __m128i load(const char* at) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

inline __m128i load_8(const char* at) noexcept {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
}

inline __m128i load_4(const char* at) noexcept {
  int word = 0;
  __builtin_memcpy(&word, at, sizeof word);
  return _mm_cvtsi32_si128(word);
}

inline __m128i all(char c) noexcept { return _mm_set1_epi8(c); }

// 0xff where low <= octet <= high, both unsigned.
inline __m128i in_range(__m128i octets, char low, char high) noexcept {
  const __m128i from_low = _mm_sub_epi8(octets, all(low));
  return _mm_cmpeq_epi8(_mm_min_epu8(from_low, all(static_cast<char>(high - low))), from_low);
}

inline unsigned bits(__m128i octets) noexcept {
  return static_cast<unsigned>(_mm_movemask_epi8(octets));
}

inline unsigned letters(__m128i octets) noexcept {
  return bits(in_range(_mm_or_si128(octets, all(0x20)), 'a', 'z'));
}

// Controls but HTAB.
inline unsigned not_value(__m128i octets) noexcept {
  const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(octets, all(0x1f)), octets);
  const __m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(octets, all('\t')), low);
  return bits(_mm_or_si128(control, _mm_cmpeq_epi8(octets, all(0x7f))));
}

// SP, controls, '#' and everything from 0x7f on; the comparison is signed.
inline unsigned not_target(__m128i octets) noexcept {
  const __m128i low_or_high = _mm_cmplt_epi8(octets, all(0x21));
  const __m128i one_of =
      _mm_or_si128(_mm_cmpeq_epi8(octets, all('#')), _mm_cmpeq_epi8(octets, all(0x7f)));
  return bits(_mm_or_si128(low_or_high, one_of));
}

// Anything but letters, digits and '-': what nearly every name is made of.
inline unsigned not_common_name(__m128i octets) noexcept {
  const unsigned other =
      bits(_mm_or_si128(in_range(octets, '0', '9'), _mm_cmpeq_epi8(octets, all('-'))));
  return (letters(octets) | other) ^ 0xffffU;
}

// Anything but letters, digits, '-' and '.': what nearly every host is made of.
inline unsigned not_common_host(__m128i octets) noexcept {
  const unsigned other = bits(in_range(octets, '-', '9'));
  const unsigned slash = bits(_mm_cmpeq_epi8(octets, all('/')));
  return (letters(octets) | (other & ~slash)) ^ 0xffffU;
}

// The first octet that `Stop` marks, or `end`. The last few octets are looked at in two overlapping
// halves, so that no octet outside is ever read; a half has `width` octets.
template <unsigned (*Stop)(__m128i)>
inline const char* first_in_halves(__m128i halves, int width, const char* at,
                                   const char* end) noexcept {
  const unsigned mask = Stop(halves) & ((1U << (2 * width)) - 1);
  if (mask == 0) return end;
  const int place = __builtin_ctz(mask);
  return place < width ? at + place : end - width + (place - width);
}

template <unsigned (*Stop)(__m128i), class_bit Bit>
inline const char* find_stop(const char* at, const char* end) noexcept {
  for (; end - at >= 16; at += 16) {
    const unsigned mask = Stop(load(at));
    if (mask != 0) return at + __builtin_ctz(mask);
  }
  if (end - at >= 8) {
    const __m128i halves = _mm_unpacklo_epi64(load_8(at), load_8(end - 8));
    return first_in_halves<Stop>(halves, 8, at, end);
  }
  if (end - at >= 4) {
    const __m128i halves = _mm_unpacklo_epi32(load_4(at), load_4(end - 4));
    return first_in_halves<Stop>(halves, 4, at, end);
  }
  return skip_by_table<Bit>(at, end);
}

}  // namespace detail

// Each answers the first octet that is not of its class, or `end`.

inline const char* skip_value(const char* at, const char* end) noexcept {
  return detail::find_stop<detail::not_value, value_char>(at, end);
}

inline const char* skip_target(const char* at, const char* end) noexcept {
  return detail::find_stop<detail::not_target, target_char>(at, end);
}

inline const char* skip_name(const char* at, const char* end) noexcept {
  const char* rare = detail::find_stop<detail::not_common_name, name_char>(at, end);
  return skip_by_table<name_char>(rare, end);
}

inline const char* skip_host(const char* at, const char* end) noexcept {
  const char* rare = detail::find_stop<detail::not_common_host, host_char>(at, end);
  return skip_by_table<host_char>(rare, end);
}

#else

inline const char* skip_value(const char* at, const char* end) noexcept {
  return skip_by_table<value_char>(at, end);
}

inline const char* skip_target(const char* at, const char* end) noexcept {
  return skip_by_table<target_char>(at, end);
}

inline const char* skip_name(const char* at, const char* end) noexcept {
  return skip_by_table<name_char>(at, end);
}

inline const char* skip_host(const char* at, const char* end) noexcept {
  return skip_by_table<host_char>(at, end);
}

#endif

}  // namespace rw::http
