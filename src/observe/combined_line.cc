#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "observe/access_line.h"
#include "observe/line_writer.h"

namespace rw::observe {
namespace {

void or_dash(line_writer& out, std::string_view text) {
  if (text.empty()) {
    out.text("-");
  } else {
    out.escaped(text);
  }
}

// A name in a line whose fields are told apart by spaces, quotes and brackets: none of them gets in
// with it.
void name(line_writer& out, std::string_view text) {
  if (text.empty()) out.text("-");
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find_first_of(" []\"\\"), text.size());
    out.escaped(text.substr(0, plain));
    if (plain == text.size()) return;
    out.text("_");
    text.remove_prefix(plain + 1);
  }
}

std::string_view colour_of(unsigned status) noexcept {
  if (status >= 500) return "\x1b[31m";
  if (status >= 400) return "\x1b[33m";
  return "\x1b[32m";
}

}  // namespace

void write_combined(const access_record& r, std::string_view time, std::string_view query,
                    std::string_view referer, line_writer& out) {
  or_dash(out, r.client);
  out.text(" - ");
  name(out, r.identity);
  out.text(" [");
  out.text(time);
  out.text("] \"");
  or_dash(out, r.method);
  out.text(" ");
  out.escaped(r.path);
  out.escaped(query);
  out.text(" ");
  out.text(r.protocol);
  out.text("\" ");
  out.number(r.status);
  out.text(" ");
  out.number(r.bytes_out);
  out.text(" \"");
  or_dash(out, referer);
  out.text("\" \"");
  or_dash(out, r.user_agent);
  out.text("\"\n");
}

void write_pretty(const access_record& r, std::string_view time, std::string_view query,
                  bool coloured, line_writer& out) {
  out.text(time.substr(11, 12));
  out.text("  ");
  if (coloured) out.text(colour_of(r.status));
  out.number(r.status);
  out.text(coloured ? "\x1b[0m  " : "  ");
  or_dash(out, r.method);
  out.text(" ");
  out.escaped(r.path);
  out.escaped(query);
  out.text("  ");
  or_dash(out, r.identity);
  out.text("  ");
  if (!r.reason.empty()) {
    out.text(r.reason);
    out.text("  ");
  }
  std::array<char, 24> ms;
  const auto end = fmt::format_to_n(ms.data(), ms.size(), "{:.2f} ms\n",
                                    static_cast<double>(r.total.count()) / 1e6);
  out.text({ms.data(), std::min(end.size, ms.size())});
}

}  // namespace rw::observe
