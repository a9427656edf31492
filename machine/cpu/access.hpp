// How instruction functions reach registers and memory, and how they become handlers.
//
// Every function here that returns bool returns false when the access faulted (or must be made alone): the caller then
// returns Outcome::Fault at once, having changed nothing.
#pragma once

#include <cstring>

#include "machine/cpu/cpu.hpp"

#define VITRINE_INLINE [[gnu::always_inline]] inline

namespace vitrine {

/// How a memory operand's address is computed; chosen at decode time.
enum class Address : u8 {
  Flat64,   ///< 64-bit code, 64-bit address, base 0
  Flat32,   ///< 32-bit code and address, all segments flat
  General,  ///< anything: address size, segment base and limit, real and virtual-8086 mode
};

// --- leaving a block (run.cpp) ------------------------------------------------------------------------------------
[[clang::preserve_none]] void leave_fault(Cpu& cpu, const Operation* operation);
[[clang::preserve_none]] void leave_stop(Cpu& cpu, const Operation* operation);
[[clang::preserve_none]] void leave_jump(Cpu& cpu, const Operation* operation);
[[clang::preserve_none]] void leave_jump_stop(Cpu& cpu, const Operation* operation);

/// A branch whose link slot holds no valid block: the run loop finds the target and fills the slot.
[[clang::preserve_none]] void leave_link(Cpu& cpu, const Operation* slot);
[[clang::preserve_none]] void leave_budget(Cpu& cpu, const Operation* first);
/// The end of a part of a block (run_part).
[[clang::preserve_none]] void end_of_part(Cpu& cpu, const Operation* operation);

VITRINE_INLINE const Block* block_of(const Operation* first) {
  return reinterpret_cast<const Block*>(reinterpret_cast<const u8*>(first) - offsetof(Block, operations));
}

/// Enters the block at state.rip whose first operation is `first`, if the budget allows.
[[clang::preserve_none]] inline void enter_block(Cpu& cpu, const Operation* first) {
  const Block* block = block_of(first);
  cpu.budget -= block->count;
  if (cpu.budget < 0) [[unlikely]] {
    [[clang::musttail]] return leave_budget(cpu, first);
  }
  cpu.block = block;
  cpu.state.gpr[block_rip_slot] = cpu.state.rip;
  [[clang::musttail]] return first->handler(cpu, first);
}

/// Follows a direct branch; state.rip is set. `slot` remembers the target block.
[[clang::preserve_none]] inline void follow_link(Cpu& cpu, const Operation* slot) {
  if (slot->link != nullptr && slot->displacement == static_cast<i32>(cpu.generations[slot->extra])) [[likely]] {
    [[clang::musttail]] return enter_block(cpu, slot->link->operations);
  }
  [[clang::musttail]] return leave_link(cpu, slot);
}

/// Makes a handler of an operation's function. `Function` must be inlinable; the switch folds to what it can return.
template <auto Function>
[[clang::preserve_none]] void handle(Cpu& cpu, const Operation* operation) {
  switch (Function(cpu, *operation)) {
    case Outcome::Next:
      [[clang::musttail]] return operation[1].handler(cpu, operation + 1);
    case Outcome::Fault:
      [[clang::musttail]] return leave_fault(cpu, operation);
    case Outcome::Stop:
      [[clang::musttail]] return leave_stop(cpu, operation);
    case Outcome::Jump:
      [[clang::musttail]] return leave_jump(cpu, operation);
    case Outcome::JumpStop:
      [[clang::musttail]] return leave_jump_stop(cpu, operation);
  }
  __builtin_unreachable();
}

// --- registers ------------------------------------------------------------------------------------------------------

/// The register's value by its lowest byte (so AH is reg<u8> with byte 1).
template <class T>
VITRINE_INLINE T read_register(const Cpu& cpu, RegisterByte byte) {
  T value;
  std::memcpy(&value, reinterpret_cast<const u8*>(cpu.state.gpr) + byte, sizeof(T));
  return value;
}

/// Writes a register; a 32-bit write clears the upper half (SDM vol. 1 §3.4.1.1).
template <class T>
VITRINE_INLINE void write_register(Cpu& cpu, RegisterByte byte, T value) {
  if constexpr (sizeof(T) == 4) {
    const u64 wide = value;
    std::memcpy(reinterpret_cast<u8*>(cpu.state.gpr) + byte, &wide, sizeof wide);
  } else {
    std::memcpy(reinterpret_cast<u8*>(cpu.state.gpr) + byte, &value, sizeof value);
  }
}

// --- linear memory ---------------------------------------------------------------------------------------------------

/// `Slow`: who reads what the fast path can't. &Cpu::load_slow where the operation accesses nothing else.
template <auto Slow = &Cpu::read_slow, class T>
VITRINE_INLINE bool read_linear(Cpu& cpu, const Operation& operation, u64 linear, T& value) {
  const TlbEntry& entry = cpu.tlb->read[TlbBank::data_slot(linear)];
  if (((linear + sizeof(T) - 1) & ~u64{0xFFF}) == entry.tag) [[likely]] {
    std::memcpy(&value, reinterpret_cast<const void*>(linear + entry.addend), sizeof(T));
    return true;
  }
  return (cpu.*Slow)(&operation, linear, &value, sizeof(T));
}

/// `Slow`: who writes what the fast path can't. &Cpu::store_slow where the operation does nothing more afterwards.
template <auto Slow = &Cpu::write_slow, class T>
VITRINE_INLINE bool write_linear(Cpu& cpu, const Operation& operation, u64 linear, const T& value) {
  const TlbEntry& entry = cpu.tlb->write[TlbBank::data_slot(linear)];
  if (((linear + sizeof(T) - 1) & ~u64{0xFFF}) == entry.tag) [[likely]] {
    std::memcpy(reinterpret_cast<void*>(linear + entry.addend), &value, sizeof(T));
    return true;
  }
  return (cpu.*Slow)(&operation, linear, &value, sizeof(T));
}

/// Read, change, write back: `change(T) -> T` runs only when neither half can fail any more.
template <class T, class Change>
VITRINE_INLINE bool update_linear(Cpu& cpu, const Operation& operation, u64 linear, Change&& change) {
  const TlbEntry& entry = cpu.tlb->write[TlbBank::data_slot(linear)];
  if (((linear + sizeof(T) - 1) & ~u64{0xFFF}) == entry.tag) [[likely]] {
    void* host = reinterpret_cast<void*>(linear + entry.addend);
    T value;
    std::memcpy(&value, host, sizeof(T));
    value = change(value);
    std::memcpy(host, &value, sizeof(T));
    return true;
  }
  T value;
  if (!cpu.read_for_write_slow(&operation, linear, &value, sizeof(T))) return false;
  value = change(value);
  return cpu.write_slow(&operation, linear, &value, sizeof(T));
}

// --- the CPU's own accesses: with the supervisor's view, without its extra pages (SDM vol. 3A §4.6) -----------------

VITRINE_INLINE u8* fast_pointer(const TlbBank& bank, u64 linear, unsigned size, Access access) {
  const TlbEntry& entry = (access == Access::Write ? bank.write : bank.read)[TlbBank::data_slot(linear)];
  const bool holds = ((linear + size - 1) & ~u64{0xFFF}) == entry.tag;
  return holds ? reinterpret_cast<u8*>(linear + entry.addend) : nullptr;
}

inline u8* Cpu::host_pointer(u64 linear, unsigned size, Access access) const {
  return fast_pointer(*tlb, linear, size, access);
}
inline u8* Cpu::system_pointer(u64 linear, unsigned size, Access access) const {
  return fast_pointer(banks_[static_cast<unsigned>(MemoryView::Supervisor)], linear, size, access);
}

VITRINE_INLINE bool Cpu::read_system(u64 linear, void* into, unsigned size) {
  if (!state.long_mode()) linear = static_cast<u32>(linear);
  const u8* host = system_pointer(linear, size, Access::Read);
  if (host == nullptr) [[unlikely]]
    return system_slow(linear, into, size, Access::Read);
  std::memcpy(into, host, size);
  return true;
}
VITRINE_INLINE bool Cpu::write_system(u64 linear, const void* from, unsigned size) {
  if (!state.long_mode()) linear = static_cast<u32>(linear);
  u8* host = system_pointer(linear, size, Access::Write);
  if (host == nullptr) [[unlikely]]
    return system_slow(linear, const_cast<void*>(from), size, Access::Write);
  std::memcpy(host, from, size);
  return true;
}

// --- operands
// ----------------------------------------------------------------------------------------------------------

/// Offset part of the effective address, cut to the address size (what LEA gives).
template <Address A>
VITRINE_INLINE u64 effective_address(const Cpu& cpu, const Operation& operation) {
  const u64 sum = cpu.state.gpr[operation.base] + (cpu.state.gpr[operation.index] << operation.scale) +
                  static_cast<u64>(static_cast<i64>(operation.displacement));
  if constexpr (A == Address::Flat64) return sum;
  if constexpr (A == Address::Flat32) return static_cast<u32>(sum);
  return operation.address_size == 8   ? sum
         : operation.address_size == 4 ? static_cast<u32>(sum)
                                       : static_cast<u16>(sum);
}

/// Segment check and base for any mode. memory.cpp.
[[nodiscard]] bool segment_to_linear(Cpu& cpu, SegmentIndex segment, u64 offset, unsigned size, Access access,
                                     u64& linear);

/// The operand's linear address; false if the segment refuses it.
template <Address A>
VITRINE_INLINE bool operand_address(Cpu& cpu, const Operation& operation, unsigned size, Access access, u64& linear) {
  const u64 offset = effective_address<A>(cpu, operation);
  if constexpr (A == Address::General) {
    if (cpu.mode.is64()) {
      linear = operation.segment >= fs ? offset + cpu.state.segments[operation.segment].base : offset;
      return true;
    }
    return segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, size, access, linear);
  }
  linear = offset;
  return true;
}

template <Address A, auto Slow = &Cpu::read_slow, class T>
VITRINE_INLINE bool read_memory(Cpu& cpu, const Operation& operation, T& value) {
  u64 linear;
  return operand_address<A>(cpu, operation, sizeof(T), Access::Read, linear) &&
         read_linear<Slow>(cpu, operation, linear, value);
}

template <Address A, auto Slow = &Cpu::write_slow, class T>
VITRINE_INLINE bool write_memory(Cpu& cpu, const Operation& operation, const T& value) {
  u64 linear;
  return operand_address<A>(cpu, operation, sizeof(T), Access::Write, linear) &&
         write_linear<Slow>(cpu, operation, linear, value);
}

template <Address A, class T, class Change>
VITRINE_INLINE bool update_memory(Cpu& cpu, const Operation& operation, Change&& change) {
  u64 linear;
  return operand_address<A>(cpu, operation, sizeof(T), Access::Write, linear) &&
         update_linear<T>(cpu, operation, linear, change);
}

// --- stack
// ---------------------------------------------------------------------------------------------------------------- The
// stack pointer's width is that of SS.B, or 64 bits in 64-bit mode (SDM vol. 1 §6.2.3).

/// RSP plus `displacement` as an offset into SS.
VITRINE_INLINE u64 stack_offset(const Cpu& cpu, i64 displacement) {
  const u64 value = cpu.state.gpr[rsp] + static_cast<u64>(displacement);
  if (cpu.mode.is64()) return value;
  return cpu.mode.has(CodeMode::stack32) ? static_cast<u32>(value) : static_cast<u16>(value);
}

VITRINE_INLINE void set_stack_pointer(Cpu& cpu, u64 value) {
  if (cpu.mode.is64()) {
    cpu.state.gpr[rsp] = value;
  } else if (cpu.mode.has(CodeMode::stack32)) {
    cpu.state.gpr[rsp] = static_cast<u32>(value);
  } else {
    write_register<u16>(cpu, rsp * 8, static_cast<u16>(value));
  }
}

VITRINE_INLINE bool stack_to_linear(Cpu& cpu, u64 offset, unsigned size, Access access, u64& linear) {
  if (cpu.mode.is64() || (cpu.mode.has(CodeMode::flat) && cpu.mode.has(CodeMode::stack32))) {
    linear = offset;
    return true;
  }
  return segment_to_linear(cpu, ss, offset, size, access, linear);
}

/// Pushes without moving RSP: writes at RSP - displacement. For instructions that push several values.
template <class T>
VITRINE_INLINE bool write_stack(Cpu& cpu, const Operation& operation, i64 displacement, T value) {
  u64 linear;
  return stack_to_linear(cpu, stack_offset(cpu, displacement), sizeof(T), Access::Write, linear) &&
         write_linear(cpu, operation, linear, value);
}

template <class T>
VITRINE_INLINE bool read_stack(Cpu& cpu, const Operation& operation, i64 displacement, T& value) {
  u64 linear;
  return stack_to_linear(cpu, stack_offset(cpu, displacement), sizeof(T), Access::Read, linear) &&
         read_linear(cpu, operation, linear, value);
}

template <class T>
VITRINE_INLINE bool push(Cpu& cpu, const Operation& operation, T value) {
  if (!write_stack(cpu, operation, -static_cast<i64>(sizeof(T)), value)) return false;
  set_stack_pointer(cpu, cpu.state.gpr[rsp] - sizeof(T));
  return true;
}

template <class T>
VITRINE_INLINE bool pop(Cpu& cpu, const Operation& operation, T& value) {
  if (!read_stack(cpu, operation, 0, value)) return false;
  set_stack_pointer(cpu, cpu.state.gpr[rsp] + sizeof(T));
  return true;
}

// --- instruction pointer
// ------------------------------------------------------------------------------------------------

/// RIP of the instruction itself.
VITRINE_INLINE u64 current_rip(const Cpu& cpu, const Operation& operation) {
  const u64 value = cpu.state.gpr[block_rip_slot] + operation.offset;
  return cpu.mode.is64() ? value : static_cast<u32>(value);
}

/// RIP of the instruction behind it, wrapped as the code size says.
VITRINE_INLINE u64 following_rip(const Cpu& cpu, const Operation& operation) {
  const u64 value = cpu.state.gpr[block_rip_slot] + operation.offset + operation.length;
  return cpu.mode.is64()                            ? value
         : cpu.mode.code_size() == CodeMode::code32 ? static_cast<u32>(value)
                                                    : static_cast<u16>(value);
}

}  // namespace vitrine
