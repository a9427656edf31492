#include "kernel/arch/x86_64/page_fault.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/fixups.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/log.hpp"
#include "kernel/core/process.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"

namespace pulse {

namespace {

// Bits of the error code (SDM vol. 3A §4.7).
constexpr unsigned write_bit = 1, reserved_bit = 3, fetch_bit = 4;

AddressSpace::Access access_of(u64 error) {
  if (bit(error, fetch_bit)) return AddressSpace::Access::Execute;
  return bit(error, write_bit) ? AddressSpace::Access::Write : AddressSpace::Access::Read;
}

}  // namespace

bool handle_page_fault(Frame& frame) {
  const u64 address = read_cr2();
  Thread& thread = current_thread();
  if (address >= USER_END || thread.process == nullptr || bit(frame.error, reserved_bit)) {
    if (!frame.from_user()) return false;
    force_signal(signal::segmentation, {vitrine::abi::signal_code::not_mapped, 0, address});
    return true;
  }
  const auto result = thread.process->space->fault(address, access_of(frame.error));
  if (result == AddressSpace::Fault::Resolved) return true;
  if (!frame.from_user()) return fix_up(frame);
  log(LogLevel::Debug, "{} ({}) may not touch {:#x} at {:#x}", static_cast<const char*>(thread.name), thread.number,
      address, frame.rip);
  namespace code = vitrine::abi::signal_code;
  switch (result) {
    case AddressSpace::Fault::NoMemory:
      force_signal(signal::kill);
      break;
    case AddressSpace::Fault::BehindFile:
      force_signal(signal::bus, {code::no_such_address, 0, address});
      break;
    default:
      force_signal(signal::segmentation,
                   {result == AddressSpace::Fault::NotMapped ? code::not_mapped : code::forbidden, 0, address});
  }
  return true;
}

}  // namespace pulse
