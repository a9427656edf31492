#include "apps/run_input.hpp"

#include "apps/status.hpp"
#include "machine/devices/system_control/system_control_b.hpp"

namespace vitrine {

namespace {

/// From one key event of --keys to the next: nobody types faster, and some guests poll.
constexpr u64 key_interval = 10'000'000;

}  // namespace

RunInput::RunInput(const RunOptions& options)
    : options_(options),
      uses_standard_input_(options.serial == "stdio"),
      interactive_(uses_standard_input_ && standard_input_is_terminal()) {}

bool RunInput::feed(Machine& machine) {
  if (uses_standard_input_) input_.poll();
  const bool more = feed_serial(machine);
  feed_keys(machine);
  inject_what_is_due(machine);
  return more;
}

std::optional<u64> RunInput::next_due() const {
  if (next_input_ == options_.timed_inputs.size()) return std::nullopt;
  return options_.timed_inputs[next_input_].time.value;
}

/// Obeys what a person says to us, whether or not the guest listens. What is left is the guest's.
void RunInput::read_terminal(Machine& machine) {
  while (const auto byte = input_.next()) {
    const EscapeKeys::Result result = escape_keys_.feed(*byte);
    switch (result.command) {
      case EscapeKeys::Command::Send:
        typed_.push_back(result.byte);
        break;
      case EscapeKeys::Command::Wait:
        break;
      case EscapeKeys::Command::Leave:
        left_ = true;
        break;
      case EscapeKeys::Command::Help:
        if (on_print) on_print();
        tell(
            "\n[vitrine] Ctrl-A x  leave    Ctrl-A Ctrl-A  send Ctrl-A    Ctrl-A p  power button\n"
            "          Ctrl-A n  NMI button    Ctrl-A h  this help\n");
        break;
      case EscapeKeys::Command::PowerButton:
        machine.inject({.kind = InputKind::PowerButton});
        break;
      case EscapeKeys::Command::NmiButton:
        machine.inject({.kind = InputKind::Nmi, .value = static_cast<u64>(SystemControlB::NmiSource::Button)});
        break;
    }
  }
}

/// Gives the guest the next byte if it wants one. True if it wants more, and there is more.
bool RunInput::feed_serial(Machine& machine) {
  if (interactive_) read_terminal(machine);
  const auto waiting = [&] { return interactive_ ? !typed_.empty() : !input_.empty(); };
  if (!waiting() || !machine.serial_wants_input(0)) return false;
  u8 byte = 0;
  if (interactive_) {
    byte = typed_.front();
    typed_.pop_front();
  } else {
    byte = *input_.next();
  }
  machine.inject({.kind = InputKind::SerialByte, .port = 0, .value = byte});
  return waiting() && machine.serial_wants_input(0);
}

void RunInput::feed_keys(Machine& machine) {
  const u64 now = machine.clock().now().value;
  if (next_key_ >= options_.keys.size() || now < key_due_ || !machine.keyboard_wants_input()) return;
  const KeyStroke& stroke = options_.keys[next_key_++];
  if (stroke.scan_codes != 0) machine.inject({.kind = InputKind::KeyScan, .value = stroke.scan_codes});
  if (stroke.motion) machine.inject({.kind = InputKind::MouseMotion, .value = *stroke.motion});
  key_due_ = now + key_interval + stroke.pause;
}

void RunInput::inject_what_is_due(Machine& machine) {
  for (; next_input_ < options_.timed_inputs.size(); ++next_input_) {
    const Input& input = options_.timed_inputs[next_input_];
    if (input.time > machine.clock().now()) return;
    machine.inject(input);
  }
}

}  // namespace vitrine
