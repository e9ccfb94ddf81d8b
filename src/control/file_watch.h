// Notices that a file was changed, however its editor does it: in place or by renaming another over
// it. Watches directories, since a watch on a file ends with the file.
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

  // From now on these, and no others; files that are not there may come. Every link on the way is
  // watched, so that a swapped one in between (as Kubernetes' `..data`) is seen too.
  void watch(const std::vector<std::string>& files);
  // Until one of them was changed, and then was quiet for a moment. False: end() was called.
  io::task<bool> changed();
  void end();

 private:
  void add(const std::string& file);
  bool add_name(const std::string& directory, const std::string& name);
  void follow();
  bool is_ours(const char* events, std::size_t bytes) const;

  io::loop& loop_;
  int fd_;
  std::unordered_map<int, std::unordered_set<std::string>> names_;  // by watch descriptor
  std::vector<std::string> files_;
  io::operation* under_way_ = nullptr;
  bool ended_ = false;
};

}  // namespace rw::control
