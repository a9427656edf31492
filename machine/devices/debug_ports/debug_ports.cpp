#include "machine/devices/debug_ports/debug_ports.hpp"

namespace vitrine {

DebugPorts::DebugPorts(DeviceContext context, Outputs& outputs, MachineControl& control)
    : context_(context), outputs_(outputs), control_(control) {}

u64 DebugPorts::peek(Region region, u64, AccessSize) const {
  switch (static_cast<Window>(region.value)) {
    case Window::PostCode:
      return state_.post_code;
    case Window::Console:
      return 0xE9;
    case Window::Exit:
      break;
  }
  return 0;
}

void DebugPorts::write(Region region, u64 offset, AccessSize, u64 value) {
  switch (static_cast<Window>(region.value)) {
    case Window::PostCode:
      state_.post_code = static_cast<u8>(value);
      outputs_.byte_out(Channel::PostCode, state_.post_code);
      break;
    case Window::Console:
      outputs_.byte_out(Channel::DebugConsole, static_cast<u8>(value));
      break;
    case Window::Exit:
      if (offset != 0) break;  // the upper bytes of a wider write that the bus has split
      context_.ledger.append({.address = context_.ledger.context.address,
                              .extra = value,
                              .kind = RecordKind::GuestExit,
                              .source = context_.source.value});
      control_.request_exit(ExitKind::GuestExit, static_cast<u32>(value));
      break;
  }
}

void DebugPorts::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.post_code);
}

}  // namespace vitrine
