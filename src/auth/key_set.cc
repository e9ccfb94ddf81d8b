#include "auth/key_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "auth/json.h"
#include "base/text.h"

namespace rw::auth {

namespace {

class set_reader {
 public:
  set_reader(std::string_view file, config::diagnostics& out) : file_(file), out_(out) {}

  std::optional<key_set> read(const json_object& set) {
    const auto member = set.find("keys");
    simdjson::dom::array list;
    if (!member || member->get_array().get(list) != simdjson::SUCCESS) {
      return fail("this is no JWK set: it has no `keys` array");
    }
    if (list.size() > key_set_keys_max) return fail("there are more than 256 keys");
    for (const simdjson::dom::element one : list) {
      simdjson::dom::object object;
      if (one.get_object().get(object) != simdjson::SUCCESS) {
        return fail("`keys` holds something that is no object");
      }
      if (has_private_member(json_object(object))) {
        return fail("a key has private members; this file is for public keys only");
      }
    }
    std::size_t number = 0;
    for (const simdjson::dom::element one : list) {
      read_key(json_object(simdjson::dom::object(one.get_object().value_unsafe())), ++number);
    }
    if (keys_.empty()) return fail("there is no key to verify signatures with");
    return key_set(std::move(keys_));
  }

  std::nullopt_t fail(const char* text) {
    add(config::diagnostic::level::error, text);
    return std::nullopt;
  }

 private:
  void read_key(const json_object& jwk, std::size_t number) {
    auto key = parse_public_jwk(jwk);
    const char* why = nullptr;
    if (!key) {
      why = key.error().text;
    } else if (key->kid && std::ranges::find(keys_, key->kid, &public_key::kid) != keys_.end()) {
      why = "another key has this `kid`";
    }
    if (why == nullptr) {
      keys_.push_back(std::move(*key));
    } else if (*why != '\0') {
      warn(jwk, number, why);
    }
  }

  void warn(const json_object& jwk, std::size_t number, const char* why) {
    std::string text = fmt::format("key {}", number);
    if (const auto kid = jwk.find_string("kid")) {
      text += " (kid \"";
      append_json_escaped(text, kid->substr(0, 80));
      text += "\")";
    }
    add(config::diagnostic::level::warning, fmt::format("{} is left out: {}", text, why));
  }

  void add(config::diagnostic::level severity, std::string text) {
    out_.push_back({.severity = severity, .file = std::string(file_), .text = std::move(text)});
  }

  std::string_view file_;
  config::diagnostics& out_;
  std::vector<public_key> keys_;
};

}  // namespace

std::expected<const public_key*, reason> key_set::find(std::optional<std::string_view> kid,
                                                       algorithm alg) const noexcept {
  const public_key* only = nullptr;
  for (const public_key& one : keys_) {
    if (kid) {
      if (one.kid != kid) continue;
      if (!one.fits(alg)) return std::unexpected(reason::algorithm);
      return &one;
    }
    if (!one.fits(alg)) continue;
    if (only != nullptr) return std::unexpected(reason::unknown_kid);
    only = &one;
  }
  if (only == nullptr) return std::unexpected(reason::unknown_kid);
  return only;
}

std::optional<key_set> load_key_set(std::string_view json, std::string_view file,
                                    config::diagnostics& out) {
  set_reader reader(file, out);
  if (json.size() > key_set_bytes_max) return reader.fail("the file is larger than 1 MiB");
  json_reader text;
  const auto set = text.parse(json);
  if (!set) {
    return reader.fail(
        "this is not one strict JSON object (valid UTF-8, no name twice, nothing after the end)");
  }
  return reader.read(*set);
}

}  // namespace rw::auth
