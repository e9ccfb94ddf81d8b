#include "control/import_jwks.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <span>
#include <utility>

#include "auth/json.h"
#include "auth/jwk.h"
#include "auth/key_set.h"
#include "auth/private_key.h"
#include "base/secret.h"

namespace rw::control {
namespace {

constexpr std::string_view public_members[] = {"kty", "crv", "x",   "y",  "n",
                                               "e",   "alg", "kid", "use"};
constexpr std::string_view private_members[] = {"d", "p", "q", "dp", "dq", "qi"};

// The members of these names that are strings.
std::string copy_of(const auth::json_object& jwk, bool with_private) {
  std::string text = "{";
  const auto copy = [&](std::span<const std::string_view> names) {
    for (const std::string_view name : names) {
      const auto value = jwk.find_string(name);
      if (!value) continue;
      text += fmt::format("{}\"{}\":{}", text.size() > 1 ? "," : "", name, in_quotes(*value));
    }
  };
  copy(public_members);
  if (with_private) copy(private_members);
  return text + "}";
}

// RFC 7517 4.3: a key kept for something else must not sign.
bool may_sign(const auth::json_object& jwk) {
  simdjson::dom::array list;
  const auto operations = jwk.find("key_ops");
  if (!operations) return true;
  if (operations->get_array().get(list) != simdjson::SUCCESS) return false;
  for (const simdjson::dom::element one : list) {
    std::string_view text;
    if (one.get_string().get(text) == simdjson::SUCCESS && text == "sign") return true;
  }
  return false;
}

class splitter {
 public:
  splitter(std::string_view file, import_notes& out) : file_(file), out_(out) {}

  split_keys split(const auth::json_object& root) {
    simdjson::dom::array list;
    if (const auto keys = root.find("keys"); !keys) {
      read_key(root, 1);
    } else if (keys->get_array().get(list) != simdjson::SUCCESS) {
      note("`keys` is no array; no key was carried over");
    } else {
      std::size_t number = 0;
      for (const simdjson::dom::element one : list) {
        simdjson::dom::object object;
        ++number;
        if (one.get_object().get(object) == simdjson::SUCCESS) {
          read_key(auth::json_object(object), number);
        } else {
          note(fmt::format("key {} was left out: it is no object", number));
        }
      }
    }
    if (made_.public_keys > 0) made_.public_set = "{\"keys\":[" + public_ + "]}\n";
    return std::move(made_);
  }

  void note(std::string text) { out_.push_back({std::string(file_), 0, std::move(text)}); }

 private:
  void read_key(const auth::json_object& jwk, std::size_t number) {
    std::string label = fmt::format("key {}", number);
    if (const auto kid = jwk.find_string("kid")) {
      label += fmt::format(" (kid {})", in_quotes(kid->substr(0, 80)));
    }
    if (jwk.find_string("kty") == "oct" || jwk.contains("k")) {
      return note(label +
                  " was left out: it is shared with those who verify (HS256 and the like), "
                  "and only public keys verify here");
    }
    auth::json_reader reader;
    const auto copy = reader.parse(copy_of(jwk, false));
    auto key = copy ? auth::parse_public_jwk(*copy)
                    : std::expected<auth::public_key, auth::jwk_refusal>(
                          std::unexpected(auth::jwk_refusal{"it is not one strict JSON object"}));
    if (!key) {
      const std::string_view why = key.error().text;
      return note(fmt::format("{} was left out: {}", label,
                              why.empty() ? "it is not meant for signatures" : why));
    }
    const bool is_private = jwk.contains("d");
    if (is_private && !key->kid) key->kid = auth::thumbprint(*key);
    if (key->kid && !kids_.insert(*key->kid).second) {
      return note(label + " was left out: another key has this `kid`");
    }
    if (made_.public_keys == auth::key_set_keys_max) {
      return note(label + " was left out: there are more than 256 keys");
    }
    if (is_private) keep_private(jwk, label);
    public_ += (made_.public_keys > 0 ? "," : "") + auth::to_jwk(*key);
    ++made_.public_keys;
  }

  void keep_private(const auth::json_object& jwk, const std::string& label) {
    if (!made_.mint_key.empty()) {
      return note(label +
                  ": an earlier key signs new tokens; of this one the public part was "
                  "carried over, so that its tokens are taken until they expire");
    }
    std::string text = copy_of(jwk, true);
    config::diagnostics found;
    if (!may_sign(jwk)) {
      note(label + ": `key_ops` does not allow it to sign; its public part was carried over");
    } else if (auth::load_private_key(text, file_, found)) {
      made_.mint_key = text + "\n";
    } else {
      note(fmt::format("{}: its private part was left out: {}", label, found.front().text));
    }
    wipe(text.data(), text.size());
  }

  std::string_view file_;
  import_notes& out_;
  split_keys made_;
  std::string public_;
  std::set<std::string> kids_;
};

}  // namespace

split_keys split_key_set(std::string_view json, std::string_view file, import_notes& out) {
  splitter into(file, out);
  auth::json_reader reader;
  const auto root = reader.parse(json);
  split_keys made;
  if (root) {
    made = into.split(*root);
  } else {
    into.note(
        "this is not one strict JSON object (valid UTF-8, no name twice, nothing after the "
        "end); no key was carried over");
  }
  reader.wipe();
  return made;
}

}  // namespace rw::control
