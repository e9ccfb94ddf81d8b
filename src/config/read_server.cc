// [server], [log], [admin]: the process itself.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/address.h"
#include "config/names.h"
#include "config/read_headers.h"
#include "config/sections.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;

void read_workers(table_reader& in, unsigned& out) {
  // A number, or the word.
  std::string word;
  if (in.is_string("workers")) {
    const node* at = in.text("workers", word);
    if (at != nullptr && word != "auto") in.error(*at, "workers", "must be \"auto\" or a number");
  } else {
    in.number<unsigned>("workers", out, {1, 1024});
  }
}

void read_socket(table_reader& in, admin& out) {
  constexpr std::size_t octets_max = 107;  // sockaddr_un
  const node* at = in.text("socket", out.socket);
  out.socket_written = at != nullptr;
  if (out.socket != "off" && !out.socket.starts_with('/')) {
    in.error("socket", "must be an absolute path, or \"off\"");
  } else if (out.socket.size() > octets_max) {
    in.error("socket", "a unix socket's path has at most 107 octets");
  }
}

void read_access(table_reader& in, log& out) {
  std::string path;
  if (const node* at = in.text("path", path)) {
    constexpr std::array<std::string_view, 4> words{"-", "syslog", "journal", "off"};
    if (std::ranges::find(words, path) == words.end() && !path.starts_with('/')) {
      in.error(*at, "path",
               "must be \"-\" for standard output, \"syslog\", \"journal\", \"off\" or an absolute "
               "path");
    } else {
      out.access_path = std::move(path);
    }
  }
  in.choice("format", out.access_format,
            {{"json", log_format::json}, {"combined", log_format::combined}});
  in.fraction("sample", out.access_sample, {0.0, 1.0});
}

void read_audit(table_reader& in, log& out) {
  std::string path;
  if (const node* at = in.text("path", path); at != nullptr && path != "off") {
    if (!path.starts_with('/') || path.ends_with('/')) {
      in.error(*at, "path", "must be \"off\" or an absolute path: a file that can be rotated");
    } else if (path == out.access_path) {
      in.error(*at, "path", "is the access log's: a chain of records has a file of its own");
    } else {
      out.audit.path = std::move(path);
    }
  }
  in.secret("sign", out.audit.sign);
  in.choice("on_full", out.audit.on_full,
            {{"reject", audit_full::reject}, {"drop", audit_full::drop}});
  in.duration_or_off("keep", out.audit.keep, {1s, 24h * 36500});
}

}  // namespace

void read_server(table_reader& in, server& out) {
  read_workers(in, out.workers);
  in.duration("drain_timeout", out.drain_timeout, {0s, 24h});
  in.size<std::uint64_t>("buffers", out.buffers_bytes, {1ULL << 20U, 64ULL << 30U});
  std::string state;
  if (const node* at = in.text("state", state)) {
    if (!state.starts_with('/')) in.error(*at, "state", "must be an absolute path");
    out.state = std::move(state);
  }
}

void read_log(table_reader& in, log& out) {
  in.choice("level", out.level,
            {{"error", log_level::error},
             {"warning", log_level::warning},
             {"info", log_level::info},
             {"debug", log_level::debug}});
  in.table("access", [&](table_reader& access) { read_access(access, out); });
  in.table("audit", [&](table_reader& audit) { read_audit(audit, out); });
  read_header_names(in, "redact", out.redact, true);
}

void read_admin(table_reader& in, admin& out) {
  read_socket(in, out);
  in.secret("credential", out.credential);
  std::string written;
  const node* at = in.text("address", written);
  if (at == nullptr) return;
  out.address = written;
  if (written == "off") return;
  const auto parsed = parse_address(written);
  if (!parsed) {
    in.error(*at, "address", parsed.error().text);
  } else if (parsed->what != address::kind::ip) {
    in.error(*at, "address",
             "must be an IP address and a port, as in \"127.0.0.1:9180\", or \"off\"");
  } else if (!is_loopback(*parsed) && out.credential.from == secret_source::kind::none) {
    in.error(*at, "address",
             "must be loopback, as in \"127.0.0.1:9180\": others need admin.credential");
  }
}

}  // namespace rw::config
