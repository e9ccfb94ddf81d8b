#include "control/crash_report.h"

#include <elf.h>
#include <link.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <span>

namespace rw::control {
namespace {

constexpr std::size_t frames_max = 48;
constexpr std::size_t files_max = 32;
constexpr std::size_t name_max = 48;

// A file that is mapped, as it was when report_crashes() was called: the dynamic linker's own list
// is behind a lock that the thread that crashed may hold.
struct mapped_file {
  std::array<char, name_max> name;
  std::uintptr_t base;
  std::uintptr_t begin;
  std::uintptr_t end;
};

// Written before there are other threads, and then only read.
std::array<mapped_file, files_max> files;
std::size_t files_known = 0;
std::array<char, 64> build;
std::size_t build_size = 0;

// Nothing that allocates, locks or formats by locale may be called where a signal was caught.
struct line_buffer {
  std::array<char, 8192> bytes;
  std::size_t size = 0;

  void add(std::string_view text) noexcept {
    const std::size_t fits = std::min(text.size(), bytes.size() - size);
    std::memcpy(bytes.data() + size, text.data(), fits);
    size += fits;
  }
  void add(std::uintptr_t number, int base) noexcept {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.begin(), digits.end(), number, base).ptr;
    add({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  void write() const noexcept {
    for (std::size_t done = 0; done < size;) {
      const ssize_t wrote = ::write(STDERR_FILENO, bytes.data() + done, size - done);
      if (wrote <= 0) return;
      done += static_cast<std::size_t>(wrote);
    }
  }
};

struct stack {
  std::array<std::uintptr_t, frames_max> at;
  std::size_t size = 0;
};

_Unwind_Reason_Code take_frame(_Unwind_Context* context, void* into) {
  stack& found = *static_cast<stack*>(into);
  int before = 0;  // in a frame that a signal interrupted the address is the instruction itself
  const std::uintptr_t ip = _Unwind_GetIPInfo(context, &before);
  if (ip == 0 || found.size == found.at.size()) return _URC_END_OF_STACK;
  found.at[found.size++] = before != 0 ? ip : ip - 1;  // else the call, not what follows it
  return _URC_NO_REASON;
}

void add_frame(line_buffer& to, std::uintptr_t ip) noexcept {
  for (const mapped_file& one : std::span(files).first(files_known)) {
    if (ip < one.begin || ip >= one.end) continue;
    to.add(one.name.data());
    to.add("+0x");
    to.add(ip - one.base, 16);
    return;
  }
  to.add("0x");
  to.add(ip, 16);
}

void add_stack(line_buffer& to) noexcept {
  stack found;
  _Unwind_Backtrace(take_frame, &found);
  std::array<char, 17> thread{};
  ::prctl(PR_GET_NAME, thread.data());
  to.add(" in thread ");
  to.add(thread.data());
  to.add(", build ");
  to.add(build_id());
  to.add("\n");
  // The first is this function's caller, the handler.
  for (std::size_t i = 1; i < found.size; ++i) {
    to.add("ringward:   ");
    add_frame(to, found.at[i]);
    to.add("\n");
  }
}

std::string_view name_of(int signal) noexcept {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "SIGABRT";
  }
}

// SA_RESETHAND: the signal that comes again, from the same instruction or from raise(), ends the
// process as it would have without us.
void on_crash(int signal, siginfo_t* about, void*) noexcept {
  line_buffer said;
  said.add("ringward: fatal: ");
  said.add(name_of(signal));
  if (about->si_code <= 0) {
    said.add(" sent by process ");
    said.add(static_cast<std::uintptr_t>(about->si_pid), 10);
  } else {
    said.add(" at 0x");
    said.add(reinterpret_cast<std::uintptr_t>(about->si_addr), 16);
  }
  add_stack(said);
  said.write();
  ::raise(signal);
}

void on_stack_signal(int) noexcept {
  const int before = errno;
  line_buffer said;
  said.add("ringward: warning: the stack");
  add_stack(said);
  said.write();
  errno = before;
}

void take_build_id(const dl_phdr_info& of, const ElfW(Phdr) & notes) noexcept {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the linker says by number where they are
  const char* at = reinterpret_cast<const char*>(of.dlpi_addr + notes.p_vaddr);
  const char* end = at + notes.p_memsz;
  constexpr auto padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) head;
    std::memcpy(&head, at, sizeof head);
    const char* name = at + sizeof head;
    const char* id = name + padded(head.n_namesz);
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
      for (std::size_t i = 0; i < head.n_descsz && build_size + 2 <= build.size(); ++i) {
        const auto octet = static_cast<unsigned char>(id[i]);
        build[build_size++] = "0123456789abcdef"[octet >> 4U];
        build[build_size++] = "0123456789abcdef"[octet & 15U];
      }
      return;
    }
    at = id + padded(head.n_descsz);
  }
}

int take_file(dl_phdr_info* of, std::size_t, void*) noexcept {
  if (files_known == files.size()) return 1;
  mapped_file& one = files[files_known];
  one = {};
  one.base = of->dlpi_addr;
  for (const ElfW(Phdr) & part : std::span(of->dlpi_phdr, of->dlpi_phnum)) {
    if (part.p_type == PT_NOTE && files_known == 0 && build_size == 0) take_build_id(*of, part);
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    one.begin = of->dlpi_addr + part.p_vaddr;
    one.end = one.begin + part.p_memsz;
  }
  const char* path = of->dlpi_name;
  const char* slash = std::strrchr(path, '/');
  const char* name = files_known == 0 ? "ringward" : slash != nullptr ? slash + 1 : path;
  std::strncpy(one.name.data(), name, one.name.size() - 1);
  ++files_known;
  return 0;
}

void handle(int signal, struct sigaction how) noexcept {
  struct sigaction before{};
  ::sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_DFL) ::sigaction(signal, &how, nullptr);
}

}  // namespace

std::string_view build_id() noexcept {
  if (files_known == 0) ::dl_iterate_phdr(take_file, nullptr);
  return {build.data(), build_size};
}

int stack_signal() noexcept { return SIGURG; }

void report_crashes() noexcept {
  build_id();
  stack first;
  _Unwind_Backtrace(take_frame, &first);  // what it loads and allocates at its first call
  struct sigaction how{};
  how.sa_sigaction = on_crash;
  how.sa_flags = SA_SIGINFO | static_cast<int>(SA_RESETHAND) | SA_NODEFER;
  for (const int one : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) handle(one, how);
  struct sigaction on_request{};
  on_request.sa_handler = on_stack_signal;
  on_request.sa_flags = SA_RESTART;
  handle(stack_signal(), on_request);
}

}  // namespace rw::control
