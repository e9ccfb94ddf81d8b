// Unpredictable bytes from the kernel by way of libsodium. Any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace rw {

// Must run once, before any thread starts; aborts when the kernel has no entropy to give.
void random_init();

void random_bytes(std::span<std::byte> out) noexcept;

// `length` characters of 0-9A-Za-z, each drawn without bias: 5.95 bits apiece.
std::string random_base62(std::size_t length);

}  // namespace rw
