// Descriptors that go with bytes from one process to another, over a unix socket (SCM_RIGHTS,
// unix(7)).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace rw::net {

inline constexpr std::size_t passed_at_once = 200;  // the kernel takes SCM_MAX_FD, 253

// As sendmsg(2), errno and all, to `where` or to whom the socket is connected to. `fds` (up to
// passed_at_once) go with the first octet, and stay the caller's.
ssize_t send_passing(int socket, std::string_view bytes, std::span<const int> fds, int flags,
                     const sockaddr* where = nullptr, socklen_t length = 0) noexcept;

// As recvmsg(2), errno and all. What has come with the bytes is put behind `fds`, close-on-exec,
// and the caller's; EMSGSIZE: there was more than passed_at_once.
ssize_t receive_passed(int socket, std::span<char> room, std::vector<int>& fds);

}  // namespace rw::net
