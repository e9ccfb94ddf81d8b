// What is looked at on the way to a file: each link, and at the end the file itself.
#pragma once

#include <functional>
#include <string>

namespace rw::control {

// Calls `each` with a directory, absolute and without a link in it, and the name that is looked up
// there: of a link, before it is read, and at last of the file, or of what has to come before the
// file can. Ends when `each` says false. Blocks on the disk.
void walk_to(
    const std::string& file,
    const std::function<bool(const std::string& directory, const std::string& name)>& each);

}  // namespace rw::control
