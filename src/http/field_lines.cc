#include "http/field_lines.h"

#include "base/text.h"
#include "http/field_name.h"
#include "http/scan.h"

namespace rw::http {

namespace {

using stage = parse_point::stage;

constexpr std::uint64_t hop_by_hop_names =
    mask_of(field_id::connection) | mask_of(field_id::keep_alive) |
    mask_of(field_id::proxy_connection) | mask_of(field_id::proxy_authorization) |
    mask_of(field_id::proxy_authenticate) | mask_of(field_id::te) |
    mask_of(field_id::transfer_encoding) | mask_of(field_id::upgrade);

constexpr std::uint64_t read_at_once = mask_of(field_id::host) | mask_of(field_id::connection) |
                                       mask_of(field_id::content_length) |
                                       mask_of(field_id::transfer_encoding);

// Each name is looked up among all fields; nobody needs as many.
constexpr unsigned listed_max = 32;

enum listed_bit : std::uint8_t {
  lists_close = 1,
  lists_keep_alive = 2,
  lists_upgrade = 4,
  lists_te = 8,
  lists_other = 16
};

// The next element of a comma-separated list, trimmed; `list` loses it.
std::string_view next_element(std::string_view& list) noexcept {
  const std::size_t comma = list.find(',');
  const std::string_view element = trim_ows(list.substr(0, comma));
  list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
  return element;
}

const char* note_connection(std::string_view value, parse_point& point) noexcept {
  while (!value.empty()) {
    const std::string_view option = next_element(value);
    if (option.empty()) continue;  // RFC 9110 5.6.1.2
    if (!is_token(option)) return "bad_connection";
    if (++point.listed_count > listed_max) return "connection_too_long";
    unsigned bit = lists_other;
    switch (identify_token(option)) {
      case field_id::host:
      case field_id::content_length:
        return "connection_lists_end_to_end";
      case field_id::keep_alive:
        bit = lists_keep_alive;
        break;
      case field_id::upgrade:
        bit = lists_upgrade;
        break;
      case field_id::te:
        bit = lists_te;
        break;
      default:
        if (iequals(option, "close")) bit = lists_close;
    }
    point.listed = static_cast<std::uint8_t>(point.listed | bit);
  }
  return nullptr;
}

// The fields that say something about the message or the connection, as soon as they are whole.
const char* note(field_id id, std::string_view value, message_head& head) noexcept {
  const bool again = head.has(id);
  switch (id) {
    case field_id::host:
      return again ? "duplicate_host" : nullptr;
    case field_id::connection:
      return note_connection(value, head.point);
    case field_id::content_length:
      if (again) return "duplicate_content_length";
      return read_content_length(value, head.content_length);
    case field_id::transfer_encoding:
      if (again) return "duplicate_transfer_encoding";
      return iequals(value, "chunked") ? nullptr : "bad_transfer_encoding";
    default:
      return nullptr;
  }
}

const char* name_reason(const char* line, const char* at) noexcept {
  if (at == line && (*at == ' ' || *at == '\t')) return "obs_fold";
  switch (*at) {
    case ' ':
    case '\t':
      return "space_in_field_name";
    case '_':
      return "underscore_in_field_name";
    case '\r':
      return "missing_colon";
    case ':':
      return "empty_field_name";
    case '\n':
    case '\0':
      return control_reason(*at);
    default:
      return "bad_field_name";
  }
}

const char* skip_name(const char* at, const char* end, underscores names) noexcept {
  at = http::skip_name(at, end);
  while (at != end && *at == '_' && names == underscores::taken) at = http::skip_name(at + 1, end);
  return at;
}

std::string_view between(const char* begin, const char* end) noexcept {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// trim_ows() for the usual case, one space in front.
inline std::string_view trim(const char* begin, const char* end) noexcept {
  if (begin != end && *begin == ' ') ++begin;
  const std::string_view text = between(begin, end);
  const bool more = !text.empty() && (text.front() <= ' ' || text.back() <= ' ');
  return more ? trim_ows(text) : text;
}

bool lists_trailers(const message_head& head) noexcept {
  for (const field& one : head.fields) {
    if (one.id != field_id::te) continue;
    for (std::string_view list = one.value; !list.empty();) {
      if (iequals(next_element(list), "trailers")) return true;
    }
  }
  return false;
}

void mark_listed(message_head& head) noexcept {
  for (const field& connection : head.fields) {
    if (connection.id != field_id::connection) continue;
    for (std::string_view list = connection.value; !list.empty();) {
      const std::string_view option = next_element(list);
      for (field& one : head.fields) {
        if (iequals(one.name, option)) one.hop_by_hop = true;
      }
    }
  }
}

}  // namespace

bool is_hop_by_hop(field_id id) noexcept { return (hop_by_hop_names & mask_of(id)) != 0; }

const char* read_content_length(std::string_view value, std::uint64_t& length) noexcept {
  constexpr std::uint64_t most = INT64_MAX;  // what every peer can hold
  if (value.empty()) return "bad_content_length";
  length = 0;
  bool fits = true;
  for (char c : value) {
    if (c < '0' || c > '9') return "bad_content_length";
    const auto digit = static_cast<std::uint64_t>(c - '0');
    fits = fits && length <= (most - digit) / 10;
    if (fits) length = length * 10 + digit;
  }
  return fits ? nullptr : "content_length_overflow";
}

const char* control_reason(char c) noexcept {
  switch (c) {
    case '\n':
      return "bare_lf";
    case '\r':
      return "bare_cr";
    case '\0':
      return "nul_octet";
    default:
      return "control_character";
  }
}

cursor resume_at(std::string_view input, const parse_point& point) noexcept {
  const char* const begin = input.data();
  return {
      begin,   begin + input.size(), begin + point.mark, begin + point.scanned, begin + point.colon,
      point.at};
}

outcome suspend(message_head& head, const cursor& where) noexcept {
  head.point.mark = static_cast<std::uint32_t>(where.mark - where.begin);
  head.point.scanned = static_cast<std::uint32_t>(where.at - where.begin);
  head.point.colon = static_cast<std::uint32_t>(where.colon - where.begin);
  head.point.at = where.now;
  return {};
}

outcome read_field_lines(cursor& where, std::uint32_t header_count, underscores names,
                         message_head& head) noexcept {
  const std::size_t count_max = header_count < fields_max ? header_count : fields_max;
  const char* const end = where.end;
  const char* at = where.at;
  const char* line = where.mark;
  const char* colon = where.colon;
  const auto stop_here = [&](stage now) {
    where = {where.begin, end, line, at, colon, now};
    return suspend(head, where);
  };
  for (bool in_value = where.now == stage::value;; in_value = false) {
    if (!in_value) {
      if (line == end) return stop_here(stage::name);
      if (*line == '\r') {
        if (end - line < 2) return stop_here(stage::name);
        if (line[1] != '\n') return refuse(400, "bare_cr");
        head.size = static_cast<std::uint32_t>(line + 2 - where.begin);
        return {.state = progress::complete};
      }
      if (head.fields.size() == count_max) return refuse(431, "too_many_fields");
      at = skip_name(at, end, names);
      if (at == end) return stop_here(stage::name);
      if (*at != ':' || at == line) return refuse(400, name_reason(line, at));
      colon = at++;
    }
    at = skip_value(at, end);
    if (end - at < 2) {
      if (at != end && *at != '\r') return refuse(400, control_reason(*at));
      return stop_here(stage::value);
    }
    if (at[0] != '\r' || at[1] != '\n') return refuse(400, control_reason(*at));
    const std::string_view name = between(line, colon);
    const std::string_view value = trim(colon + 1, at);
    const field_id id = identify_token(name);
    if ((read_at_once & mask_of(id)) != 0) {
      if (const char* reason = note(id, value, head)) return refuse(400, reason);
    }
    head.present |= mask_of(id);
    head.fields.append(name, value, id, is_hop_by_hop(id));
    line = at = at + 2;
  }
}

const char* split_field_line(std::string_view line, underscores names, field& out) noexcept {
  const char* const begin = line.data();
  const char* const end = begin + line.size();
  const char* const colon = skip_name(begin, end, names);
  if (colon == end) return "missing_colon";
  if (*colon != ':' || colon == begin) return name_reason(begin, colon);
  const char* const stop = skip_value(colon + 1, end);
  if (stop != end) return control_reason(*stop);
  out.name = between(begin, colon);
  out.value = trim(colon + 1, end);
  out.id = identify_token(out.name);
  out.hop_by_hop = is_hop_by_hop(out.id);
  return nullptr;
}

void settle_connection(message_head& head) noexcept {
  const unsigned listed = head.point.listed;
  head.keep_alive =
      (listed & lists_close) == 0 && (head.minor == 1 || (listed & lists_keep_alive) != 0);
  if ((listed & (lists_upgrade | lists_te | lists_other)) == 0) return;
  head.has_upgrade =
      head.minor == 1 && (listed & lists_upgrade) != 0 && !head.value(field_id::upgrade).empty();
  head.accepts_trailers = (listed & lists_te) != 0 && lists_trailers(head);
  if ((listed & lists_other) != 0) mark_listed(head);
}

const char* check_framing(const message_head& head) noexcept {
  if (!head.has(field_id::transfer_encoding)) return nullptr;
  if (head.has(field_id::content_length)) return "content_length_with_transfer_encoding";
  return head.minor == 0 ? "transfer_encoding_in_http_1_0" : nullptr;
}

void move_fields(message_head& head, const view_mover& move) noexcept {
  for (field& one : head.fields) {
    move(one.name);
    move(one.value);
  }
}

void clear(message_head& head, const char* base) noexcept {
  head.minor = 1;
  head.body = framing::none;
  head.keep_alive = head.has_upgrade = head.accepts_trailers = false;
  head.size = 0;
  head.content_length = head.present = 0;
  head.fields.clear();
  head.point = {.base = base};
}

}  // namespace rw::http
