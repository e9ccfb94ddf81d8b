// A gate that has started gives up what it does not need any more (docs/lockdown.md): a hole in it
// is then not one in the machine.
#pragma once

#include <string>
#include <vector>

#include "control/ledger.h"
#include "control/reach.h"
#include "io/ring.h"

namespace rw::control {

// One entry for each part: what is in force and, as its cost, what is not and why.
using lockdown_parts = std::vector<ledger_entry>;

// Of the calling thread and of all that it starts from now on, for good: to be called when what
// listens is open and before there is a second thread. What this machine does not have is left out
// and said. `rings`: one of the process's, which says whether rings know restrictions.
lockdown_parts lock_down(const reach& to, const io::ring& rings);

// When all threads have their rings: none is made any more. An entry like the others.
ledger_entry lock_rings();

// Whether what Landlock keeps the process from counts: it is in force.
bool keeps_within(const lockdown_parts& parts) noexcept;
bool keeps_to_ports(const lockdown_parts& parts) noexcept;

// All in one line, for `ringward status`.
ledger_entry sum_up(const lockdown_parts& parts);

}  // namespace rw::control
