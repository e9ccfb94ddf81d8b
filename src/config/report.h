// Collects what is wrong with a configuration, so that all of it can be said in one go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/place.h"

namespace rw::config {

class report {
 public:
  // The index by which places refer to the file.
  std::uint32_t add_file(std::string name);
  const std::vector<std::string>& files() const noexcept { return files_; }

  void error(place at, std::string key, std::string text);
  void warning(place at, std::string key, std::string text);

  // "conf.d/10-base.toml:3:1"
  std::string describe(place at) const;
  bool has_error() const noexcept { return has_error_; }

  // Everything said, in order of file, line and column.
  diagnostics take();

 private:
  struct entry {
    place at;
    std::size_t order;  // in which it was said
    diagnostic what;
  };

  void add(diagnostic::level severity, place at, std::string key, std::string text);

  std::vector<std::string> files_;
  std::vector<entry> entries_;
  std::size_t left_out_ = 0;
  bool has_error_ = false;
};

}  // namespace rw::config
