// The page of the admin address: one document with all that it needs, made by embed.py.
#pragma once

#include <string_view>

namespace rw::control {

extern const std::string_view page_html;
// Content-Security-Policy of it: nothing but its own script and style, and requests to the gate.
extern const std::string_view page_policy;

}  // namespace rw::control
