// What the forms of IRET share: the frame that is left, and the last step.
#pragma once

#include <cstring>
#include <optional>

#include "machine/cpu/access.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

/// The five slots of IRETQ's frame at once, if they are RAM that can be read without further ado.
inline bool read_frame64(const Cpu& cpu, const Operation& operation, u64 (&slots)[5]) {
  if (!cpu.mode.is64() || operation.operand_size != sizeof(u64)) return false;
  const u8* host = cpu.host_pointer(cpu.state.gpr[rsp], sizeof slots, Access::Read);
  if (host == nullptr) return false;
  std::memcpy(slots, host, sizeof slots);
  return true;
}

/// Which flags IRET may change (SDM vol. 2, IRET).
inline u32 writable_flags(const Cpu& cpu, unsigned operand_size) {
  u32 writable = flag::status | flag::trap | flag::direction | flag::nested_task | flag::resume |
                 flag::alignment_check | flag::identification;
  if (cpu.cpl <= cpu.state.iopl()) writable |= flag::interrupt;
  if (cpu.cpl == 0) writable |= flag::iopl | flag::virtual_interrupt | flag::virtual_interrupt_pending;
  return operand_size == 2 ? writable & 0xFFFF : writable;
}

/// The frame that an IRET leaves.
struct Popped {
  u64 instruction = 0;  ///< linear address of the IRET
  u64 frame = 0;        ///< linear address of the first slot
  FrameImage image;
};

enum class SegmentsThen : u8 { Loaded, Same };

/// What all forms of IRET end with. `flags` are complete; mode and stack have been set but for update_mode().
inline Outcome finish_return(Cpu& cpu, u32 flags, const Popped& popped, SegmentsThen segments = SegmentsThen::Loaded) {
  CpuState& state = cpu.state;
  const bool was_set = state.has(flag::interrupt);
  const bool nmi_was_blocked = state.nmi_blocked;
  const u32 changed = state.other_flags ^ flags;
  state.nmi_blocked = false;
  state.set_flags(flags);
  if (segments == SegmentsThen::Loaded || (changed & (flag::virtual_8086 | flag::alignment_check)) != 0) {
    cpu.update_mode();
  }
  cpu.interrupt_flag_changed(was_set, popped.instruction);
  note_return(cpu, popped.frame, popped.image, popped.instruction);
  // With no budget left a cut, and perhaps an interrupt, comes before the next instruction.
  const bool look = cpu.attention() || cpu.stepping() || nmi_was_blocked || cpu.alone || cpu.budget <= 0;
  if (look) return Outcome::JumpStop;
  state.other_flags &= ~flag::resume;  // the run loop does it when the next instruction begins; here that is now
  return Outcome::Jump;
}

}  // namespace vitrine
