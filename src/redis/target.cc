#include "redis/target.h"

#include <algorithm>
#include <cstring>

namespace rw::redis {

bool is_same(const target& a, const target& b) noexcept {
  const auto same_address = [](const config::address& one, const config::address& other) {
    return one.length == other.length && std::memcmp(&one.socket, &other.socket, one.length) == 0;
  };
  const bool same_password = a.password && b.password
                                 ? equal_in_constant_time(a.password->view(), b.password->view())
                                 : a.password == b.password;
  return same_password && a.tls == b.tls && a.tls_name == b.tls_name &&
         std::ranges::equal(a.addresses, b.addresses, same_address);
}

}  // namespace rw::redis
