#include "config/read_headers.h"

#include <algorithm>

namespace rw::config {
namespace {

// Headers whose value is always somebody's secret.
bool is_credential(std::string_view name) {
  return name == "authorization" || name == "proxy-authorization" || name == "x-api-key";
}

void read_header(table_reader& in, const member& one, std::vector<header_value>& out) {
  header_value header{.name = lower_case(one.name)};
  if (const std::string_view why = refuse_header_name(header.name); !why.empty()) {
    in.error(one.at, one.name, std::string(why));
    return;
  }
  const auto same = [&](const header_value& other) { return other.name == header.name; };
  if (std::ranges::any_of(out, same)) in.error(one.at, one.name, "given twice");
  const std::string* text = one.value.as<std::string>();
  if (text == nullptr || is_credential(header.name)) {
    if (!in.secret_of(one.value, one.name, header.from, secret_form::with_prefix)) return;
    if (const auto why = refuse_header_value(header.from.prefix + "."); !why.empty()) {
      in.error(one.value, one.name, "the prefix " + std::string(why));
    }
  } else {
    header.text = *text;
    if (const auto why = refuse_header_value(*text); !why.empty()) {
      in.error(one.value, one.name, std::string(why));
    }
  }
  out.push_back(std::move(header));
}

}  // namespace

void read_header_names(table_reader& in, std::string_view key, std::vector<std::string>& out,
                       bool parameters, underscores names) {
  std::vector<std::string> written;
  const node* at = in.texts(key, written);
  if (at == nullptr) return;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const bool is_parameter = parameters && written[i].starts_with('?') && written[i].size() > 1;
    // A parameter's name keeps its case.
    if (!is_parameter) written[i] = lower_case(written[i]);
    const std::string_view why = is_parameter ? "" : refuse_field_name(written[i], names);
    if (!why.empty()) in.error(std::get<list>(at->value)[i], key, std::string(why));
  }
  out = std::move(written);
}

void read_header_changes(table_reader& in, underscores removed, std::vector<header_value>& set,
                         std::vector<std::string>& remove) {
  in.table("set", [&](table_reader& headers) {
    headers.each([&](const member& one) { read_header(headers, one, set); });
  });
  read_header_names(in, "remove", remove, false, removed);
  for (const std::string& name : remove) {
    const std::string_view why = refuse_header_name(name, removed);
    if (refuse_field_name(name, removed).empty() && !why.empty())
      in.error("remove", name + " " + std::string(why));
  }
}

void read_security_headers(table_reader& in, header_list& out) {
  in.each([&](const member& one) {
    const std::string name = lower_case(one.name);
    const std::string* text = one.value.as<std::string>();
    if (const std::string_view why = refuse_header_name(name); !why.empty()) {
      in.error(one.at, one.name, std::string(why));
    } else if (text == nullptr) {
      in.error(one.value, one.name, "must be a string");
    } else if (const auto bad = refuse_header_value(*text); !bad.empty()) {
      in.error(one.value, one.name, std::string(bad));
    } else {
      std::erase_if(out, [&](const auto& known) { return known.first == name; });
      if (!text->empty()) out.emplace_back(name, *text);
    }
  });
}

header_list default_security_headers() {
  return {{"strict-transport-security", "max-age=63072000; includeSubDomains; preload"},
          {"x-content-type-options", "nosniff"},
          {"x-frame-options", "DENY"},
          {"referrer-policy", "strict-origin-when-cross-origin"},
          {"content-security-policy", "default-src 'self'"}};
}

}  // namespace rw::config
