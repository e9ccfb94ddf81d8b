#include "observe/access_line.h"

#include <algorithm>

#include "observe/line_writer.h"

namespace rw::observe {
namespace {

std::uint64_t us(nanoseconds t) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(t.count(), 0)) / 1000;
}

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

// Keys in a fixed order; texts that are empty are left out.
void write_json(const access_record& r, std::string_view time, std::string_view query,
                line_writer& out) {
  out.text(R"({"time":")");
  out.text(time);
  out.text("\"");
  member(out, R"(,"id":")", r.request_id);
  member(out, R"(,"client":")", r.client);
  member(out, R"(,"identity":")", r.identity);
  member(out, R"(,"route":")", r.route);
  member(out, R"(,"upstream":")", r.upstream);
  member(out, R"(,"method":")", r.method);
  member(out, R"(,"host":")", r.host);
  out.text(R"(,"path":")");
  out.escaped(r.path);
  out.escaped(query);
  out.text("\"");
  member(out, R"(,"protocol":")", r.protocol);
  member(out, R"(,"tls":")", r.tls);
  member(out, R"(,"status":)", r.status);
  member(out, R"(,"reason":")", r.reason);
  if (r.attempts > 1) member(out, R"(,"attempts":)", r.attempts);
  member(out, R"(,"bytes_in":)", r.bytes_in);
  member(out, R"(,"bytes_out":)", r.bytes_out);
  member(out, R"(,"us_head":)", us(r.head));
  member(out, R"(,"us_decide":)", us(r.decide));
  member(out, R"(,"us_connect":)", us(r.connect));
  if (r.upstream_tls.count() > 0) member(out, R"(,"us_upstream_tls":)", us(r.upstream_tls));
  member(out, R"(,"us_first_byte":)", us(r.first_byte));
  member(out, R"(,"us_total":)", us(r.total));
  out.text("}\n");
}

}  // namespace

std::size_t access_formatter::bytes_max(const access_record& r) const noexcept {
  const std::size_t texts = r.request_id.size() + r.client.size() + r.identity.size() +
                            r.route.size() + r.upstream.size() + r.method.size() + r.host.size() +
                            r.path.size() + r.query.size() + r.protocol.size() + r.tls.size() +
                            r.reason.size() + r.user_agent.size() + r.referer.size();
  // Redaction can lengthen a query: "a=&a=&" becomes "a=***&a=***&", by 3 octets for 3 of it.
  return 800 + escape_bytes_max * (texts + r.query.size() + r.referer.size());
}

// Where the client came from may have been a URL with a token in it, too.
std::string_view access_formatter::referer_of(const access_record& r) {
  const std::size_t question = std::min(r.referer.find('?'), r.referer.size());
  std::string query;
  if (!redaction_.apply(r.referer.substr(question), query)) return r.referer;
  referer_.assign(r.referer.substr(0, question)).append(query);
  return referer_;
}

std::size_t access_formatter::write(const access_record& r, std::span<char> out) {
  line_writer line(out.data());
  const bool hidden = redaction_.apply(r.query, redacted_);
  const std::string_view query = hidden ? std::string_view(redacted_) : r.query;
  switch (format_) {
    case access_format::json:
      write_json(r, time_.rfc3339(r.at), query, line);
      break;
    case access_format::combined:
      write_combined(r, time_.combined(r.at), query, referer_of(r), line);
      break;
    case access_format::pretty:
    case access_format::coloured:
      write_pretty(r, time_.rfc3339(r.at), query, format_ == access_format::coloured, line);
      break;
  }
  return line.size();
}

}  // namespace rw::observe
