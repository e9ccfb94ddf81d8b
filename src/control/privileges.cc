#include "control/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "net/bind_helper.h"

namespace rw::control {
namespace {

// libcap would be a library for these two calls.
using both_halves = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

bool get_capabilities(both_halves& of) noexcept {
  __user_cap_header_struct about{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return ::syscall(SYS_capget, &about, of.data()) == 0;
}

bool set_capabilities(const both_halves& to) noexcept {
  __user_cap_header_struct about{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return ::syscall(SYS_capset, &about, to.data()) == 0;
}

constexpr __u32 files_bit = 1U << CAP_DAC_OVERRIDE;

}  // namespace

void allow_leaving_idle() noexcept {
  constexpr rlim_t ordinary = 20;  // nice 0, as getrlimit(2) counts
  rlimit nice{};
  if (::getrlimit(RLIMIT_NICE, &nice) != 0 || nice.rlim_cur >= ordinary) return;
  nice.rlim_cur = ordinary;
  if (nice.rlim_max < ordinary) nice.rlim_max = ordinary;
  ::setrlimit(RLIMIT_NICE, &nice);  // CAP_SYS_RESOURCE; without, they stay as they are
}

int become(uid_t user, gid_t group) {
  const passwd* known = ::getpwuid(user);
  const int grouped = known != nullptr ? ::initgroups(known->pw_name, group) : ::setgroups(0, {});
  if (grouped != 0 || ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
      ::setresgid(group, group, group) != 0 || ::setresuid(user, user, user) != 0) {
    return errno;
  }
  both_halves ports{};
  ports[0].permitted = ports[0].effective = 1U << CAP_NET_BIND_SERVICE;
  return set_capabilities(ports) ? 0 : errno;
}

void shed_ambient(const std::vector<std::string>& arguments) {
  if (::geteuid() == 0) return;
  for (unsigned long one = 0; one <= CAP_LAST_CAP; ++one) {
    const bool has = ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, one, 0, 0) == 1;
    if (has != (one == CAP_NET_BIND_SERVICE)) return;
  }
  net::bind_helper helper = net::bind_helper::start();
  if (!helper.there() || ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return;
  helper.leave_to_next();
  execute_this_program(arguments);
}

int execute_this_program(const std::vector<std::string>& arguments) {
  std::error_code none;
  std::string program = std::filesystem::read_symlink("/proc/self/exe", none);
  std::vector<char*> words = {program.data()};
  for (const std::string& one : arguments) words.push_back(const_cast<char*>(one.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  // Its file has been replaced, as by a package: this one is what it was.
  ::execv("/proc/self/exe", words.data());
  return errno;
}

privileges drop_privileges(const std::function<bool()>& can_do_without) {
  privileges left;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) left.none_new = errno;
  both_halves held{};
  if (!get_capabilities(held)) {
    left.dropped = errno;
    return left;
  }
  if (std::ranges::all_of(held, [](const auto& half) { return half.permitted == 0; })) return left;
  const bool could_keep = (held[0].permitted & files_bit) != 0;
  both_halves asleep = held;
  for (auto& half : asleep) half.effective = 0;
  if (could_keep && set_capabilities(asleep)) left.keeps_files = !can_do_without();
  // The bounding set counts for what is started alone, and nothing is: but it costs nothing, and
  // takes CAP_SETPCAP, so before the rest.
  set_capabilities(held);
  for (unsigned long one = 0; ::prctl(PR_CAPBSET_READ, one, 0, 0, 0) >= 0; ++one) {
    ::prctl(PR_CAPBSET_DROP, one, 0, 0, 0);
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  both_halves kept{};
  if (left.keeps_files) kept[0].permitted = kept[0].effective = files_bit;
  if (!set_capabilities(kept)) left.dropped = errno;
  return left;
}

}  // namespace rw::control
