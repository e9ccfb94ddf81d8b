// Memory whose end is the end of the world: the page behind it cannot be read.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string_view>

namespace rw::http::test {

class guarded {
 public:
  static constexpr std::size_t size = 256U << 10U;

  guarded() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    void* at =
        mmap(nullptr, size + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("mmap");
    begin_ = static_cast<char*>(at);
    if (mprotect(begin_ + size, page_, PROT_NONE) != 0) throw std::runtime_error("mprotect");
  }
  ~guarded() { munmap(begin_, size + page_); }
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;

  // A copy of `text` that ends where the unreadable page begins.
  std::string_view hold(std::string_view text) {
    char* at = begin_ + size - text.size();
    if (!text.empty()) std::memmove(at, text.data(), text.size());
    return {at, text.size()};
  }

  // `octets` to write to, likewise.
  std::span<char> room(std::size_t octets) { return {begin_ + size - octets, octets}; }

 private:
  std::size_t page_;
  char* begin_ = nullptr;
};

}  // namespace rw::http::test
