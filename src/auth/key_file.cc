#include "auth/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <vector>

#include "auth/base64url.h"
#include "auth/slow_hash.h"
#include "base/random.h"
#include "base/text.h"
#include "config/values.h"

namespace rw::auth {

namespace {

constexpr std::string_view hash_tag = "rwk1$";
constexpr std::size_t imported_key_bytes_min = 16;

struct owner {
  std::string name;
  wall_time expires = wall_time::max();
};

// A line in the clear, kept until all hashed lines are known: it may repeat one of them.
struct plain_line {
  std::uint32_t number;
  owner whose;
  std::string_view key;
};

class file_reader {
 public:
  file_reader(std::string_view file, config::diagnostics& out) : file_(file), out_(out) {}

  void read_line(std::string_view line, std::uint32_t number) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trim_ows(line);
    if (line.empty() || line.front() == '#') return;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      read_value(number, {fmt::format("key-{}", number)}, line);
      return;
    }
    std::string_view name = line.substr(0, colon);
    owner whose;
    if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
      const auto day = read_date(name.substr(at + 1));
      if (!day) {
        return error(number, "after '@' there must be the date when the key ends, as 2027-01-31");
      }
      whose.expires = *day;
      name = name.substr(0, at);
    }
    if (!is_key_name(name)) {
      return error(number,
                   "the name before ':' must be 1 to 256 visible ASCII characters without '@'");
    }
    whose.name = name;
    read_value(number, std::move(whose), line.substr(colon + 1));
  }

  key_store finish() {
    for (const plain_line& one : plain_) {
      const key_salt salt = derived_salt(one.key);
      if (store_.verify(one.key) ||
          !store_.add(one.whose.name, salt, hash_key(one.key, salt), one.whose.expires)) {
        error(one.number, "this key is in the file already");
        continue;
      }
      warn(one.number,
           one.key.size() < imported_key_bytes_min
               ? "this key is in the clear and shorter than 128 bits; replace it with one of "
                 "`ringward key new`"
               : "this key is in the clear; put the output of `ringward key hash` in its place");
    }
    return std::move(store_);
  }

 private:
  // "2027-01-31": its beginning, UTC.
  static std::optional<wall_time> read_date(std::string_view text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return {};
    const auto number = [&](std::size_t at, std::size_t size, auto& out) {
      const char* const end = text.data() + at + size;
      const auto read = std::from_chars(text.data() + at, end, out);
      return read.ec == std::errc{} && read.ptr == end;
    };
    if (!number(0, 4, year) || !number(5, 2, month) || !number(8, 2, day)) return {};
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                           std::chrono::day{day}};
    // What nanoseconds can count to ends in 2262.
    if (!date.ok() || year < 2000 || year > 2200) return {};
    return wall_time{std::chrono::sys_days{date}};
  }

  // False, and reported, when something else follows the key.
  bool read_options(std::uint32_t number, const owner& whose, std::string_view& value) {
    const std::size_t blank = value.find_first_of(" \t");
    if (blank == std::string_view::npos) return true;
    constexpr std::string_view name = "rate=";
    const std::string_view option = trim_ows(value.substr(blank));
    value = value.substr(0, blank);
    const auto rate = option.starts_with(name) ? config::parse_rate(option.substr(name.size()))
                                               : std::optional<config::rate>{};
    if (!rate) {
      error(number,
            "a key is visible ASCII without spaces; after it there can only be its name's "
            "rate, as rate=100/s");
    } else if (!store_.set_rate(whose.name, *rate)) {
      error(number, "an earlier line gives this name another rate");
    } else {
      return true;
    }
    return false;
  }

  void read_value(std::uint32_t number, owner whose, std::string_view value) {
    if (!read_options(number, whose, value)) return;
    if (value.starts_with(hash_tag)) {
      read_hash(number, whose, value.substr(hash_tag.size()));
    } else if (looks_slow(value)) {
      read_slow(number, whose, value);
    } else if (value.starts_with('$') || value.starts_with("rwk")) {
      error(number, "this kind of hash is unknown");
    } else {
      read_plain(number, std::move(whose), value);
    }
  }

  void read_slow(std::uint32_t number, const owner& whose, std::string_view hash) {
    if (const char* why = refuse_slow_hash(hash)) return error(number, why);
    if (store_.slow_lines().size() == slow_lines_max) {
      return error(number,
                   "more than 16 keys have a bcrypt or argon2id hash, and an unknown key would be "
                   "held against each; `ringward key hash NAME` makes an rwk1 line, which costs "
                   "nothing to find, of a key, and `ringward key new NAME` a new one");
    }
    if (!store_.add_slow(whose.name, hash, whose.expires)) {
      error(number, "this key is in the file already");
    }
  }

  void read_hash(std::uint32_t number, const owner& whose, std::string_view value) {
    const std::size_t dollar = value.find('$');
    key_salt salt;
    key_hash hash;
    if (dollar == std::string_view::npos || !decode(value.substr(0, dollar), salt) ||
        !decode(value.substr(dollar + 1), hash)) {
      error(number,
            "after rwk1$ there must be a salt of 22 base64url characters, '$' and a hash of 43");
    } else if (!store_.add(whose.name, salt, hash, whose.expires)) {
      error(number, "this key is in the file already");
    }
  }

  void read_plain(std::uint32_t number, owner whose, std::string_view key) {
    if (!is_visible_ascii(key) || key.size() > api_key_bytes_max) {
      error(number, "a key must be 1 to 1024 visible ASCII characters");
      return;
    }
    plain_.push_back({number, std::move(whose), key});
  }

  template <std::size_t N>
  static bool decode(std::string_view text, std::array<unsigned char, N>& out) {
    if (text.size() != (N * 8 + 5) / 6) return false;
    return decode_base64url(text, std::span(reinterpret_cast<char*>(out.data()), N)).has_value();
  }

  void error(std::uint32_t line, const char* text) {
    add(config::diagnostic::level::error, line, text);
  }
  void warn(std::uint32_t line, const char* text) {
    add(config::diagnostic::level::warning, line, text);
  }
  void add(config::diagnostic::level severity, std::uint32_t line, const char* text) {
    out_.push_back({.severity = severity, .file = std::string(file_), .line = line, .text = text});
  }

  std::string_view file_;
  config::diagnostics& out_;
  key_store store_;
  std::vector<plain_line> plain_;
};

template <std::size_t N>
void append(std::string& out, const std::array<unsigned char, N>& octets) {
  append_base64url(out, {reinterpret_cast<const char*>(octets.data()), octets.size()});
}

std::string make_line(std::string_view name, std::string_view key, const key_salt& salt) {
  std::string line(name);
  line += ':';
  line += hash_tag;
  append(line, salt);
  line += '$';
  append(line, hash_key(key, salt));
  return line;
}

failure invalid(const char* text) {
  return failure({.code = fault::invalid, .from = origin::configuration, .text = text});
}

}  // namespace

std::optional<key_store> load_keys(std::string_view text, std::string_view file,
                                   config::diagnostics& out) {
  config::diagnostics found;
  file_reader reader(file, found);
  std::uint32_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    reader.read_line(text.substr(0, end), ++number);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  key_store store = reader.finish();
  std::ranges::sort(found, {}, &config::diagnostic::line);  // no line has two
  const bool bad = config::has_error(found);
  out.insert(out.end(), std::make_move_iterator(found.begin()),
             std::make_move_iterator(found.end()));
  if (bad) return {};
  return store;
}

result<new_key> generate_key(std::string_view name) {
  if (!is_key_name(name)) {
    return invalid("a key's name must be 1 to 256 visible ASCII characters without ':' and '@'");
  }
  if (std::ranges::count(name, '.') > 1) {
    return invalid("a key's name may hold one dot at most: with two the key looks like a JWT");
  }
  key_salt salt;
  random_bytes(std::as_writable_bytes(std::span(salt)));
  new_key made;
  made.key = fmt::format("rw_{}_{}", name, random_base62(43));
  made.line = make_line(name, made.key, salt);
  return made;
}

result<std::string> hash_line(std::string_view name, std::string_view key) {
  if (!is_key_name(name)) {
    return invalid("a key's name must be 1 to 256 visible ASCII characters without ':' and '@'");
  }
  if (!is_visible_ascii(key)) return invalid("a key must be visible ASCII without spaces");
  if (key.size() < imported_key_bytes_min) {
    return invalid("the key is shorter than 128 bits; `ringward key new` makes a good one");
  }
  if (key.size() > api_key_bytes_max) return invalid("the key is longer than 1024 characters");
  const auto named = name_in_key(key);
  if (!named) return make_line(name, key, derived_salt(key));
  if (*named != name) return invalid("this key was made for another name");
  key_salt salt;
  random_bytes(std::as_writable_bytes(std::span(salt)));
  return make_line(name, key, salt);
}

}  // namespace rw::auth
