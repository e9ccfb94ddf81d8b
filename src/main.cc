// The program: its parts are in control/ (what runs off the workers) and gateway/ (what runs on
// them).
#include "control/command_line.h"

int main(int argc, char** argv) { return rw::control::run_command_line(argc, argv); }
