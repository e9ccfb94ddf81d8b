// What the process may do beyond what its user may do: given up before there is a second thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rw::control {

struct privileges {
  int none_new = 0;          // errno of PR_SET_NO_NEW_PRIVS; 0: what is started gains nothing
  int dropped = 0;           // errno of capset(2); 0: but for `keeps_files` there are none left
  bool keeps_files = false;  // CAP_DAC_OVERRIDE stays: see drop_privileges()
};

// Before that the process may lose what it needs later: threads that hash may leave the class of
// idle ones at the end (RLIMIT_NICE), which others than root cannot do by default.
void allow_leaving_idle() noexcept;

// Root becomes that user, with the groups it has, and keeps CAP_NET_BIND_SERVICE alone, until
// drop_privileges(). Before a second thread. The errno, or 0.
int become(uid_t user, gid_t group);

// What a service manager gives for ports below 1024 is ambient: it lasts over exec(3), and is gone
// once the program is executed without it, which takes no capset(2), so that the manager can keep
// that away. Executes this program anew, by `arguments`, with a net::bind_helper that has what is
// given up. Returns where that is not all that is ambient, for others may be needed until the
// lockdown, of root, and when it cannot be done: then drop_privileges() is left. Before a second
// thread, and before there is anything to lose.
void shed_ambient(const std::vector<std::string>& arguments);

// Puts the program that this process runs in its own place. Returns the errno when that fails.
int execute_this_program(const std::vector<std::string>& arguments);

// Sets no_new_privs, and empties all sets of capabilities of the calling thread, whose threads
// inherit that. `can_do_without` is asked when none is in effect any more: false keeps
// CAP_DAC_OVERRIDE, by which root reaches what belongs to others. It must start no thread.
privileges drop_privileges(const std::function<bool()>& can_do_without);

}  // namespace rw::control
