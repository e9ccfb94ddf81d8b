#include "http/field.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "http/field_name.h"
#include "http/scan.h"

namespace rw::http {

field_id identify(std::string_view name) noexcept {
  return is_token(name) ? identify_token(name) : field_id::none;
}

std::string_view name(field_id id) noexcept { return known_names[static_cast<std::size_t>(id)]; }

bool is_token(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  return !text.empty() && skip_by_table<token_char>(text.data(), end) == end;
}

bool is_field_name(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  return !text.empty() && skip_name(text.data(), end) == end;
}

bool is_field_value(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  return skip_value(text.data(), end) == end;
}

void field_list::grow() noexcept {
  grown_ = std::make_unique_for_overwrite<field[]>(fields_max);
  std::copy_n(storage_.items, size_, grown_.get());
  items_ = grown_.get();
}

}  // namespace rw::http
