#include "observe/access_line.h"

#include <algorithm>

#include "observe/line_writer.h"

namespace rw::observe {
namespace {

std::uint64_t us(nanoseconds t) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(t.count(), 0)) / 1000;
}

// Keys in a fixed order; texts that are empty are left out.
void write_json(const access_record& r, std::string_view time, std::string_view query,
                line_writer& out) {
  out.text(R"({"time":")");
  out.text(time);
  out.text("\"");
  out.member(R"(,"id":")", r.request_id);
  out.member(R"(,"trace":")", r.trace);
  out.member(R"(,"span":")", r.span);
  out.member(R"(,"client":")", r.client);
  out.member(R"(,"country":")", r.country);
  out.member(R"(,"identity":")", r.identity);
  out.member(R"(,"route":")", r.route);
  out.member(R"(,"upstream":")", r.upstream);
  out.member(R"(,"method":")", r.method);
  out.member(R"(,"host":")", r.host);
  out.text(R"(,"path":")");
  out.escaped(r.path);
  out.escaped(query);
  out.text("\"");
  out.member(R"(,"protocol":")", r.protocol);
  out.member(R"(,"tls":")", r.tls);
  out.member(R"(,"status":)", r.status);
  out.member(R"(,"reason":")", r.reason);
  out.member(R"(,"shadow":")", r.shadow);
  if (r.attempts > 1) out.member(R"(,"attempts":)", r.attempts);
  out.member(R"(,"bytes_in":)", r.bytes_in);
  out.member(R"(,"bytes_out":)", r.bytes_out);
  out.member(R"(,"us_head":)", us(r.head));
  out.member(R"(,"us_decide":)", us(r.decide));
  out.member(R"(,"us_connect":)", us(r.connect));
  if (r.upstream_tls.count() > 0) out.member(R"(,"us_upstream_tls":)", us(r.upstream_tls));
  out.member(R"(,"us_first_byte":)", us(r.first_byte));
  out.member(R"(,"us_total":)", us(r.total));
  out.text("}\n");
}

}  // namespace

std::size_t access_formatter::bytes_max(const access_record& r) const noexcept {
  const std::size_t texts = r.request_id.size() + r.client.size() + r.country.size() +
                            r.identity.size() + r.route.size() + r.upstream.size() +
                            r.method.size() + r.host.size() + r.path.size() + r.query.size() +
                            r.protocol.size() + r.tls.size() + r.reason.size() + r.shadow.size() +
                            r.user_agent.size() + r.referer.size() + r.trace.size() + r.span.size();
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
