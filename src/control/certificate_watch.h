// Certificates that are about to end: said 30, 7 and 1 days before, and when it is too late.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "observe/exposition.h"

namespace rw::control {

// Of the control thread.
class certificate_watch {
 public:
  struct notice {
    std::string chain;  // the path
    std::string text;   // "/c.pem: the certificate of listener https expires in 6 days"
    bool is_new;        // the chain is seen for the first time: who read it has warned already
  };
  // What is to be said now; each of it once for a certificate. Of one that is seen for the first
  // time, the last of the bounds that it has passed. Often.
  std::vector<notice> look(std::span<const observe::certificate_end> all, wall_time now);

 private:
  // What was said last of a chain that ends then: the number of bounds passed.
  std::map<std::pair<std::string, wall_time>, std::size_t> said_;
};

}  // namespace rw::control
