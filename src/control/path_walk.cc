#include "control/path_walk.h"

#include <algorithm>
#include <filesystem>
#include <vector>

namespace rw::control {
namespace {

constexpr unsigned links_max = 16;

}  // namespace

void walk_to(
    const std::string& file,
    const std::function<bool(const std::string& directory, const std::string& name)>& each) {
  namespace fs = std::filesystem;
  const fs::path whole = fs::absolute(file);
  std::vector<fs::path> todo(whole.begin(), whole.end());  // the next one is the last
  std::reverse(todo.begin(), todo.end());
  fs::path at;  // has no link in it
  for (unsigned links = 0; !todo.empty();) {
    const fs::path name = std::move(todo.back());
    todo.pop_back();
    if (name.is_absolute()) {
      at = name;
    } else if (name == "..") {
      at = at.parent_path();
    } else if (!name.empty() && name != ".") {
      std::error_code failed;
      const fs::file_status what = fs::symlink_status(at / name, failed);
      const bool is_link = fs::is_symlink(what);
      if (!is_link && fs::is_directory(what)) {
        at /= name;
        continue;
      }
      // A link, the file itself, or what has to come before the file can.
      if (!each(at, name) || !is_link || ++links > links_max) return;
      const fs::path target = fs::read_symlink(at / name, failed);
      const std::vector<fs::path> steps(target.begin(), target.end());
      todo.insert(todo.end(), steps.rbegin(), steps.rend());
    }
  }
}

}  // namespace rw::control
