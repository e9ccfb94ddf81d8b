// The border to toml++: its parser, compiled here once and without exceptions, and the way from its
// tree to ours.
#define TOML_HEADER_ONLY 0
#define TOML_IMPLEMENTATION
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// Nothing in the contract nests deeper than six; toml++ frees its tree by recursion.
#define TOML_MAX_NESTED_VALUES 16
// Its parser asserts, or with NDEBUG promises the compiler, what its input has not shown yet ("[(")
// just before it handles the case as an error: the handling is what counts.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/document.h"

namespace rw::config {
namespace {

// Parts of a dotted key. toml++ sets no bound of its own, and every part is a level of recursion.
constexpr std::size_t key_parts_max = 16;

// Finds a dotted key of too many parts, as an offset into the text; npos without one. Follows
// strings and comments as TOML does, up to the first error, after which toml++ reads no further
// either.
std::size_t find_deep_key(std::string_view text) {
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') {
      if (++dots >= key_parts_max) return i;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      dots = 0;
    } else if (c == '"' || c == '\'') {
      const std::string_view rest = text.substr(i);
      const bool is_long = rest.size() >= 3 && rest[1] == c && rest[2] == c;
      const std::size_t quotes = is_long ? 3 : 1;
      for (i += quotes; i < text.size(); ++i) {
        if (c == '"' && text[i] == '\\') {
          ++i;
        } else if (!is_long && text[i] == '\n') {
          break;
        } else if (text.substr(i, quotes) == rest.substr(0, quotes)) {
          // Up to two more quotes belong to the string's own text.
          while (is_long && i + 3 < text.size() && text[i + 3] == c) ++i;
          i += quotes - 1;
          break;
        }
      }
    } else if (std::string_view{"=[]{},\n"}.find(c) != std::string_view::npos) {
      dots = 0;
    }
  }
  return std::string_view::npos;
}

class converter {
 public:
  converter(std::string_view text, std::uint32_t file) : file_(file) {
    std::size_t begin = 0;
    for (;;) {
      const std::size_t end = text.find('\n', begin);
      add_line(text.substr(begin, end == std::string_view::npos ? end : end - begin));
      if (end == std::string_view::npos) return;
      begin = end + 1;
    }
  }

  // toml++ counts columns in code points.
  place at(toml::source_position from) const {
    place out{.file = file_, .line = from.line, .column = from.column};
    if (from.line == 0 || from.line > lines_.size()) return out;
    const std::string_view line = lines_[from.line - 1];
    if (line.empty()) return out;
    const auto is_tail = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
    std::size_t octets = 0;
    for (std::uint32_t left = from.column; octets < line.size(); ++octets) {
      if (!is_tail(line[octets]) && --left == 0) break;
    }
    out.column = static_cast<std::uint32_t>(octets + 1);
    return out;
  }

  members table(const toml::table& from) const {
    members out;
    out.reserve(from.size());
    for (const auto& [key, value] : from) {
      out.push_back({std::string(key.str()), at(key.source().begin), convert(value)});
    }
    return out;
  }

 private:
  node convert(const toml::node& from) const {
    node out(at(from.source().begin));
    if (const auto* text = from.as_string()) {
      out.value = text->get();
    } else if (const auto* number = from.as_integer()) {
      out.value = number->get();
    } else if (const auto* fraction = from.as_floating_point()) {
      out.value = fraction->get();
    } else if (const auto* flag = from.as_boolean()) {
      out.value = flag->get();
    } else if (const auto* inner = from.as_table()) {
      out.value = table(*inner);
    } else if (const auto* array = from.as_array()) {
      list items;
      items.reserve(array->size());
      for (const toml::node& item : *array) items.push_back(convert(item));
      out.value = std::move(items);
    } else {
      out.value = date_or_time{};
    }
    return out;
  }

  void add_line(std::string_view line) {
    if (lines_.empty() && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    lines_.push_back(std::ranges::all_of(line, is_ascii) ? std::string_view{} : line);
  }

  std::uint32_t file_;
  std::vector<std::string_view> lines_;  // empty where columns need no translation
};

// toml++ quotes what it could not read; most of that is one character, but a number is quoted
// whole, and any value may have been meant as a secret.
std::string describe(const toml::parse_error& error) {
  std::string text(error.description());
  if (text.contains("is not representable")) return "a number that does not fit into 64 bits";
  if (text.contains("nested value depth")) return "arrays and tables are nested too deep";
  constexpr std::array<std::string_view, 2> openings{"Error while parsing ", "Encountered "};
  if (text.starts_with(openings[0])) return "cannot parse " + text.substr(openings[0].size());
  if (text.starts_with(openings[1])) return "found " + text.substr(openings[1].size());
  return text;
}

}  // namespace

members parse_toml(std::string_view text, std::uint32_t file, report& out) {
  const converter convert(text, file);
  if (const std::size_t deep = find_deep_key(text); deep != std::string_view::npos) {
    const auto line = std::ranges::count(text.substr(0, deep), '\n') + 1;
    const std::size_t begin = text.substr(0, deep).rfind('\n') + 1;
    out.error(
        {file, static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(deep - begin + 1)}, {},
        "a dotted key of too many parts");
    return {};
  }
  const toml::parse_result parsed = toml::parse(text, std::string_view{});
  if (!parsed) {
    out.error(convert.at(parsed.error().source().begin), {}, describe(parsed.error()));
    return {};
  }
  return convert.table(parsed.table());
}

}  // namespace rw::config
