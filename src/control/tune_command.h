// `ringward tune`: the words of the command line, and what is printed.
#pragma once

#include <string>

namespace rw::control {

struct tune_options {
  enum class action { list, check, apply, revert };
  action what = action::list;
  std::string profile;  // a name or a path; only list and revert do without
  std::string state = "/var/lib/ringward";
  unsigned workers = 0;  // that advice is given for; 0: one for each CPU this process may use
};

// The exit status. Listing: 0, or 1 for a profile that cannot be read. Check: 0 in order, 1 not, 2
// for a profile that cannot be read. Apply and revert: 0, or 1 when something of it was not done.
int run_tune(const tune_options& options);

}  // namespace rw::control
