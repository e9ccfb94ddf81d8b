#include <fmt/core.h>

#include "config/table_reader.h"

namespace rw::config {
namespace {

constexpr std::string_view forms =
    "{ file = \"/path\" }, { credential = \"name\" } or { env = \"NAME\" }";

struct form {
  std::string_view key;
  secret_source::kind kind;
};

constexpr form known_forms[] = {{"file", secret_source::kind::file},
                                {"credential", secret_source::kind::credential},
                                {"env", secret_source::kind::environment}};

// Neither may reach outside of where it is looked up.
bool is_sane(secret_source::kind kind, std::string_view name) {
  switch (kind) {
    case secret_source::kind::credential:
      return !name.contains('/') && name != "." && name != "..";
    case secret_source::kind::environment:
      return !name.contains('=');
    default:
      return true;
  }
}

bool read_forms(table_reader& in, secret_source& out, secret_form allowed) {
  secret_source read;
  int given = 0;
  bool right = true;
  for (const form& one : known_forms) {
    if (!in.wrote(one.key)) continue;
    ++given;
    read.from = one.kind;
    const node* at = in.text(one.key, read.name, need::required);
    right = right && at != nullptr;
    if (at != nullptr) read.at = at->at;
    if (at != nullptr && !is_sane(one.kind, read.name)) {
      in.error(*at, one.key, "must be a plain name");
      right = false;
    }
  }
  if (allowed == secret_form::with_prefix) {
    right = !in.wrote("prefix") || in.text("prefix", read.prefix) != nullptr ? right : false;
  }
  if (given != 1) {
    in.error(in.at(), {}, fmt::format("a secret is one of {}", forms));
    return false;
  }
  if (right) out = std::move(read);
  return right;
}

}  // namespace

// What is wrong is said without the value: it may be the secret itself.
bool table_reader::secret_of(const node& value, std::string_view name, secret_source& out,
                             secret_form allowed) {
  if (value.as<members>() == nullptr) {
    error(value, name, fmt::format("a secret is never written here: give one of {}", forms));
    return false;
  }
  bool right = false;
  read_node(value, name, [&](table_reader& in) { right = read_forms(in, out, allowed); });
  return right;
}

const node* table_reader::secret(std::string_view name, secret_source& out, need how) {
  const node* at = value_of(name, how);
  if (at == nullptr) return nullptr;
  const std::string* word = at->as<std::string>();
  if (how == need::optional && word != nullptr && *word == "off") return at;
  return secret_of(*at, name, out, secret_form::plain) ? at : nullptr;
}

}  // namespace rw::config
