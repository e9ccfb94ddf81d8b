// The program's own messages, for people: one line each to stderr, which systemd takes to the
// journal. Not for requests; not on a worker's hot path.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rw::observe {

enum class level : std::uint8_t { error, warning, info, debug };

// As `log.level` has them: "warning", and back.
std::string_view name_of(level one) noexcept;
std::optional<level> level_named(std::string_view name) noexcept;

// Any thread; a line is one write(2).
class log {
 public:
  explicit log(level most = level::info) noexcept : most_(most) {}
  void set_level(level most) noexcept { most_.store(most, std::memory_order_relaxed); }
  level most() const noexcept { return most_.load(std::memory_order_relaxed); }
  bool shows(level one) const noexcept { return one <= most(); }

  // "ringward: warning: TEXT"; control characters in TEXT, which may quote what a file or a client
  // said, become spaces.
  void write(level one, std::string_view text) const;
  void error(std::string_view text) const { write(level::error, text); }
  void warning(std::string_view text) const { write(level::warning, text); }
  void info(std::string_view text) const { write(level::info, text); }
  void debug(std::string_view text) const { write(level::debug, text); }

 private:
  std::atomic<level> most_;
};

}  // namespace rw::observe
