// Assertions for programmer errors, kept in release builds. Bytes from outside never reach one.
#pragma once

namespace rw {

// Prints file, line and the expression to stderr and aborts. Any thread.
[[noreturn]] void assert_failed(const char* file, int line, const char* expression) noexcept;

}  // namespace rw

#define RW_ASSERT(expression)                                 \
  (__builtin_expect(!!(expression), 1) ? static_cast<void>(0) \
                                       : ::rw::assert_failed(__FILE__, __LINE__, #expression))
