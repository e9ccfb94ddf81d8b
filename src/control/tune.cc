#include "control/tune.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "control/whole_file.h"

namespace rw::control {
namespace {

constexpr const char* file_mark = "# Written by `ringward tune --apply";
constexpr mode_t memory_mode = 0600;
constexpr mode_t sysctl_mode = 0644;

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> all;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    all.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all;
}

std::string explain(int os) {
  if (os == ENOENT) return "this kernel, or this network namespace, has no such parameter";
  std::string text = std::generic_category().message(os);
  if (os != EACCES && os != EPERM && os != EROFS) return text;
  text += ::geteuid() != 0 ? ": run this as root"
                           : ": it is read-only here, as in a container or a network namespace; "
                             "set it on the host";
  return text;
}

auto find(std::vector<tune_setting>& in, const std::string& path) {
  return std::ranges::find(in, path, &tune_setting::path);
}

// The state directory, so that nobody else tunes meanwhile.
class lock {
 public:
  explicit lock(const std::string& directory)
      : fd_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX | LOCK_NB) != 0) why_ = errno;
  }
  ~lock() {
    if (fd_ >= 0) ::close(fd_);
  }
  lock(const lock&) = delete;
  lock& operator=(const lock&) = delete;
  int why() const noexcept { return why_; }  // it is not held: the errno

 private:
  int fd_;
  int why_ = 0;
};

std::string lock_failure(const std::string& directory, int os) {
  if (os == EWOULDBLOCK) return fmt::format("{}: another `ringward tune` is at it", directory);
  return fmt::format("{}: {}", directory, std::generic_category().message(os));
}

}  // namespace

std::string no_less(const std::string& is, const std::string& wanted) {
  const std::vector<std::string_view> a = words(is);
  const std::vector<std::string_view> b = words(wanted);
  if (a.size() != b.size()) return wanted;
  std::string out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto left = parse_u64(a[i]);
    const auto right = parse_u64(b[i]);
    if (!left || !right) return wanted;
    if (i != 0) out += ' ';
    out += *left > *right ? a[i] : b[i];
  }
  return out;
}

std::vector<drift> tuner::compare(const tune_profile& with) const {
  std::vector<drift> all;
  all.reserve(with.settings.size());
  for (const tune_setting& one : with.settings) {
    drift made{.setting = one, .wanted = one.value};
    result<std::string> is = kernel_.read(one.path);
    if (is) {
      made.is = std::move(*is);
      if (one.at_least) made.wanted = no_less(made.is, one.value);
    } else {
      made.refused = is.error().os;
    }
    all.push_back(std::move(made));
  }
  return all;
}

std::expected<std::optional<tune_profile>, std::string> tuner::memory() const {
  const std::string path = memory_path();
  const result<std::string> text = read_own(path, profile_bytes_max);
  if (!text && text.error().os == ENOENT) return std::nullopt;
  if (!text) return std::unexpected(fmt::format("{}: {}", path, explain_file(text.error())));
  auto parsed = parse_profile(*text, path);
  if (!parsed) return std::unexpected(config::to_string(parsed.error().front()));
  return std::move(*parsed);
}

bool tuner::remember(const tune_profile& before, std::vector<told>& lines) const {
  std::string text =
      "# Written by `ringward tune`: what was there before; `ringward tune --revert` puts it "
      "back.\n";
  text += fmt::format("#: profile {}\n", before.name);
  for (const tune_setting& one : before.settings) {
    text += fmt::format("{} = {}\n", one.name, one.value);
  }
  const result<> done = replace_whole(memory_path(), text, memory_mode);
  if (!done) {
    lines.push_back({true, fmt::format("{}: {}{}", memory_path(), explain_file(done.error()),
                                       ::geteuid() != 0 ? ": run this as root" : "")});
  }
  return done.has_value();
}

bool tuner::set(const std::string& name, const std::string& path, const std::string& value,
                std::vector<told>& lines) const {
  const result<std::string> before = kernel_.read(path);
  if (before && *before == value) return true;
  const result<> put = kernel_.write(path, value);
  if (!put) {
    lines.push_back(
        {true, fmt::format("{}: cannot be set to {}: {}", name, value, explain(put.error().os))});
    return false;
  }
  const result<std::string> now = kernel_.read(path);
  if (!now || *now != value) {
    lines.push_back({true, fmt::format("{}: the kernel made \"{}\" of {}", name,
                                       now ? *now : explain(now.error().os), value)});
    return false;
  }
  lines.push_back({false, fmt::format("{}: {} -> {}", name, before ? *before : "?", value)});
  return true;
}

// What is in force now, of what was wanted: a boot must not find what a run did not.
void tuner::persist(const tune_profile& wanted, std::vector<told>& lines) const {
  const std::string path = sysctl_path();
  const result<std::string> old = read_whole(path, profile_bytes_max);
  if (old && !old->starts_with(file_mark)) {
    lines.push_back({true, fmt::format("{}: somebody else's file is in the way: move it", path)});
    return;
  }
  std::string text =
      fmt::format("{} {}`; `ringward tune --revert` removes it.\n", file_mark, wanted.name);
  for (const drift& one : compare(wanted)) {
    if (one.refused == 0 && one.in_order()) {
      text += fmt::format("{} = {}\n", one.setting.name, one.is);
    }
  }
  std::error_code ignored;  // what it was is said by the next line
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  const result<> done = replace_whole(path, text, sysctl_mode);
  if (done) {
    lines.push_back({false, fmt::format("{}: written, for the next boot", path)});
  } else {
    lines.push_back({true, fmt::format("{}: {}", path, explain_file(done.error()))});
  }
}

std::vector<told> tuner::apply(const tune_profile& wanted) {
  std::vector<told> lines;
  const std::string state = at_.root + at_.state;
  std::error_code ignored;  // the lock says it
  std::filesystem::create_directories(state, ignored);
  const lock held(state);
  if (held.why() != 0) return {{true, lock_failure(state, held.why())}};
  auto known = memory();
  if (!known) return {{true, std::move(known.error())}};

  tune_profile before = std::move(*known).value_or(tune_profile{});
  before.name = wanted.name;
  const std::size_t older = before.settings.size();
  const std::vector<drift> all = compare(wanted);
  for (const drift& one : all) {
    if (one.in_order() || one.refused != 0) continue;
    if (find(before.settings, one.setting.path) != before.settings.end()) continue;
    before.settings.push_back({one.setting.name, one.setting.path, one.is});
  }
  if (!remember(before, lines)) return lines;

  std::vector<tune_setting> kept;
  for (std::size_t i = 0; i < before.settings.size(); ++i) {
    const tune_setting& old = before.settings[i];
    const auto named = std::ranges::find(
        all, old.path, [](const drift& one) -> const std::string& { return one.setting.path; });
    if (named == all.end()) {
      if (!set(old.name, old.path, old.value, lines)) kept.push_back(old);
    } else {
      const bool done = named->refused == 0 && set(old.name, old.path, named->wanted, lines);
      if (done || i < older) kept.push_back(old);
    }
  }
  for (const drift& one : all) {
    if (one.in_order() || one.refused == 0) continue;
    lines.push_back({true, fmt::format("{}: {}", one.setting.name, explain(one.refused))});
  }
  if (kept.size() != before.settings.size()) {
    before.settings = std::move(kept);
    remember(before, lines);
  }
  persist(wanted, lines);
  return lines;
}

void tuner::forget_file(std::vector<told>& lines) const {
  const std::string path = sysctl_path();
  const result<std::string> text = read_whole(path, profile_bytes_max);
  if (!text && text.error().os == ENOENT) return;
  if (text && !text->starts_with(file_mark)) return;
  if (::unlink(path.c_str()) == 0) {
    lines.push_back({false, fmt::format("{}: removed", path)});
  } else {
    lines.push_back({true, fmt::format("{}: {}", path, std::generic_category().message(errno))});
  }
}

std::vector<told> tuner::revert() {
  std::vector<told> lines;
  const std::string state = at_.root + at_.state;
  const lock held(state);
  if (held.why() != 0 && held.why() != ENOENT) return {{true, lock_failure(state, held.why())}};
  auto known = memory();
  if (!known) return {{true, std::move(known.error())}};
  if (!*known) {
    forget_file(lines);
    lines.push_back({false, "no profile is applied: there is nothing to put back"});
    return lines;
  }
  tune_profile before = std::move(**known);
  std::erase_if(before.settings,
                [&](const tune_setting& one) { return set(one.name, one.path, one.value, lines); });
  forget_file(lines);
  if (!before.settings.empty()) {
    remember(before, lines);
  } else if (::unlink(memory_path().c_str()) != 0) {
    lines.push_back(
        {true, fmt::format("{}: {}", memory_path(), std::generic_category().message(errno))});
  }
  return lines;
}

}  // namespace rw::control
