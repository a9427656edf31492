// IN, OUT, INS, OUTS (SDM vol. 1 ch. 19; vol. 2).
#include "base/bits.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/repeat.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

bool port_allowed(Cpu& cpu, u16 port, unsigned size) {
  const CpuState& state = cpu.state;
  if (!state.protected_mode() || (cpu.cpl <= state.iopl() && !state.v86())) return true;
  const auto deny = [&cpu] {
    cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
    return false;
  };
  // The bitmap of the TSS: its offset is at byte 102, and a last byte of ones closes it (SDM vol. 1 §19.5.2).
  const bool wide = (state.tr.type() & 8) != 0;
  if (!state.tr.usable || !wide || state.tr.limit < 103) return deny();
  u16 map = 0;
  if (!cpu.read_system(state.tr.base + 102, &map, 2)) return false;
  const u32 byte = map + port / 8u;
  if (byte + 1 > state.tr.limit) return deny();
  u16 permissions = 0;
  if (!cpu.read_system(state.tr.base + byte, &permissions, 2)) return false;
  const u32 mask = ((1u << size) - 1) << (port & 7);
  return (permissions & mask) == 0 || deny();
}

namespace {

/// I/O breakpoints: DR7.RW = 10 with CR4.DE (SDM vol. 3B §17.2.4).
void check_port_breakpoints(Cpu& cpu, u16 port, unsigned size) {
  CpuState& state = cpu.state;
  if ((state.dr[7] & 0xFF) == 0 || (state.cr4 & cr4_bit::de) == 0) return;
  for (unsigned i = 0; i < 4; ++i) {
    if (bits(state.dr[7], 2 * i + 1, 2 * i) == 0 || bits(state.dr[7], 17 + 4 * i, 16 + 4 * i) != 2) continue;
    const u64 code = bits(state.dr[7], 19 + 4 * i, 18 + 4 * i);
    const u64 length = code == 2 ? 8 : code + 1;
    const u64 start = state.dr[i] & ~(length - 1);
    if (port < start + length && start < port + u64{size}) state.pending_debug |= u64{1} << i;
  }
}

void begin_port_access(Cpu& cpu, const Operation& operation, u16 port, unsigned size) {
  cpu.sync(&operation);
  cpu.device_accessed = true;
  check_port_breakpoints(cpu, port, size);
}

template <PortFrom P>
u16 port_of(const Cpu& cpu, const Operation& operation) {
  if constexpr (P == PortFrom::Immediate) return static_cast<u8>(operation.immediate);
  return static_cast<u16>(cpu.state.gpr[rdx]);
}

u64 address_cut(const Operation& operation, u64 value) {
  return operation.address_size == 8   ? value
         : operation.address_size == 4 ? static_cast<u32>(value)
                                       : static_cast<u16>(value);
}

/// RSI, RDI and RCX in the width of the address size; a 32-bit one clears the upper half.
void write_address_register(Cpu& cpu, const Operation& operation, RegisterSlot slot, u64 value) {
  switch (operation.address_size) {
    case 2:
      write_register<u16>(cpu, static_cast<RegisterByte>(slot * 8), static_cast<u16>(value));
      break;
    case 4:
      write_register<u32>(cpu, static_cast<RegisterByte>(slot * 8), static_cast<u32>(value));
      break;
    default:
      cpu.state.gpr[slot] = value;
      break;
  }
}

bool repeats(const Operation& operation) { return (operation.extra & (prefix::repeat | prefix::repeat_not_zero)) != 0; }

/// After one element: moves the index, counts down. Each element is an instruction of its own in time, and between two
/// of them interrupts are taken.
Outcome end_element(Cpu& cpu, const Operation& operation, RegisterSlot index, unsigned size) {
  const i64 step = cpu.state.has(flag::direction) ? -static_cast<i64>(size) : static_cast<i64>(size);
  write_address_register(cpu, operation, index, cpu.state.gpr[index] + static_cast<u64>(step));
  if (!repeats(operation)) return Outcome::Stop;
  const u64 left = address_cut(operation, cpu.state.gpr[rcx]) - 1;
  write_address_register(cpu, operation, rcx, left);
  return left == 0 ? Outcome::Stop : leave_between_iterations(cpu, operation);
}

bool nothing_to_do(const Cpu& cpu, const Operation& operation) {
  return repeats(operation) && address_cut(operation, cpu.state.gpr[rcx]) == 0;
}

}  // namespace

template <class T, PortFrom P>
Outcome port_in(Cpu& cpu, const Operation& operation) {
  const u16 port = port_of<P>(cpu, operation);
  if (!port_allowed(cpu, port, sizeof(T))) return Outcome::Fault;
  begin_port_access(cpu, operation, port, sizeof(T));
  write_register<T>(cpu, rax * 8, static_cast<T>(cpu.ports.read(Port(port), AccessSize(sizeof(T)))));
  return Outcome::Stop;
}

template <class T, PortFrom P>
Outcome port_out(Cpu& cpu, const Operation& operation) {
  const u16 port = port_of<P>(cpu, operation);
  if (!port_allowed(cpu, port, sizeof(T))) return Outcome::Fault;
  begin_port_access(cpu, operation, port, sizeof(T));
  cpu.ports.write(Port(port), AccessSize(sizeof(T)), read_register<T>(cpu, rax * 8));
  return Outcome::Stop;
}

template <class T>
Outcome port_in_string(Cpu& cpu, const Operation& operation) {
  if (nothing_to_do(cpu, operation)) return Outcome::Next;
  const auto port = static_cast<u16>(cpu.state.gpr[rdx]);
  u64 linear;
  // The destination must be known to be writable before the port is read: that can't be taken back.
  if (!port_allowed(cpu, port, sizeof(T)) ||
      !segment_to_linear(cpu, es, address_cut(operation, cpu.state.gpr[rdi]), sizeof(T), Access::Write, linear) ||
      !cpu.can_access(&operation, linear, sizeof(T), Access::Write)) {
    return Outcome::Fault;
  }
  begin_port_access(cpu, operation, port, sizeof(T));
  const T value = static_cast<T>(cpu.ports.read(Port(port), AccessSize(sizeof(T))));
  if (!write_linear(cpu, operation, linear, value)) return Outcome::Fault;
  return end_element(cpu, operation, rdi, sizeof(T));
}

template <class T>
Outcome port_out_string(Cpu& cpu, const Operation& operation) {
  if (nothing_to_do(cpu, operation)) return Outcome::Next;
  const auto port = static_cast<u16>(cpu.state.gpr[rdx]);
  u64 linear;
  T value;
  if (!port_allowed(cpu, port, sizeof(T)) ||
      !segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), address_cut(operation, cpu.state.gpr[rsi]),
                         sizeof(T), Access::Read, linear) ||
      !read_linear(cpu, operation, linear, value)) {
    return Outcome::Fault;
  }
  begin_port_access(cpu, operation, port, sizeof(T));
  cpu.ports.write(Port(port), AccessSize(sizeof(T)), value);
  return end_element(cpu, operation, rsi, sizeof(T));
}

#define VITRINE_PORT_INSTANCES(T)                                            \
  template Outcome port_in<T, PortFrom::Immediate>(Cpu&, const Operation&);  \
  template Outcome port_in<T, PortFrom::Dx>(Cpu&, const Operation&);         \
  template Outcome port_out<T, PortFrom::Immediate>(Cpu&, const Operation&); \
  template Outcome port_out<T, PortFrom::Dx>(Cpu&, const Operation&);        \
  template Outcome port_in_string<T>(Cpu&, const Operation&);                \
  template Outcome port_out_string<T>(Cpu&, const Operation&)
VITRINE_PORT_INSTANCES(u8);
VITRINE_PORT_INSTANCES(u16);
VITRINE_PORT_INSTANCES(u32);
#undef VITRINE_PORT_INSTANCES

}  // namespace vitrine
