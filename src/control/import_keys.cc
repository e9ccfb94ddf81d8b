#include "control/import_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "auth/key_file.h"
#include "auth/key_store.h"
#include "auth/slow_hash.h"
#include "base/text.h"

namespace rw::control {
namespace {

constexpr std::string_view hash_tag = "rwk1$";

// `name:$2b$...`, `$2b$...`, `name:rwk1$...`: what an old verifier or Ringward itself hashed.
// Everything else is a key, colons included.
bool is_hashed(std::string_view text) noexcept {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return auth::looks_slow(text);
  const std::string_view value = text.substr(colon + 1);
  return value.starts_with('$') || value.starts_with(hash_tag);
}

class importer {
 public:
  importer(bool tokens_too, import_notes& out) : tokens_too_(tokens_too), out_(out) {}

  // A hash without a name gets the one of its line, which a line of the new file need not have.
  void take_hashed(const old_key& one) {
    const bool named = one.text.contains(':');
    const std::string text = named ? one.text : unused_name(one.name) + ':' + one.text;
    if (!is_visible_ascii(text) || text.front() == '#') {
      return note(one, "was left out: it holds what no line of a key file may");
    }
    config::diagnostics found;
    if (!auth::load_keys(text, one.file, found)) {
      return note(one, fmt::format("was left out: {}", found.front().text));
    }
    if (!hashes_.emplace(text.substr(text.find(':'))).second) return repeated(one);
    names_.emplace(text.substr(0, text.find(':')));
    made_.text += text + '\n';
    ++made_.hashed;
  }

  void take_plain(const old_key& one) {
    const std::string_view key = one.text;
    if (!is_visible_ascii(key) || key.size() > auth::api_key_bytes_max) {
      return note(one, "was left out: a key must be 1 to 1024 visible ASCII characters");
    }
    if (!keys_.insert(auth::derived_salt(key)).second) return repeated(one);
    if (tokens_too_ && std::ranges::count(key, '.') > 1) {
      note(one, "has two dots: behind Bearer it is taken for a token; x-api-key brings it still");
    }
    const auto named = auth::name_in_key(key);
    const std::string name = named ? std::string(*named) : unused_name(one.name);
    if (const auto line = auth::hash_line(name, key)) {
      if (!hashes_.insert(line->substr(line->find(':'))).second) return repeated(one);
      made_.text += *line + '\n';
      ++made_.hashed;
    } else {
      take_short(one, name);
    }
    names_.insert(name);
  }

  imported_keys finish() { return std::move(made_); }

 private:
  // A hash would say that such a key is safe at rest, and anybody who reads it could try them all.
  void take_short(const old_key& one, const std::string& name) {
    std::string line = fmt::format("{}:{}", name, one.text);
    config::diagnostics found;
    if (!auth::load_keys(line, one.file, found)) {
      return note(one, "was left out: it is shorter than 128 bits, and looks like a hash");
    }
    made_.text += line + '\n';
    ++made_.plain;
    note(one, fmt::format("is shorter than 128 bits and stays in the clear, as {}; replace it with "
                          "one of `ringward key new`",
                          in_quotes(name)));
  }

  std::string unused_name(const std::string& wanted) const {
    std::string name = wanted;
    for (unsigned i = 2; names_.contains(name); ++i) name = fmt::format("{}-{}", wanted, i);
    return name;
  }

  void repeated(const old_key& one) { note(one, "is there twice and was carried over once"); }
  void note(const old_key& one, std::string_view text) {
    out_.push_back({one.file, one.line, fmt::format("this key {}", text)});
  }

  bool tokens_too_;
  import_notes& out_;
  imported_keys made_;
  std::set<std::string> names_;
  std::set<auth::key_salt> keys_;  // of those in the clear: a digest of each
  std::set<std::string> hashes_;   // what follows the name
};

}  // namespace

std::vector<old_key> read_old_key_file(std::string_view text, std::string_view file) {
  std::vector<old_key> found;
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    std::string_view line = text.substr(0, end + 1);
    text.remove_prefix(line.size());
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    line = trim_ows(line);
    if (line.empty() || line.front() == '#') continue;
    found.push_back({.text = std::string(line),
                     .name = fmt::format("key-{}", number),
                     .file = std::string(file),
                     .line = number});
  }
  return found;
}

imported_keys import_keys(std::span<const old_key> keys, bool tokens_too, import_notes& out) {
  importer into(tokens_too, out);
  // Names that somebody chose come first: the others have to differ from them.
  for (const old_key& one : keys) {
    if (is_hashed(one.text)) into.take_hashed(one);
  }
  for (const old_key& one : keys) {
    if (!is_hashed(one.text)) into.take_plain(one);
  }
  return into.finish();
}

}  // namespace rw::control
