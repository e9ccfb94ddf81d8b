#include "control/audit_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "config/load.h"
#include "config/secret_file.h"
#include "control/audit_verify.h"
#include "observe/audit_chain.h"

namespace rw::control {
namespace {

constexpr int changed = 1;
constexpr int not_all = 3;
constexpr std::size_t problems_shown_max = 50;

int refuse(const std::string& text) {
  fmt::print(stderr, "ringward: error: {}\n", text);
  return changed;
}

// The last line of `text` that has something in it.
std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::optional<std::string> content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return {};
  return std::move(text).str();
}

// As the journal has it, with whatever is before it; or in a file.
std::optional<std::string> checkpoint_of(const std::string& given) {
  std::string text = given;
  if (!given.contains('{')) {
    const auto read = content(given);
    if (!read) return {};
    text = *read;
  }
  text = last_line(std::move(text));
  const std::size_t begin = text.find(R"({"seq":)");
  if (begin == std::string::npos) return {};
  text = text.substr(begin);
  return text.contains(R"("event":"checkpoint")") ? std::optional(text) : std::nullopt;
}

bool is_key(const std::string& text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

void print(const audit_finding& one) {
  const char* const word = one.how == audit_finding::weight::broken ? "broken"
                           : one.how == audit_finding::weight::open ? "open"
                                                                    : "note";
  if (one.line == 0) {
    fmt::print("{}: {}\n", word, one.text);
  } else {
    fmt::print("{}:{}: {}: {}\n", one.file, one.line, word, one.text);
  }
}

}  // namespace

int run_audit_verify(const audit_verify_options& options) {
  std::string key;
  if (!options.public_key.empty()) {
    const auto read = content(options.public_key);
    if (!read) return refuse(options.public_key + " cannot be read");
    key = last_line(*read);
    if (!is_key(key)) {
      return refuse(options.public_key + " holds no key as `ringward audit public-key` prints it");
    }
  }
  std::string since;
  if (!options.since.empty()) {
    auto found = checkpoint_of(options.since);
    if (!found) return refuse("--since is no checkpoint, and no file with one");
    since = std::move(*found);
  }
  audit_checker checker(key, since);
  for (const std::string& one : options.files) {
    if (one == "-") {
      checker.read(std::cin, "stdin");
      continue;
    }
    std::ifstream file(one);
    if (!file) return refuse(one + " cannot be read");
    checker.read(file, one);
  }
  checker.finish(options.running);

  int status = 0;
  std::size_t shown = 0;
  for (const audit_finding& one : checker.findings()) {
    if (one.how == audit_finding::weight::broken) status = changed;
    if (one.how == audit_finding::weight::open && status == 0) status = not_all;
    if (++shown <= problems_shown_max) print(one);
  }
  if (shown > problems_shown_max) fmt::print("and {} more\n", shown - problems_shown_max);
  fmt::print("{} records, {} chains, {} checkpoints{}\n", checker.records(), checker.chains(),
             checker.checkpoints(),
             key.empty() ? "; signatures were not looked at: no --public-key" : "");
  if (!checker.last_checkpoint().empty()) fmt::print("{}\n", checker.last_checkpoint());
  return status;
}

int run_audit_public_key(const std::string& config) {
  const config::examined read = config::examine(config);
  if (config::has_error(read.problems)) {
    for (const config::diagnostic& one : read.problems) {
      fmt::print(stderr, "{}\n", config::to_string(one));
    }
    return changed;
  }
  const config::secret_source& from = read.settings.log.audit.sign;
  if (from.from == config::secret_source::kind::none) return refuse("log.audit.sign is off");
  const auto seed = config::read_secret(from);
  if (!seed) return refuse("log.audit.sign: " + config::to_string(seed.error()));
  const auto key = observe::audit_key::from_seed(seed->view());
  if (!key) return refuse("log.audit.sign: " + from.name + " holds no Ed25519 seed");
  fmt::print("{}\n", key->public_key());
  return 0;
}

}  // namespace rw::control
