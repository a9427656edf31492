#include "kernel/fs/terminal_device.hpp"

#include <algorithm>
#include <vector>

#include "kernel/core/process.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/user_memory.hpp"

namespace pulse {

namespace {

constexpr u32 tty_major = 5, current_minor = 0, console_minor = 1;

std::vector<Terminal*> terminals;
Terminal* console = nullptr;

class TerminalFile final : public File {
 public:
  explicit TerminalFile(Terminal& terminal) : terminal_(&terminal) {}
  Result<std::size_t> read(IoBuffer& into) override { return terminal_->read(into); }
  Result<std::size_t> write(IoBuffer& from) override { return terminal_->write(from); }
  Result<u64> control(u32 request, u64 argument) override { return terminal_->control(request, argument); }
  [[nodiscard]] u32 ready() const override { return terminal_->ready(); }
  WaitQueue* wait_queue() override { return &terminal_->wait_queue(); }
  [[nodiscard]] u64 patience(std::size_t moved) const override { return terminal_->patience(moved); }
  [[nodiscard]] bool can_move(u32 events) const override {
    return events == pulse::ready::in ? terminal_->has_input() : File::can_move(events);
  }

 private:
  Terminal* terminal_;
};

bool leads_a_session(const Process* process) { return process != nullptr && process->id == process->session; }

Result<Ref<File>> open_current(Node&, u32 flags) {
  const Process* const process = current_thread().process;
  if (process == nullptr) return fail(Errno::NoDevice6);
  const auto own = std::ranges::find(terminals, process->session, &Terminal::session);
  if (own != terminals.end()) return open_terminal(**own, flags);
  // Not as Linux: a leader without a terminal gets the console, so that a shell in init='s place has job control.
  if (leads_a_session(process) && console != nullptr && console->session == 0) return open_terminal(*console, flags);
  return fail(Errno::NoDevice6);
}

}  // namespace

void ProcessTerminalHost::signal_group(u32 group, u32 number) { send_group_signal(group, number); }
u32 ProcessTerminalHost::current_group() { return current_thread().process != nullptr ? current_process().group : 0; }
u32 ProcessTerminalHost::current_session() {
  return current_thread().process != nullptr ? current_process().session : 0;
}
u32 ProcessTerminalHost::session_of_group(u32 group) {
  const auto member = std::ranges::find(all_processes(), group, &Process::group);
  return member != all_processes().end() ? (*member)->session : 0;
}
bool ProcessTerminalHost::ignores(u32 number) {
  const bool blocked = (current_thread().signal_mask & signal_bit(number)) != 0;
  return blocked || current_process().actions->of[number].handler == vitrine::abi::ignore_handler;
}
Result<void> ProcessTerminalHost::copy_out(u64 address, const void* from, std::size_t size) {
  return copy_to_user(address, from, size);
}
Result<void> ProcessTerminalHost::copy_in(void* to, u64 address, std::size_t size) {
  return copy_from_user(to, address, size);
}

void register_terminal(Terminal& terminal) {
  terminals.push_back(&terminal);
  if (console == nullptr) console = &terminal;
}
void set_console_terminal(Terminal& terminal) { console = &terminal; }

void release_terminal_of(u32 session) {
  for (Terminal* terminal : terminals) {
    if (terminal->session == session) terminal->leave_session();
  }
}

void register_terminal_devices() {
  register_device(device_number(tty_major, current_minor), open_current);
  register_device(device_number(tty_major, console_minor),
                  [](Node&, u32 flags) { return open_terminal(*console, flags); });
}

Result<Ref<File>> open_terminal(Terminal& terminal, u32 flags) {
  const Process* const process = current_thread().process;
  const bool has_one =
      process != nullptr && std::ranges::find(terminals, process->session, &Terminal::session) != terminals.end();
  if (leads_a_session(process) && !has_one && terminal.session == 0 && (flags & open_without_controlling) == 0) {
    terminal.session = process->session;
    terminal.foreground = process->group;
  }
  return Ref<File>(new TerminalFile(terminal));
}

}  // namespace pulse
