// Terminals as devices: opening one, controlling terminals of sessions, and what processes are to a terminal.
#pragma once

#include <optional>

#include "kernel/fs/devices.hpp"
#include "kernel/fs/terminal.hpp"

namespace pulse {

/// What the system is to a terminal, whatever shows its output.
class ProcessTerminalHost : public TerminalHost {
 public:
  void signal_group(u32 group, u32 number) override;
  [[nodiscard]] u32 current_group() override;
  [[nodiscard]] u32 current_session() override;
  [[nodiscard]] u32 session_of_group(u32 group) override;
  [[nodiscard]] bool ignores(u32 number) override;
  [[nodiscard]] Result<void> copy_out(u64 address, const void* from, std::size_t size) override;
  [[nodiscard]] Result<void> copy_in(void* to, u64 address, std::size_t size) override;
};

/// Known to /dev/tty; the first one is /dev/console until set_console_terminal() says otherwise.
void register_terminal(Terminal& terminal);
void set_console_terminal(Terminal& terminal);
/// /dev/tty and /dev/console.
void register_terminal_devices();

/// For those whose leader ended.
void release_terminal_of(u32 session);

inline constexpr u32 open_without_controlling = 0x100;  // O_NOCTTY
/// The first leader of a session that opens a terminal without having one gets it, unless `flags` say not.
[[nodiscard]] Result<Ref<File>> open_terminal(Terminal& terminal, u32 flags);

}  // namespace pulse
