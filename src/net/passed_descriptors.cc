#include "net/passed_descriptors.h"

#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace rw::net {
namespace {

using room_for_all = std::array<std::byte, CMSG_SPACE(passed_at_once * sizeof(int))>;

}  // namespace

ssize_t send_passing(int socket, std::string_view bytes, std::span<const int> fds, int flags,
                     const sockaddr* where, socklen_t length) noexcept {
  alignas(cmsghdr) room_for_all control{};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(where);
  message.msg_namelen = length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fds.size() > passed_at_once) {
    errno = EINVAL;
    return -1;
  }
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
  }
  return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t receive_passed(int socket, std::span<char> room, std::vector<int>& fds) {
  alignas(cmsghdr) room_for_all control{};
  iovec part{room.data(), room.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t bytes = one->cmsg_len - CMSG_LEN(0);
    const std::size_t before = fds.size();
    fds.resize(before + bytes / sizeof(int));
    std::memcpy(fds.data() + before, CMSG_DATA(one), bytes);
  }
  if ((message.msg_flags & MSG_CTRUNC) == 0) return got;
  errno = EMSGSIZE;
  return -1;
}

}  // namespace rw::net
