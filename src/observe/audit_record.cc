#include "observe/audit_record.h"

#include <algorithm>
#include <array>

#include "observe/line_writer.h"

namespace rw::observe {
namespace {

constexpr std::size_t fixed_bytes_max = 512;  // keys, numbers, times and closed sets of words

std::size_t bytes_max(const audit_record& r) noexcept {
  std::size_t texts = 2 * audit_formatter::path_bytes_max;
  for (const std::string_view one :
       {r.reason, r.client, r.country, r.identity, r.credential, r.credential_id, r.issuer,
        r.method, r.route, r.request_id, r.trace, r.object, r.detail}) {
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
    line.member(R"(,"reason":")", r.reason);
    line.member(R"(,"client":")", r.client);
    if (r.port != 0) line.member(R"(,"port":)", r.port);
    line.member(R"(,"country":")", r.country);
    if (r.count != 0) {
      line.member(R"(,"count":)", r.count);
      line.member(R"(,"since":")", since_.rfc3339(r.since));
    }
    line.member(R"(,"identity":")", r.identity);
    line.member(R"(,"credential":")", r.credential);
    line.member(R"(,"credential_id":")", r.credential_id);
    line.member(R"(,"issuer":")", r.issuer);
    line.member(R"(,"route":")", r.route);
    line.member(R"(,"id":")", r.request_id);
    line.member(R"(,"trace":")", r.trace);
    line.member(R"(,"object":")", r.object);
    line.member(R"(,"detail":")", r.detail);
    line.member(R"(,"method":")", r.method);
    if (whole > 0) {
      line.text(R"(,"path":")");
      line.escaped(path);
      line.escaped(query);
      line.text("\"");
      if (whole > path_bytes_max) line.member(R"(,"path_bytes":)", whole);
    }
    return line.size();
  });
}

void audit_formatter::end(const audit_record& r, std::string& out) {
  std::array<char, end_bytes_max> text;
  line_writer line(text.data());
  if (r.status != 0) {
    line.member(R"(,"status":)", r.status);
    line.member(R"(,"bytes_in":)", r.bytes_in);
    line.member(R"(,"bytes_out":)", r.bytes_out);
  }
  if (r.under_way) line.text(R"(,"under_way":true)");
  line.text("}\n");
  out.append(text.data(), line.size());
}

}  // namespace rw::observe
