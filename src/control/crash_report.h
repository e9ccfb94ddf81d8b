#pragma once

#include <string_view>

namespace rw::control {

// From here on, a thread that cannot go on (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) first writes
// to standard error which one it is, the build, and its stack as offsets into files; addresses
// alone, so nothing secret. Then the signal takes its usual course: whoever started the process
// sees what it died of. A handler that is there already, a sanitizer's, stays. Called once, before
// other threads are there. docs/operations.md says how a stack is read.
void report_crashes() noexcept;

// The signal that has a thread write its stack, and go on; see workers::report_stalled(). Nobody
// else's, and ignored where there is no handler.
int stack_signal() noexcept;

// What the linker made of the program's bytes, in hexadecimal; empty when it made nothing. The
// package of debugging symbols is found by it.
std::string_view build_id() noexcept;

}  // namespace rw::control
