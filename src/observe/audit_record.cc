#include "observe/audit_record.h"

#include <algorithm>
#include <array>

#include "observe/line_writer.h"

namespace rw::observe {
namespace {

constexpr std::size_t fixed_bytes_max = 512;  // keys, numbers, times and closed sets of words

void member(line_writer& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out.text(key);
  out.escaped(value);
  out.text("\"");
}

void member(line_writer& out, std::string_view key, std::uint64_t value) {
  out.text(key);
  out.number(value);
}

std::size_t bytes_max(const audit_record& r) noexcept {
  std::size_t texts = 2 * audit_formatter::path_bytes_max;
  for (const std::string_view one : {r.reason, r.client, r.identity, r.credential, r.credential_id,
                                     r.method, r.route, r.request_id, r.object, r.detail}) {
    texts += one.size();
  }
  return fixed_bytes_max + escape_bytes_max * texts;
}

}  // namespace

std::string_view name(audit_event one) noexcept {
  static constexpr std::array<std::string_view, 13> names = {
      "authentication", "authorization", "rate_limit", "ban",   "mint", "revocation", "key_set",
      "secret",         "config",        "admin",      "start", "stop", "checkpoint"};
  return names[static_cast<std::size_t>(one)];
}

std::string_view name(audit_result one) noexcept {
  static constexpr std::array<std::string_view, 4> names = {"allow", "deny", "done", "failed"};
  return names[static_cast<std::size_t>(one)];
}

void audit_formatter::begin(const audit_record& r, std::string& out) {
  std::string_view query = redaction_.apply(r.query, redacted_) ? redacted_ : r.query;
  const std::size_t whole = r.path.size() + query.size();
  const std::string_view path = r.path.substr(0, path_bytes_max);
  query = query.substr(0, path_bytes_max - path.size());
  out.resize_and_overwrite(bytes_max(r), [&](char* at, std::size_t) {
    line_writer line(at);
    line.text(R"("time":")");
    line.text(time_.rfc3339(r.at));
    line.text(R"(","event":")");
    line.text(name(r.what));
    line.text(R"(","result":")");
    line.text(name(r.outcome));
    line.text("\"");
    member(line, R"(,"reason":")", r.reason);
    member(line, R"(,"client":")", r.client);
    if (r.port != 0) member(line, R"(,"port":)", r.port);
    if (r.count != 0) {
      member(line, R"(,"count":)", r.count);
      member(line, R"(,"since":")", since_.rfc3339(r.since));
    }
    member(line, R"(,"identity":")", r.identity);
    member(line, R"(,"credential":")", r.credential);
    member(line, R"(,"credential_id":")", r.credential_id);
    member(line, R"(,"route":")", r.route);
    member(line, R"(,"id":")", r.request_id);
    member(line, R"(,"object":")", r.object);
    member(line, R"(,"detail":")", r.detail);
    member(line, R"(,"method":")", r.method);
    if (whole > 0) {
      line.text(R"(,"path":")");
      line.escaped(path);
      line.escaped(query);
      line.text("\"");
      if (whole > path_bytes_max) member(line, R"(,"path_bytes":)", whole);
    }
    return line.size();
  });
}

void audit_formatter::end(const audit_record& r, std::string& out) {
  std::array<char, end_bytes_max> text;
  line_writer line(text.data());
  if (r.status != 0) {
    member(line, R"(,"status":)", r.status);
    member(line, R"(,"bytes_in":)", r.bytes_in);
    member(line, R"(,"bytes_out":)", r.bytes_out);
  }
  if (r.under_way) line.text(R"(,"under_way":true)");
  line.text("}\n");
  out.append(text.data(), line.size());
}

}  // namespace rw::observe
