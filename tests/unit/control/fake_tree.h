// A directory that stands for / of a machine, with files a test puts there.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace rw::control {

class fake_tree {
 public:
  fake_tree() {
    std::string made = (std::filesystem::temp_directory_path() / "rw-tree-XXXXXX").string();
    root_ = ::mkdtemp(made.data());
  }
  ~fake_tree() { std::filesystem::remove_all(root_); }
  fake_tree(const fake_tree&) = delete;
  fake_tree& operator=(const fake_tree&) = delete;

  std::string root() const { return root_.string(); }

  // A file, with the directories above it; paths begin with a slash.
  void put(const std::string& path, std::string_view text) const {
    make_above(path);
    std::ofstream(root() + path, std::ios::binary) << text;
  }
  // A link, which may lead out of the tree.
  void link(const std::string& path, const std::string& to) const {
    make_above(path);
    std::filesystem::create_symlink(to, root() + path);
  }
  void drop(const std::string& path) const { std::filesystem::remove_all(root() + path); }
  bool has(const std::string& path) const { return std::filesystem::exists(root() + path); }
  // What is in a file; empty when there is none.
  std::string text(const std::string& path) const {
    std::ostringstream all;
    all << std::ifstream(root() + path, std::ios::binary).rdbuf();
    return all.str();
  }
  unsigned mode(const std::string& path) const {
    return static_cast<unsigned>(std::filesystem::status(root() + path).permissions());
  }

 private:
  void make_above(const std::string& path) const {
    std::filesystem::create_directories(std::filesystem::path(root() + path).parent_path());
  }
  std::filesystem::path root_;
};

}  // namespace rw::control
