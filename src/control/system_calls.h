// Which system calls the process has left (seccomp(2), by libseccomp).
#pragma once

namespace rw::control {

// From now on the calling thread, and every thread that it starts, has the calls of the list in
// system_calls.cc alone. Others answer ENOSYS, as those of a newer kernel would, which the C
// library is ready for; those that start programs, or reach into others and the kernel, end the
// process. Needs no_new_privs. The errno, or 0.
int filter_system_calls() noexcept;

// And no ring beside those that there are: one made later would know no restrictions. For all
// threads. The errno, or 0.
int seal_rings() noexcept;

}  // namespace rw::control
