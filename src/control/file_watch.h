// Notices that a file was changed, however its editor does it: in place or by renaming another over
// it, or by leading a link on the way to it elsewhere. Watches directories, since a watch on a file
// ends with the file.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "io/loop.h"
#include "io/task.h"

namespace rw::control {

class file_watch {
 public:
  explicit file_watch(io::loop& on);
  ~file_watch();
  file_watch(const file_watch&) = delete;
  file_watch& operator=(const file_watch&) = delete;

  // From now on these, and no others. Each name on the way is looked at, so that a swapped link to
  // a directory (`current -> release-2`, Kubernetes' `..data`) is seen too. To be called again
  // after each change, since the way may be another one by then.
  void watch(const std::vector<std::string>& files);
  // Until one of them was changed, and then was quiet for a moment. False: end() was called.
  io::task<bool> changed();
  void end();

 private:
  struct reading;
  void add(const std::string& file);
  void watch_name(const std::string& directory, const std::string& name);
  bool is_ours(const char* events, std::size_t bytes) const;

  io::loop& loop_;
  int fd_;
  std::unordered_map<int, std::unordered_set<std::string>> names_;  // by watch descriptor
  std::unordered_map<std::string, int> directories_;
  io::operation* under_way_ = nullptr;
  bool ended_ = false;
};

}  // namespace rw::control
