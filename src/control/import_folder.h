// The two folders of an import: the old system's, of which nothing outside is read, and the new
// one, in which nothing that is there is written over.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/import_note.h"

namespace rw::control {

// Blocks on the disk. Errors are sentences.
class old_folder {
 public:
  static std::expected<old_folder, std::string> open(const std::string& path);
  old_folder(old_folder&& other) noexcept;
  old_folder& operator=(old_folder&&) = delete;
  ~old_folder();

  // A regular file of at most `bytes_max`, whole; nothing when it is not there or, with a note,
  // when it cannot be read or a link leads out of the folder.
  std::optional<std::string> read(const std::string& name, std::size_t bytes_max,
                                  import_notes& out) const;
  bool has(const std::string& name) const;
  const std::string& path() const noexcept { return path_; }  // absolute, without links

 private:
  old_folder(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_;
  std::string path_;
};

// Made when it is not there, in a folder that is; empty otherwise. Unless keep() was called, what
// was written goes with this object, and so does the folder if it made it. Blocks on the disk.
class new_folder {
 public:
  static std::expected<new_folder, std::string> make(const std::string& path);
  new_folder(new_folder&& other) noexcept;
  new_folder& operator=(new_folder&&) = delete;
  ~new_folder();

  // A new file: never one that is there, nor through a link.
  std::expected<void, std::string> write(const std::string& name, std::string_view text,
                                         unsigned mode);
  void keep() noexcept { keeps_ = true; }
  const std::string& path() const noexcept { return path_; }  // absolute, without links

 private:
  new_folder(int fd, bool made, std::string path) : fd_(fd), made_(made), path_(std::move(path)) {}

  int fd_;
  bool made_;
  bool keeps_ = false;
  std::string path_;
  std::vector<std::string> written_;
};

}  // namespace rw::control
