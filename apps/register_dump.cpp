#include "apps/register_dump.hpp"

#include "machine/cpu/cpu.hpp"

namespace vitrine {

namespace {
constexpr u64 code_bytes = 48;
}

RegisterDump register_dump(const Cpu& cpu, const MemoryBus& memory) {
  const CpuState& state = cpu.state;
  RegisterDump dump;
  const Segment& code = state.segments[cs];
  const bool protected_mode = (state.cr0 & cr0_bit::pe) != 0 && (state.other_flags & flag::virtual_8086) == 0;
  if ((state.efer & efer_bit::lma) != 0 && code.long_mode()) {
    dump.mode = RegisterDump::Mode::Long64;
  } else if (protected_mode) {
    dump.mode = code.big() ? RegisterDump::Mode::Protected32 : RegisterDump::Mode::Protected16;
  }
  for (u32 i = 0; i < dump.general.size(); ++i) dump.general[i] = state.gpr[i];
  dump.rip = state.rip;
  dump.rflags = state.flags();
  dump.linear_rip = dump.mode == RegisterDump::Mode::Long64 ? state.rip : static_cast<u32>(code.base + state.rip);
  dump.cs = code.selector;
  dump.ss = state.segments[ss].selector;
  dump.ds = state.segments[ds].selector;
  dump.es = state.segments[es].selector;
  dump.fs = state.segments[fs].selector;
  dump.gs = state.segments[gs].selector;
  dump.tr = state.tr.selector;
  dump.ldtr = state.ldtr.selector;
  dump.fs_base = state.segments[fs].base;
  dump.gs_base = state.segments[gs].base;
  dump.cr0 = state.cr0;
  dump.cr2 = state.cr2;
  dump.cr3 = state.cr3;
  dump.cr4 = state.cr4;
  dump.efer = state.efer;
  dump.idt_base = state.idtr.base;
  dump.idt_limit = state.idtr.limit;
  dump.gdt_base = state.gdtr.base;
  dump.gdt_limit = state.gdtr.limit;
  dump.privilege = cpu.cpl;
  for (u64 i = 0; i < code_bytes; ++i) {
    u64 physical = 0;
    u8 byte = 0;
    if (!cpu.peek_translate(dump.linear_rip + i, physical)) break;
    if (!memory.read_block(PhysicalAddress(physical), {&byte, 1})) break;
    dump.code.push_back(byte);
  }
  return dump;
}

}  // namespace vitrine
