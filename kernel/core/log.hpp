// The kernel's own words: levels, a ring that syslog(2) and /proc/kmsg show, and the consoles behind it.
#pragma once

#include <string_view>

#include "kernel/core/format.hpp"

namespace pulse {

/// As in Linux's <n> prefixes, so that the same loglevel= means the same.
enum class LogLevel : u8 { Emergency = 0, Error = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7 };

/// Where log lines go. Called with interrupts off; must not sleep or allocate.
class Console {
 public:
  virtual void write(std::string_view text) = 0;
  Console* next = nullptr;

 protected:
  ~Console() = default;
};

/// Adds a console. It gets what is in the ring already.
void add_console(Console& console);
/// What is in the ring, in bytes since boot: lines, each with its level in front as "<6>".
struct LogRange {
  u64 begin = 0, end = 0;
};
inline constexpr std::size_t log_bytes = 64 * 1024;  ///< the ring's
[[nodiscard]] LogRange log_range();
/// A byte of the range.
[[nodiscard]] char log_byte(u64 at);
[[nodiscard]] LogLevel console_level();
/// Only lines of this level or a lower number go to consoles; the ring keeps all.
void set_console_level(LogLevel level);
void write_log_line(LogLevel level, std::string_view text, std::span<const FormatArgument> arguments);
/// Straight to all consoles, whatever the level: panics and the system's last words.
void write_consoles(std::string_view text);

template <class... Arguments>
void log(LogLevel level, std::string_view text, const Arguments&... arguments) {
  if constexpr (sizeof...(arguments) == 0) {
    write_log_line(level, text, {});
  } else {
    const FormatArgument list[] = {FormatArgument(arguments)...};
    write_log_line(level, text, list);
  }
}
template <class... Arguments>
void log_info(std::string_view text, const Arguments&... arguments) {
  log(LogLevel::Info, text, arguments...);
}
template <class... Arguments>
void log_warning(std::string_view text, const Arguments&... arguments) {
  log(LogLevel::Warning, text, arguments...);
}

}  // namespace pulse
