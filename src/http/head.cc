#include "http/head.h"

#include "base/text.h"

namespace rw::http {

const field* message_head::find(field_id id) const noexcept {
  if (!has(id)) return nullptr;
  for (const field& one : fields) {
    if (one.id == id) return &one;
  }
  return nullptr;
}

const field* message_head::find(std::string_view name) const noexcept {
  for (const field& one : fields) {
    if (iequals(one.name, name)) return &one;
  }
  return nullptr;
}

std::string_view message_head::value(field_id id) const noexcept {
  const field* one = find(id);
  return one != nullptr ? one->value : std::string_view{};
}

unsigned message_head::count(field_id id) const noexcept {
  unsigned found = 0;
  if (!has(id)) return 0;
  for (const field& one : fields) found += one.id == id ? 1U : 0U;
  return found;
}

}  // namespace rw::http
