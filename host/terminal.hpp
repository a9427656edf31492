// The terminal in raw mode, for a guest that wants every key; given back as it was on every way out.
#pragma once

#include <cstddef>
#include <optional>

#include "base/types.hpp"

namespace vitrine {

/// Does a person sit at standard input?
[[nodiscard]] bool standard_input_is_terminal();
/// Does a person read standard output, or standard error?
[[nodiscard]] bool standard_output_is_terminal();
[[nodiscard]] bool standard_error_is_terminal();
/// Do standard output and standard error end in the same place, be it a terminal, a file or a pipe?
[[nodiscard]] bool outputs_meet();

/// Columns of standard error's terminal: at least 20; 80 if it does not tell.
[[nodiscard]] std::size_t standard_error_width();

/// Puts the terminal of standard input into raw mode while it lives. Also restored when the program ends by exit() or
/// by a signal that means a crash. Output processing stays on, so that our own messages look right.
class RawTerminal {
 public:
  RawTerminal();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  /// False if standard input is no terminal (then this object does nothing).
  [[nodiscard]] bool active() const;

  /// Restores at once. Safe in a signal handler; does nothing when there is nothing to restore.
  static void restore_now();
};

/// Finds our own commands among the keys: Ctrl-A and one more.
class EscapeKeys {
 public:
  enum class Command : u8 {
    Send,         ///< `byte` goes to the guest
    Wait,         ///< the key began a command, or meant nothing
    Leave,        ///< Ctrl-A x
    Help,         ///< Ctrl-A h, or ?
    PowerButton,  ///< Ctrl-A p
    NmiButton,    ///< Ctrl-A n
  };
  struct Result {
    Command command;
    u8 byte;
  };
  static constexpr u8 prefix = 1;  ///< Ctrl-A
  Result feed(u8 byte);

 private:
  bool after_prefix_ = false;
};

}  // namespace vitrine
