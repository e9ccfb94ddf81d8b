// Every worker asked, and waited for.
#pragma once

#include <cstddef>

#include "gateway/question.h"
#include "io/task.h"

namespace rw::control {

class process;

// Of the control thread, while process::ready(). Ends when every worker has answered and what
// `look` returned has been run, or after a second. How many have not answered by then: what these
// return is run all the same, when the one who waits here is gone.
io::task<std::size_t> ask_workers(process& of, gateway::question what);

}  // namespace rw::control
