#include "control/system_calls.h"

#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>

namespace rw::control {
namespace {

// Whatever their arguments are. Names that this libseccomp does not know are -1 and passed over.
constexpr std::array always = {
    // Memory: malloc, secrets, rings.
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
    SCMP_SYS(mlock2), SCMP_SYS(munlock),
    // Threads, their names and places, and what the C library does for each of them.
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address), SCMP_SYS(futex),
    SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_getparam), SCMP_SYS(sched_setparam),
    SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min), SCMP_SYS(membarrier),
    SCMP_SYS(getcpu), SCMP_SYS(exit), SCMP_SYS(exit_group),
    // Signals.
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    SCMP_SYS(signalfd4),
    // `ringward profile`: a timer on the CPU clock of each worker.
    SCMP_SYS(timer_create), SCMP_SYS(timer_settime), SCMP_SYS(timer_delete),
    // Time, where the vDSO does not answer.
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrusage),
    // Who it is and where: for what it says of files that it cannot read.
    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups),
    SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getcwd), SCMP_SYS(capget), SCMP_SYS(getrandom),
    // Files: configuration, secrets, state, logs. Which, is Landlock's to say.
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(read),
    SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64),
    SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
    SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
    SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    SCMP_SYS(mkdir), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fchmod),
    SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe2),
    SCMP_SYS(splice), SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch),
    // Sockets: names, the service manager, what the ring does not do. No accept: the ring does it.
    // And listen(2) until seal_rings(): a socket gets its queue right before workers begin.
    SCMP_SYS(listen), SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2),
    // The rings of workers; seal_rings() comes once they are made, and needs the last one itself.
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    SCMP_SYS(seccomp)};

// No version of any library here has a harmless reason for one of these: they are what follows a
// break-in, and a process that was broken into is to end.
constexpr std::array deadly = {SCMP_SYS(execve),
                               SCMP_SYS(execveat),
                               SCMP_SYS(ptrace),
                               SCMP_SYS(process_vm_readv),
                               SCMP_SYS(process_vm_writev),
                               SCMP_SYS(pidfd_getfd),
                               SCMP_SYS(bpf),
                               SCMP_SYS(init_module),
                               SCMP_SYS(finit_module),
                               SCMP_SYS(kexec_load),
                               SCMP_SYS(kexec_file_load),
                               SCMP_SYS(mount),
                               SCMP_SYS(umount2),
                               SCMP_SYS(move_mount),
                               SCMP_SYS(pivot_root),
                               SCMP_SYS(chroot),
                               SCMP_SYS(setns),
                               SCMP_SYS(unshare),
                               SCMP_SYS(setuid),
                               SCMP_SYS(setgid),
                               SCMP_SYS(setresuid),
                               SCMP_SYS(setresgid),
                               SCMP_SYS(setgroups),
                               SCMP_SYS(userfaultfd),
                               SCMP_SYS(perf_event_open),
                               SCMP_SYS(add_key),
                               SCMP_SYS(keyctl)};

class filter {
 public:
  explicit filter(std::uint32_t otherwise) noexcept : made_(::seccomp_init(otherwise)) {
    if (made_ == nullptr) code_ = -ENOMEM;
    set(SCMP_FLTATR_CTL_NNP, 0);       // privileges.cc has done that
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree, not a list
  }
  filter(const filter&) = delete;
  filter& operator=(const filter&) = delete;
  ~filter() { ::seccomp_release(made_); }

  void set(scmp_filter_attr what, std::uint32_t to) noexcept {
    if (code_ == 0) code_ = ::seccomp_attr_set(made_, what, to);
  }
  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> when = {}) noexcept {
    if (code_ != 0 || call == __NR_SCMP_ERROR) return;
    const int code = ::seccomp_rule_add_array(made_, action, call,
                                              static_cast<unsigned>(when.size()), when.begin());
    // One that this architecture does not have needs no rule.
    if (code != -EDOM) code_ = code;
  }
  int load() noexcept {
    if (code_ == 0) code_ = ::seccomp_load(made_);
    return -code_;
  }

 private:
  scmp_filter_ctx made_;
  int code_ = 0;
};

scmp_arg_cmp has_none_of(unsigned argument, std::uint64_t bits) noexcept {
  return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}
scmp_arg_cmp has_all_of(unsigned argument, std::uint64_t bits) noexcept {
  return {argument, SCMP_CMP_MASKED_EQ, bits, bits};
}
scmp_arg_cmp is(unsigned argument, int value) noexcept {
  return {argument, SCMP_CMP_EQ, static_cast<scmp_datum_t>(value), 0};
}

void add_some_arguments(filter& to) noexcept {
  constexpr std::uint32_t allow = SCMP_ACT_ALLOW;
  // Its own threads alone.
  to.add(allow, SCMP_SYS(tgkill), {is(0, ::getpid())});
  // Memory that is written is never run: no code comes after the start.
  to.add(allow, SCMP_SYS(mmap), {has_none_of(2, PROT_EXEC)});
  to.add(allow, SCMP_SYS(mprotect), {has_none_of(2, PROT_EXEC)});
  // Threads, and no processes.
  to.add(allow, SCMP_SYS(clone), {has_all_of(0, CLONE_THREAD | CLONE_VM)});
  for (const int one : {PR_SET_NAME, PR_GET_NAME}) {
    to.add(allow, SCMP_SYS(prctl), {is(0, one)});
  }
  // Limits are read, and its own.
  to.add(allow, SCMP_SYS(prlimit64), {is(0, 0), is(2, 0)});
  to.add(allow, SCMP_SYS(getrlimit));
  for (const int one : {AF_UNIX, AF_INET, AF_INET6}) {
    to.add(allow, SCMP_SYS(socket), {is(0, one)});
  }
  to.add(allow, SCMP_SYS(socketpair), {is(0, AF_UNIX)});
  for (const int one : {FIONBIO, FIONREAD, TCGETS, SIOCOUTQ, SIOCGIFINDEX, SIOCGIFNAME}) {
    to.add(allow, SCMP_SYS(ioctl), {is(1, one)});
  }
}

}  // namespace

int filter_system_calls() noexcept {
  // clone3 hides its flags in memory; the C library takes clone instead. In a filter of its own,
  // which keeps it out of the kernel's log.
  filter without_clone3(SCMP_ACT_ALLOW);
  without_clone3.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  if (const int failed = without_clone3.load()) return failed;
  filter made(SCMP_ACT_ERRNO(ENOSYS));
  made.add(SCMP_ACT_ALLOW, SCMP_SYS(clone3));
  // What was refused is in the kernel's log or audit's: a call that an operator's C library makes
  // and this list lacks must not be a riddle. Kernels bound how often they say it.
  made.set(SCMP_FLTATR_CTL_LOG, 1);
  for (const int one : always) made.add(SCMP_ACT_ALLOW, one);
  for (const int one : deadly) made.add(SCMP_ACT_KILL_PROCESS, one);
  add_some_arguments(made);
  return made.load();
}

int seal_rings() noexcept {
  filter made(SCMP_ACT_ALLOW);
  made.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup));
  made.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp));
  made.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(listen));
  made.set(SCMP_FLTATR_CTL_TSYNC, 1);
  return made.load();
}

}  // namespace rw::control
