#include "control/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <filesystem>
#include <utility>

#include "base/assert.h"
#include "io/read.h"

namespace rw::control {
namespace {

// Editors and deployments touch a file several times; one reload is enough.
constexpr std::chrono::milliseconds settle{200};
constexpr std::uint32_t interesting =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_MOVE_SELF;
constexpr unsigned links_max = 40;  // the kernel's own bound

using std::filesystem::path;

void put_before(std::deque<path>& rest, const path& some) {
  rest.insert(rest.begin(), some.begin(), some.end());
}

}  // namespace

file_watch::file_watch(io::loop& on) : loop_(on), fd_(::inotify_init1(IN_CLOEXEC)) {}

file_watch::~file_watch() {
  RW_ASSERT(under_way_ == nullptr);
  if (fd_ >= 0) ::close(fd_);
}

// As the kernel resolves it, which lexically normalising it first would not be: `..` after a link
// is the parent of what the link leads to.
void file_watch::add(const std::string& file) {
  std::deque<path> rest;
  put_before(rest, std::filesystem::absolute(file));
  path directory = "/";
  for (unsigned links = 0; !rest.empty() && links <= links_max;) {
    const path name = rest.front();
    rest.pop_front();
    if (name.empty() || name == "." || name == "/") continue;
    if (name == "..") {
      directory = directory.parent_path();
      continue;
    }
    const path at = directory / name;
    std::error_code failed;
    const auto what = std::filesystem::symlink_status(at, failed).type();
    const bool is_link = what == std::filesystem::file_type::symlink;
    const bool is_missing = what == std::filesystem::file_type::not_found;
    if (is_link || is_missing || rest.empty()) watch_name(directory, name);
    if (is_missing) return;
    if (!is_link) {
      directory = at;
      continue;
    }
    const path target = std::filesystem::read_symlink(at, failed);
    if (target.is_absolute()) directory = "/";
    put_before(rest, target);
    ++links;
  }
}

void file_watch::watch_name(const std::string& directory, const std::string& name) {
  auto found = directories_.find(directory);
  if (found == directories_.end()) {
    const int wd = ::inotify_add_watch(fd_, directory.c_str(), interesting | IN_ONLYDIR);
    if (wd < 0) return;
    found = directories_.emplace(directory, wd).first;
  }
  names_[found->second].insert(name);
}

void file_watch::watch(const std::vector<std::string>& files) {
  const auto before = std::exchange(names_, {});
  directories_.clear();
  for (const std::string& one : files) add(one);
  for (const auto& [wd, names] : before) {
    if (!names_.contains(wd)) ::inotify_rm_watch(fd_, wd);
  }
}

bool file_watch::is_ours(const char* events, std::size_t bytes) const {
  while (bytes >= sizeof(inotify_event)) {
    inotify_event event;
    __builtin_memcpy(&event, events, sizeof event);
    const auto names = names_.find(event.wd);
    const bool is_moved = (event.mask & IN_MOVE_SELF) != 0 && names != names_.end();
    if ((event.mask & IN_Q_OVERFLOW) != 0 || is_moved) return true;
    if (event.len > 0 && names != names_.end() && names->second.contains(events + sizeof event)) {
      return true;
    }
    const std::size_t size = sizeof event + event.len;
    events += size;
    bytes -= size;
  }
  return false;
}

io::task<bool> file_watch::changed() {
  alignas(inotify_event) std::array<std::byte, 4096> events;
  bool ours = false;
  while (!ours && !ended_ && fd_ >= 0) {
    io::read_some reading(loop_, fd_, events);
    under_way_ = &reading;
    const std::int32_t got = co_await reading;
    under_way_ = nullptr;
    if (got <= 0) co_return false;
    ours = is_ours(reinterpret_cast<const char*>(events.data()), static_cast<std::size_t>(got));
  }
  io::sleep pause(loop_, loop_.now() + settle);
  co_await pause;
  co_return !ended_;
}

void file_watch::end() {
  ended_ = true;
  if (under_way_ != nullptr) loop_.kernel().cancel(*under_way_);
}

}  // namespace rw::control
