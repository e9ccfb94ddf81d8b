#include "control/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <filesystem>

#include "base/assert.h"
#include "io/read.h"

namespace rw::control {
namespace {

// Editors and deployments touch a file several times; one reload is enough.
constexpr std::chrono::milliseconds settle{200};
constexpr std::uint32_t interesting =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB;
constexpr unsigned links_max = 16;

}  // namespace

file_watch::file_watch(io::loop& on) : loop_(on), fd_(::inotify_init1(IN_CLOEXEC)) {}

file_watch::~file_watch() {
  RW_ASSERT(under_way_ == nullptr);
  if (fd_ >= 0) ::close(fd_);
}

void file_watch::add(const std::string& file) {
  std::filesystem::path at = std::filesystem::absolute(file).lexically_normal();
  for (unsigned i = 0; i < links_max; ++i) {
    const std::string directory = at.parent_path();
    auto found = directories_.find(directory);
    if (found == directories_.end()) {
      const int wd = ::inotify_add_watch(fd_, directory.c_str(), interesting | IN_ONLYDIR);
      if (wd < 0) return;
      found = directories_.emplace(directory, wd).first;
    }
    names_[found->second].insert(at.filename());
    std::error_code failed;
    const std::filesystem::path target = std::filesystem::read_symlink(at, failed);
    if (failed) return;
    at = (at.parent_path() / target).lexically_normal();
  }
}

void file_watch::watch(const std::vector<std::string>& files) {
  names_.clear();
  const auto before = std::exchange(directories_, {});
  for (const std::string& one : files) add(one);
  for (const auto& [directory, wd] : before) {
    if (!directories_.contains(directory)) ::inotify_rm_watch(fd_, wd);
  }
}

bool file_watch::is_ours(const char* events, std::size_t bytes) const {
  while (bytes >= sizeof(inotify_event)) {
    inotify_event event;
    __builtin_memcpy(&event, events, sizeof event);
    const auto names = names_.find(event.wd);
    if (event.mask & IN_Q_OVERFLOW) return true;
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
