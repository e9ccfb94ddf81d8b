#include "control/command_line.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <tuple>

#include "auth/key_file.h"
#include "base/random.h"
#include "config/load.h"
#include "control/admin_commands.h"
#include "control/audit_command.h"
#include "control/ban_command.h"
#include "control/connections.h"
#include "control/crash_report.h"
#include "control/demo.h"
#include "control/import.h"
#include "control/key_command.h"
#include "control/limits_command.h"
#include "control/lockdown_command.h"
#include "control/log_command.h"
#include "control/origin_names.h"
#include "control/process.h"
#include "control/profile_command.h"
#include "control/revoke_command.h"
#include "control/serve.h"
#include "control/setup.h"
#include "control/top_command.h"
#include "control/tune_command.h"
#include "control/upgrade_command.h"
#include "control/version.h"
#include "gateway/snapshot_files.h"
#include "io/capability.h"
#include "tls/library.h"

namespace rw::control {
namespace {

constexpr const char* default_config = "/etc/ringward";

int print(const config::diagnostics& list, std::FILE* to) {
  for (const config::diagnostic& one : list) fmt::print(to, "{}\n", config::to_string(one));
  return config::has_error(list) ? 1 : 0;
}

// Root looks with the eyes of the service: a configuration that belongs to a system's group, as a
// package's does to group ringward, is for the user of that name, who has to be able to read all of
// it.
void look_as_service(const std::string& path) {
  constexpr gid_t system_groups_end = 1000;
  struct stat at{};
  if (::geteuid() != 0 || ::stat(path.c_str(), &at) != 0) return;
  if (at.st_gid == 0 || at.st_gid >= system_groups_end) return;
  const struct group* group = ::getgrgid(at.st_gid);
  const passwd* user = group != nullptr ? ::getpwnam(group->gr_name) : nullptr;
  if (user == nullptr) return;
  if (::initgroups(user->pw_name, at.st_gid) != 0 || ::setegid(at.st_gid) != 0 ||
      ::seteuid(user->pw_uid) != 0) {
    fmt::print(stderr, "ringward: warning: cannot look as user {}\n", group->gr_name);
  }
}

// What a start would learn of the names. False where the kernel gives no ring, as in many places
// where configurations are checked: then nobody has looked.
bool look_up(const std::vector<std::string>& wanted, upstream::address_book& book) {
  if (wanted.empty()) return true;
  auto kernel = io::ring::create(64);
  if (!kernel) {
    fmt::print("note: without io_uring the names of origins are not looked up\n");
    return false;
  }
  io::loop loop(std::move(*kernel), 1U << 20U);
  const observe::log log(observe::level::warning);
  origin_names names(loop, log, [] {});
  names.follow(wanted);
  io::gate waiting;
  io::spawn(names.settle(loop.now() + std::chrono::seconds{10}), waiting);
  while (waiting.inside() > 0) loop.turn();
  book = names.book();
  names.end();
  while (names.busy()) loop.turn();
  return true;
}

// Everything that a start would find wrong, except ports: those may be in use by the gate that
// runs.
int check(const std::string& path) {
  look_as_service(path);
  config::examined read = config::examine(path);
  const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  if (print(read.problems, stderr) != 0) {
    print(gateway::check_files(read.settings, now), stderr);
    return 1;
  }
  observe::label_names labels;
  gateway::snapshot_context with;
  with.labels = &labels;
  with.tickets = std::make_shared<tls::ticket_keys>(
      std::chrono::time_point_cast<nanoseconds>(std::chrono::steady_clock::now()));
  with.now = now;
  upstream::address_book names;
  if (look_up(upstream::host_names(read.settings), names)) with.names = &names;
  const auto made = gateway::make_snapshot(std::move(read.settings), with);
  if (!made) return print(made.error(), stderr);
  print(made->warnings, stderr);
  for (const config::route& one : made->state->settings.routes) {
    if (one.auth.empty() && one.auth_all.empty()) {
      fmt::print("note: route {} is open to everyone\n", one.name);
    }
  }
  fmt::print("{}: in order\n", path);
  return 0;
}

int new_key(const std::string& name) {
  const result<auth::new_key> made = auth::generate_key(name);
  if (!made) {
    fmt::print(stderr, "ringward: error: {}\n", made.error().text);
    return 1;
  }
  fmt::print("key:  {}\nline: {}\n", made->key, made->line);
  fmt::print(stderr, "The key is shown this once. Put the line into the key file.\n");
  return 0;
}

int hash_key(const std::string& name) {
  if (::isatty(STDIN_FILENO) == 1) fmt::print(stderr, "The key, then Enter: ");
  std::string key;
  std::getline(std::cin, key);
  const result<std::string> line = auth::hash_line(name, key);
  wipe(key.data(), key.size());
  if (!line) {
    fmt::print(stderr, "ringward: error: {}\n", line.error().text);
    return 1;
  }
  fmt::print("{}\n", *line);
  return 0;
}

const char* describe(io::kernel_tls what) noexcept {
  switch (what) {
    case io::kernel_tls::no:
      return "no, records are made by wolfSSL: the tls module is not loaded (modprobe tls)";
    case io::kernel_tls::fixed_keys:
      return "makes the records of what is sent; a client that asks for new keys is answered once "
             "more (the kernel renews them from 6.14 on)";
    case io::kernel_tls::renewable_keys:
      return "makes the records of what is sent, and renews its keys";
  }
  return "";
}

int print_version() {
  const io::capabilities found = io::probe();
  const tls::library_features tls = tls::features();
  fmt::print("ringward {}\n", version);
  fmt::print("build      {}\n", build_id());
  fmt::print("compiler   clang {}\n", __clang_version__);
  fmt::print("wolfSSL    {}{}{}\n", tls::library_version(),
             tls.mlkem ? ", X25519MLKEM768" : ", without X25519MLKEM768",
             tls.aes_cpu ? ", AES by the CPU" : ", AES without the CPU's help");
  fmt::print("kernel     {}\n", found.kernel);
  fmt::print("io_uring   {}\n", found.io_uring ? "yes" : found.refusal);
  fmt::print("kernel TLS {}\n", describe(found.tls));
  fmt::print("idle       {}\n", found.no_iowait
                                    ? "not accounted as iowait (kernel 6.15 and newer)"
                                    : "accounted as iowait: tools show waiting as busy");
  return 0;
}

// What `options` holds when the callback runs is what was asked for.
void add_tune(CLI::App& app, tune_options& options, int& status) {
  auto* it = app.add_subcommand(
      "tune", "How far the kernel's settings are from a profile, and what else could be better");
  it->add_option("PROFILE", options.profile,
                 "latency, throughput or connections, or a file as sysctl.d(5) has them");
  auto* actions = it->add_option_group("actions", "At most one; without, drift is listed");
  actions->require_option(0, 1);
  const auto add = [&](const char* name, tune_options::action what, const char* text) {
    return actions->add_flag_callback(name, [&options, what] { options.what = what; }, text);
  };
  using action = tune_options::action;
  add("--check", action::check, "Only list drift: 0 without, 1 with, 2 for no such profile");
  add("--apply", action::apply, "Set it, now and for the next boot; remember what was there");
  add("--revert", action::revert, "Put back what was there");
  it->add_option("--state", options.state, "Where what was there is remembered")
      ->capture_default_str();
  it->add_option("--workers", options.workers, "To give advice for; 0: one for each CPU")
      ->capture_default_str();
  it->footer("Example: ringward tune latency");
  it->callback([&options, &status] {
    const bool reverts = options.what == action::revert;
    if (options.what != action::list && options.profile.empty() != reverts) {
      throw CLI::ValidationError(
          "tune", reverts ? "--revert takes no PROFILE" : "--check and --apply need a PROFILE");
    }
    status = run_tune(options);
  });
}

void add_audit(CLI::App& app, audit_verify_options& options, std::string& config, int& status) {
  auto* audit = app.add_subcommand("audit", "The audit log");
  audit->require_subcommand(1);
  audit->footer("Example: ringward audit verify /var/log/ringward/audit.jsonl");
  auto* verify = audit->add_subcommand(
      "verify", "Find what was changed, removed, reordered or cut off, and say where");
  verify->add_option("FILE", options.files, "Oldest first; - is standard input")->required();
  verify->add_option("--public-key", options.public_key,
                     "A file with what `ringward audit public-key` printed");
  verify->add_option("--since", options.since,
                     "A checkpoint from the journal, or a file that ends with one");
  verify->add_flag("--running", options.running, "The gate runs: its chain has no end yet");
  verify->footer("Example: ringward audit verify --public-key audit.pub audit.jsonl.1 audit.jsonl");
  verify->callback([&] { status = run_audit_verify(options); });
  auto* key = audit->add_subcommand("public-key", "The key that checkpoints are verified by");
  key->add_option("--config", config, "A TOML file, or a directory of them")->capture_default_str();
  key->footer("Example: ringward audit public-key --config /etc/ringward");
  key->callback([&] {
    look_as_service(config);
    status = run_audit_public_key(config);
  });
}

// One that is closed would become something else, which would get what is printed.
void fill_standard_descriptors() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  ::close(fd);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  fill_standard_descriptors();
  random_init();
  if (!tls::library_init()) {
    fmt::print(stderr, "ringward: error: wolfSSL does not start\n");
    return 1;
  }
  CLI::App app{
      "Ringward: a gate in front of an API. It terminates TLS, finds out who is calling,\n"
      "holds each caller to its limits and forwards.",
      "ringward"};
  app.footer("Example: ringward demo");
  app.require_subcommand(1);
  int status = 0;

  std::string config = default_config;
  auto* run_it = app.add_subcommand("run", "Serve by a configuration, until SIGTERM");
  run_it->add_option("--config", config, "A TOML file, or a directory of them")
      ->capture_default_str();
  run_it->footer("Example: ringward run --config /etc/ringward");
  std::string before;  // what `ringward upgrade` asks for
  run_it->add_option("--after", before)->group("");
  run_it->callback([&] { status = before.empty() ? serve(config) : serve_after(before); });

  auto* check_it = app.add_subcommand("check", "Say everything that is wrong with a configuration");
  check_it->add_option("--config", config, "A TOML file, or a directory of them")
      ->capture_default_str();
  check_it->footer("Example: ringward check --config ./ringward.toml");
  check_it->callback([&] { status = check(config); });

  setup_options first;
  auto* setup_it = app.add_subcommand(
      "setup", "Make the certificate and keys of a first start, where there are none");
  setup_it->add_option("--config", first.config, "A directory of TOML files, or one in it")
      ->capture_default_str();
  setup_it->add_option("--group", first.group, "Who may read them, besides their owner");
  setup_it->footer("Example: ringward setup --config /etc/ringward --group ringward");
  setup_it->callback([&] { status = run_setup(first); });

  demo_options demo;
  auto* demo_it =
      app.add_subcommand("demo", "A gate with an origin behind it, to try; needs no file");
  demo_it->add_option("--address", demo.address, "Where it listens")->capture_default_str();
  demo_it->footer("Example: ringward demo --address 127.0.0.1:8443");
  demo_it->callback([&] { status = run_demo(demo); });

  admin_options admin;
  add_admin_commands(app, admin, status);
  add_upgrade(app, admin.gate, status);

  import_options import;
  auto* import_it = app.add_subcommand(
      "import", "A configuration from nginx with auth_request and a verifier of keys and tokens");
  import_it->add_option("DIR", import.from, "The folder with .env, api_keys.txt and jwks.json")
      ->required();
  import_it->add_option("--output", import.output, "Where to write; a new folder or an empty one")
      ->capture_default_str();
  import_it->add_option("--origin", import.origin, "What nginx forwarded to")
      ->capture_default_str();
  import_it->footer("Example: ringward import /srv/gateway --output /etc/ringward");
  import_it->callback([&] {
    status = run_import(import);
    if (status == 0) status = check(import.output);
  });

  revoke_options revoke;
  add_revoke(app, revoke, admin.gate, status);
  ban_options ban;
  add_ban(app, ban, admin.gate, status);
  connections_options connections;
  add_connections(app, connections, admin.gate, status);
  limits_options limits;
  add_limits(app, limits, admin.gate, status);
  top_options top;
  add_top(app, top, admin.gate, status);
  profile_options profile;
  add_profile(app, profile, admin.gate, status);
  std::string level;
  add_log(app, level, admin.gate, status);

  std::string name;
  auto* key = app.add_subcommand("key", "API keys");
  key->require_subcommand(1);
  key->footer("Example: ringward key new alice");
  auto* key_new =
      key->add_subcommand("new", "Make a key; prints it once, and the line for the key file");
  key_new->add_option("NAME", name, "Who will use it")->required();
  key_new->footer("Example: ringward key new alice");
  key_new->callback([&] { status = new_key(name); });
  auto* key_hash = key->add_subcommand("hash", "The key file's line for a key read from stdin");
  key_hash->add_option("NAME", name, "Who uses it; \"key\" when nobody is named");
  key_hash->footer("Example: ringward key hash alice < key.txt");
  key_hash->callback([&] { status = hash_key(name.empty() ? "key" : name); });

  for (const auto& [verb, text, what] :
       {std::tuple{"list", "The key file's keys: names, kinds of hash, when they end", &list_keys},
        std::tuple{"check", "Whose the key read from stdin is", &check_key}}) {
    auto* it = key->add_subcommand(verb, text);
    it->add_option("--config", config, "A TOML file, or a directory of them")
        ->capture_default_str();
    it->footer(fmt::format("Example: ringward key {}", verb));
    it->callback([&status, &config, command = what] { status = command(config); });
  }

  tune_options tune;
  add_tune(app, tune, status);

  audit_verify_options verify;
  add_audit(app, verify, config, status);

  auto* version_it =
      app.add_subcommand("version", "What this is, and what it finds in this kernel");
  lockdown_options lockdown;
  version_it->add_flag("--lockdown", lockdown.wanted,
                       "What a gate that runs gives up, and what this kernel lacks for it");
  version_it->add_option("--config", lockdown.config, "By which; a TOML file, or a directory")
      ->capture_default_str();
  version_it->add_option("--try", lockdown.attempt)->group("");  // of tests: lockdown_command.h
  version_it->footer("Example: ringward version");
  version_it->callback(
      [&] { status = lockdown.wanted ? run_lockdown(lockdown) : print_version(); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : 2;
  }
  return status;
}

}  // namespace rw::control
