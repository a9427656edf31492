// What a running guest is given: bytes of standard input, the keys of --keys, and the inputs that are due at a time.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "apps/run_options.hpp"
#include "host/input.hpp"
#include "host/terminal.hpp"
#include "machine/boards/machine.hpp"

namespace vitrine {

class RunInput {
 public:
  /// `options` must outlive it.
  explicit RunInput(const RunOptions& options);

  /// Called before the help is printed that a person asked for.
  std::function<void()> on_print;

  /// A person types on a terminal.
  [[nodiscard]] bool interactive() const { return interactive_; }
  /// That person wants to go.
  [[nodiscard]] bool left() const { return left_; }
  /// Injects what has come and is due. True: the guest wants more bytes, and there are more.
  bool feed(Machine& machine);
  /// The time of the next input that is due at one; empty: none is left.
  [[nodiscard]] std::optional<u64> next_due() const;

  /// Standard input may have more than has been taken from it.
  [[nodiscard]] bool is_open() const { return uses_standard_input_ && !input_.at_end(); }
  [[nodiscard]] bool is_used_up() const { return input_.at_end() && input_.empty(); }
  /// As InputStream::wait().
  void wait(u64 nanoseconds, int wake) { input_.wait(nanoseconds, wake); }

 private:
  void read_terminal(Machine& machine);
  bool feed_serial(Machine& machine);
  void feed_keys(Machine& machine);
  void inject_what_is_due(Machine& machine);

  const RunOptions& options_;
  InputStream input_;
  EscapeKeys escape_keys_;
  std::deque<u8> typed_;  // on the terminal, for the guest
  std::size_t next_key_ = 0, next_input_ = 0;
  u64 key_due_ = 0;
  bool uses_standard_input_, interactive_;
  bool left_ = false;
};

}  // namespace vitrine
