// Who asks most of a gate: gathered from its workers, for `ringward top` and the admin page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/top_view.h"
#include "io/task.h"

namespace rw::control {

class process;

inline constexpr std::size_t top_callers_max = 100;  // rows

// Of the control thread: over the last seconds, as gateway::top_callers counts them, those with the
// most requests first. A caller without an identity is "address 192.0.2.1", which no identity can
// be. Workers that hang, or a gate that stops, have none.
io::task<std::vector<top_row>> find_top_callers(process& of);

top_table callers_table(std::vector<top_row> rows);

// A line for each row, its numbers and its name with tabs between, and back: what is no such line
// is passed over.
std::string callers_text(const std::vector<top_row>& rows);
std::vector<top_row> read_callers(std::string_view text);

}  // namespace rw::control
