#include "control/import_env.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace rw::control {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::string_view export_word = "export";

bool is_name(std::string_view text) noexcept {
  const auto is_fit = [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && !(text.front() >= '0' && text.front() <= '9') &&
         std::ranges::all_of(text, is_fit);
}

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

class env_reader {
 public:
  env_reader(std::string_view text, std::string_view file, import_notes& out)
      : rest_(text), file_(file), out_(out) {
    if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
  }

  std::vector<env_setting> read() {
    while (!rest_.empty()) read_line();
    return std::move(found_);
  }

 private:
  // What is left of the line, without its end; CRLF ends one too.
  std::string_view line() const noexcept {
    std::string_view text = rest_.substr(0, rest_.find('\n'));
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
  }
  // Goes on behind the line in which `octets` more of the rest end.
  void skip(std::size_t octets) {
    const std::size_t end = std::min(rest_.find('\n', octets), rest_.size() - 1) + 1;
    number_ += static_cast<std::uint32_t>(std::ranges::count(rest_.substr(0, end), '\n'));
    rest_.remove_prefix(end);
  }
  void note(const char* text) { out_.push_back({std::string(file_), number_, text}); }

  void read_line() {
    std::string_view text = trim_ows(line());
    if (text.empty() || text.front() == '#') return skip(0);
    if (text.starts_with(export_word) && text.size() > export_word.size() &&
        is_blank(text[export_word.size()])) {
      text = trim_ows(text.substr(export_word.size()));
    }
    const std::size_t equals = text.find('=');
    const std::string_view name = trim_ows(text.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(name)) {
      note("this line is no NAME=VALUE and was left out");
      return skip(0);
    }
    const std::string_view value = trim_ows(text.substr(equals + 1));
    if (value.starts_with('"') || value.starts_with('\'')) return read_quoted(name, value);
    std::size_t end = value.find('#');
    while (end != std::string_view::npos && end != 0 && !is_blank(value[end - 1])) {
      end = value.find('#', end + 1);
    }
    add(name, trim_ows(value.substr(0, end)), false);
    skip(0);
  }

  // `value` begins with a quote and lies in rest_; what it quotes may go on beyond the line.
  void read_quoted(std::string_view name, std::string_view value) {
    const char quote = value.front();
    const auto begin = static_cast<std::size_t>(value.data() - rest_.data()) + 1;
    const std::size_t end = rest_.find(quote, begin);
    if (end == std::string_view::npos) {
      note("the quote is not closed; the line was left out");
      return skip(0);
    }
    std::string_view behind = rest_.substr(end + 1);
    behind = behind.substr(0, behind.find('\n'));
    if (behind.ends_with('\r')) behind.remove_suffix(1);
    const std::string_view left = trim_ows(behind);
    if (!left.empty() && (left.front() != '#' || !is_blank(behind.front()))) {
      note("something follows the closing quote; the line was left out");
      return skip(0);
    }
    add(name, rest_.substr(begin, end - begin), quote == '"', quote == '\'');
    skip(end);
  }

  void add(std::string_view name, std::string_view value, bool has_escapes, bool verbatim = false) {
    if (value.contains('\0')) return note("the value holds a NUL and was left out");
    const bool expands = value.find_first_of("$`") != std::string_view::npos ||
                         (has_escapes && value.contains('\\'));
    found_.push_back({.name = std::string(name),
                      .value = std::string(value),
                      .line = number_,
                      .expandable = expands && !verbatim});
  }

  std::string_view rest_;
  std::uint32_t number_ = 1;
  std::string_view file_;
  import_notes& out_;
  std::vector<env_setting> found_;
};

}  // namespace

std::vector<env_setting> read_env(std::string_view text, std::string_view file, import_notes& out) {
  return env_reader(text, file, out).read();
}

}  // namespace rw::control
