// What the admin socket answers a command.
#pragma once

#include <string>

namespace rw::control {

struct admin_answer {
  bool done = false;
  std::string text;
  std::string json;  // empty: what `text` says is said in JSON as lines
};

}  // namespace rw::control
