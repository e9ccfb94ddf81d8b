#include "control/audit_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"

namespace rw::control {
namespace {

// A line may be as long as two paths and everything else escaped; this is more.
constexpr off_t tail_bytes_max = 256 << 10;

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 20 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

wall_time written_last(const struct stat& of) noexcept {
  return wall_time{std::chrono::seconds{of.st_mtim.tv_sec} + nanoseconds{of.st_mtim.tv_nsec}};
}

struct found_file {
  std::string path;
  wall_time written;
};

std::vector<found_file> find_rotated(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path whole(path);
  const std::string base = whole.filename();
  std::vector<found_file> found;
  std::error_code failed;
  for (fs::directory_iterator at(whole.parent_path(), failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string name = at->path().filename();
    struct stat what{};
    if (!is_rotated(base, name) || ::lstat(at->path().c_str(), &what) != 0) continue;
    if (!S_ISREG(what.st_mode) || what.st_uid != ::geteuid()) continue;
    found.push_back({at->path(), written_last(what)});
  }
  std::ranges::sort(found, [](const found_file& a, const found_file& b) {
    return a.written != b.written ? a.written > b.written : a.path > b.path;
  });
  return found;
}

// The end of the file; empty when it cannot be read.
std::string tail_of(const std::string& path) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat what{};
  if (fd >= 0 && ::fstat(fd, &what) == 0 && S_ISREG(what.st_mode)) {
    const off_t bytes = std::min(what.st_size, tail_bytes_max);
    text.resize(static_cast<std::size_t>(bytes));
    const ssize_t got = ::pread(fd, text.data(), text.size(), what.st_size - bytes);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  if (fd >= 0) ::close(fd);
  return text;
}

// The last whole line of `text` that is a record; nothing when there is none.
std::optional<std::string_view> last_record(std::string_view text) {
  while (true) {
    const std::size_t end = text.rfind('\n');
    if (end == std::string_view::npos) return {};
    const std::size_t before = end == 0 ? std::string_view::npos : text.rfind('\n', end - 1);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::string_view line = text.substr(begin, end - begin);
    if (line.starts_with("{\"seq\":") && line.ends_with('}')) return line;
    text = text.substr(0, begin);
  }
}

}  // namespace

bool is_rotated(std::string_view base, std::string_view name) noexcept {
  if (base.empty() || !name.starts_with(base)) return false;
  name.remove_prefix(base.size());
  for (const std::string_view packed : {".gz", ".xz", ".zst", ".bz2"}) {
    if (!name.ends_with(packed)) continue;
    name.remove_suffix(packed.size());
    break;
  }
  if (name.starts_with('.')) return is_digits(name.substr(1));
  if (!name.starts_with('-')) return false;
  name.remove_prefix(1);
  const std::size_t dash = name.find('-');
  if (!is_digits(name.substr(0, dash)) || name.substr(0, dash).size() < 8) return false;
  return dash == std::string_view::npos || is_digits(name.substr(dash + 1));
}

std::optional<std::string> remove_oldest(const std::string& path, wall_time oldest) {
  std::vector<found_file> all = find_rotated(path);
  for (; !all.empty() && all.back().written < oldest; all.pop_back()) {
    if (::unlink(all.back().path.c_str()) == 0) return std::move(all.back().path);
  }
  return {};
}

believed_clock::believed_clock(std::optional<wall_time> written, wall_time now,
                               mono_time started) noexcept
    : begun_(written ? std::min(now, *written + unwritten_max) : now), started_(started) {}

wall_time believed_clock::at(wall_time now, mono_time running) const noexcept {
  return std::min(now, begun_ + (running - started_));
}

earlier_end find_earlier(const std::string& path) {
  earlier_end end;
  std::vector<std::string> candidates = {path};
  struct stat what{};
  if (::stat(path.c_str(), &what) == 0) end.written = written_last(what);
  for (found_file& one : find_rotated(path)) {
    end.written = std::max(end.written.value_or(one.written), one.written);
    candidates.push_back(std::move(one.path));
  }
  for (const std::string& one : candidates) {
    const std::string text = tail_of(one);
    if (one == path) end.partial = !text.empty() && text.back() != '\n';
    if (const auto line = last_record(text)) {
      end.digest = observe::digest_of(*line);
      end.file = one;
      return end;
    }
  }
  return end;
}

}  // namespace rw::control
