#include "control/import_toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/url.h"
#include "config/values.h"

namespace rw::control {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view made_up_issuer = "ringward";
constexpr std::string_view made_up_audience = "api";

std::string list_of(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& one : texts) out += (out.empty() ? "[" : ", ") + in_quotes(one);
  return out + "]";
}

// Each line of `text` as a comment.
std::string commented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    out += "# ";
    out += text.substr(0, end);
    text.remove_prefix(end);
  }
  return out;
}

// Whether JWKS_URL becomes an issuer.
bool fetches_keys(const old_settings& old) {
  return !old.issuer.empty() && config::parse_https_url(old.jwks_url.value).has_value();
}

class toml_writer {
 public:
  toml_writer(const import_plan& plan, import_notes& out)
      : plan_(plan), old_(plan.settings), out_(out) {
    issuer_ = old_.issuer.empty() ? made_up_issuer : old_.issuer;
    audiences_ = old_.audiences;
    if (audiences_.empty()) audiences_.emplace_back(made_up_audience);
  }

  std::string write() {
    put("# Made by `ringward import` from {}. `ringward check` says what is wrong with it.\n\n",
        in_quotes(plan_.from));
    write_listener();
    write_keys();
    write_mint();
    write_issuers();
    write_limit("api", old_.api, "RATE_LIMIT_API; the burst counts the request that nginx lets in");
    if (plan_.has_mint_key) write_limit("auth", old_.auth, "RATE_LIMIT_AUTH, likewise");
    write_upstream();
    write_routes();
    return std::move(text_);
  }

 private:
  template <class... A>
  void put(fmt::format_string<A...> format, A&&... arguments) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<A>(arguments)...);
  }
  void note(std::string text) { out_.push_back({{}, 0, std::move(text)}); }
  std::string file(std::string_view name) const {
    return in_quotes(fmt::format("{}/{}", plan_.folder, name));
  }

  void write_listener() {
    const bool has_tls = !plan_.chain.empty();
    put("[[listener]]\nname = \"main\"\naddress = \"{}\"\n",
        has_tls ? "[::]:8443" : "127.0.0.1:8080");
    const std::string tls = fmt::format(
        "  [listener.tls]\n  certificates = [{{ chain = {}, key = {{ file = {} }} }}]\n",
        in_quotes(has_tls ? plan_.chain : "/path/fullchain.pem"),
        in_quotes(has_tls ? plan_.chain_key : "/path/privkey.pem"));
    text_ += has_tls ? tls : commented(tls);
    if (has_tls) return;
    note(
        "The listener is plain HTTP on 127.0.0.1:8080: no certificate could be carried over. Name "
        "one in [listener.tls] before you open it to others.");
  }

  void write_keys() { put("\n[auth.api_keys]\nfile = {}\n", file(imported_keys_file)); }

  void write_mint() {
    if (!plan_.has_mint_key) {
      return note("POST /token is not answered: no private key that signs was found.");
    }
    put("\n[auth.mint]\nkey = {{ file = {} }}\nissuer = {}\naudience = {}\nttl = \"{}\"\n",
        file(imported_mint_key), in_quotes(issuer_), in_quotes(audiences_.front()),
        config::duration_text(old_.jwt_ttl));
    if (old_.issuer.empty()) {
      note(
          fmt::format("JWT_ISSUER is not set: new tokens are issued by {}, and older ones with "
                      "another issuer, or none, are refused.",
                      in_quotes(issuer_)));
    }
    if (old_.audiences.empty()) {
      note(
          fmt::format("JWT_AUDIENCE is not set: new tokens are for {}, and older ones for another "
                      "audience, or none, are refused.",
                      in_quotes(audiences_.front())));
    }
  }

  std::string issuer_table(std::string_view name, const std::string& jwks) const {
    std::string text = fmt::format("[auth.jwt.{}]\nissuer = {}\naudiences = {}\njwks = {}\n", name,
                                   in_quotes(issuer_), list_of(audiences_), jwks);
    if (old_.jwt_ttl > 24h) {
      text += fmt::format("max_age = \"{}\"\n", config::duration_text(old_.jwt_ttl));
    }
    return text;
  }

  void write_issuers() {
    if (plan_.has_key_set && has_issuer()) {
      put("\n{}", issuer_table("file", fmt::format("{{ file = {} }}", file(imported_key_set))));
    } else if (plan_.has_key_set) {
      note("Tokens are not taken: JWT_ISSUER is not set, and tokens of anybody's are no option.");
    }
    const env_setting& url = old_.jwks_url;
    if (url.value.empty()) {
      if (old_.jwks_ttl != 0s) note("JWKS_TTL goes with JWKS_URL, which is not set; left out.");
      return;
    }
    const auto written = old_.jwks_ttl == 0s ? 600s : old_.jwks_ttl;
    const auto refresh = std::clamp<config::nanoseconds>(written, 30s, 24h);
    const std::string table =
        issuer_table("url", fmt::format("{{ url = {}, refresh = \"{}\" }}", in_quotes(url.value),
                                        config::duration_text(refresh)));
    if (fetches_keys(old_)) {
      put("\n{}", table);
      return;
    }
    put("\n# JWKS_URL:\n{}", commented(table));
    note("JWKS_URL is a comment only: JWT_ISSUER is not set, or it is no URL of https.");
  }
  // Without a mint key every token is somebody else's.
  bool has_issuer() const noexcept { return plan_.has_mint_key || !old_.issuer.empty(); }

  void write_limit(std::string_view name, const old_limit& limit, std::string_view comment) {
    put("\n# {}.\n[[limit]]\nname = \"{}\"\nby = \"client.ip\"\nrate = \"{}\"\nburst = {}\n",
        comment, name, to_text(limit.rate), limit.burst);
  }

  void write_upstream() {
    put("\n[[upstream]]\nname = \"origin\"\nservers = [{{ address = {} }}]\n"
        "  # Streams may be silent for as long as nginx would have waited for them.\n"
        "  [upstream.timeouts]\n  first_byte = \"1h\"\n  gap = \"1h\"\n",
        in_quotes(plan_.origin));
  }

  void write_routes() {
    if (plan_.has_mint_key) {
      put("\n[[route]]\nname = \"token\"\npath = \"/token\"\nmethods = [\"POST\"]\n"
          "action = \"mint\"\nauth = [\"api_keys\"]\nlimits = [\"auth\"]\n");
    }
    put("\n# Says that the gate is there; action = \"proxy\" with upstream = \"origin\" asks the "
        "origin.\n"
        "[[route]]\nname = \"health\"\npath = \"/health\"\naction = \"respond\"\n"
        "type = \"application/json\"\nbody = '{{\"status\":\"ok\"}}'\nauth = []\n"
        "limits = [\"api\"]\n");
    std::vector<std::string> ways{"api_keys"};
    if (plan_.has_key_set && has_issuer()) ways.emplace_back("jwt:file");
    if (fetches_keys(old_)) {
      ways.emplace_back("jwt:url");
    }
    put("\n[[route]]\nname = \"api\"\npath_prefix = \"/\"\nupstream = \"origin\"\nauth = {}\n"
        "limits = [\"api\"]\n",
        list_of(ways));
    put("upgrade = [\"websocket\"]\n");
    if (!old_.github_token.value.empty()) {
      put("# request_headers = {{ set = {{ authorization = {{ file = {}, prefix = \"Bearer \" }} "
          "}} }}\n",
          file(imported_github_token));
      note(
          "GITHUB_TOKEN is in a file and goes nowhere: if nginx sent it to the origin, take the "
          "comment off request_headers in the route \"api\".");
    }
  }

  const import_plan& plan_;
  const old_settings& old_;
  import_notes& out_;
  std::string text_;
  std::string issuer_;
  std::vector<std::string> audiences_;
};

}  // namespace

bool import_plan::takes_tokens() const noexcept {
  const bool by_file = has_key_set && (has_mint_key || !settings.issuer.empty());
  return by_file || fetches_keys(settings);
}

std::string write_toml(const import_plan& plan, import_notes& out) {
  return toml_writer(plan, out).write();
}

}  // namespace rw::control
