// `ringward COMMAND`: from words to what is run.
#pragma once

namespace rw::control {

// The whole program. The exit status: 0, 1 for what failed, 2 for words nobody understands.
int run_command_line(int argc, char** argv);

}  // namespace rw::control
