// The exit statuses of the command (scripts rely on them), and how it complains: one line that says what, where, and
// what to do.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace vitrine {

namespace status {
inline constexpr int success = 0;        ///< the stop condition was met, or the guest switched itself off
inline constexpr int usage = 64;         ///< a wrong command line
inline constexpr int not_a_guest = 65;   ///< the image is not a guest that we can run
inline constexpr int no_input = 66;      ///< a file can't be read
inline constexpr int internal = 70;      ///< our own fault, or the host's: memory, disk, closed output
inline constexpr int budget = 80;        ///< --max-time or --max-instructions is used up
inline constexpr int triple_fault = 81;  ///< the CPU shut down
inline constexpr int check_failed = 82;  ///< --check-fatal, and the sanitizer found an error or a warning
inline constexpr int halted = 83;        ///< HLT, and nothing can wake it
inline constexpr int signal_base = 128;  ///< plus the signal that stopped the run
}  // namespace status

/// Prints on standard error. That it is closed or full changes nothing: nobody is left to be told (fmt::print throws).
template <class... Values>
void tell(fmt::format_string<Values...> format, Values&&... values) {
  const std::string text = fmt::format(format, std::forward<Values>(values)...);
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

/// Prints "vitrine: <message>" on standard error and returns `exit_status`.
inline int complain(int exit_status, std::string_view message) {
  tell("vitrine: {}\n", message);
  return exit_status;
}

}  // namespace vitrine
