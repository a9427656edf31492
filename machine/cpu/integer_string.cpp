// MOVS, STOS, LODS, SCAS, CMPS with REP prefixes (SDM vol. 2, REP). Each iteration takes one nanosecond, and an
// interrupt may come between two of them. INS and OUTS are with the port instructions.
#include <algorithm>

#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"
#include "machine/cpu/repeat.hpp"

namespace vitrine {

namespace {

enum class String : u8 { Movs, Stos, Lods, Scas, Cmps };
enum class Repeat : u8 { Once, Always, WhileEqual, WhileNotEqual };

u64 cut(u64 value, u8 address_size) {
  return address_size == 8 ? value : address_size == 4 ? static_cast<u32>(value) : static_cast<u16>(value);
}

void store_address(Cpu& cpu, u8 slot, u64 value, u8 address_size) {
  if (address_size == 8) {
    cpu.state.gpr[slot] = value;
  } else if (address_size == 4) {
    cpu.state.gpr[slot] = static_cast<u32>(value);
  } else {
    write_register<u16>(cpu, static_cast<RegisterByte>(slot * 8), static_cast<u16>(value));
  }
}

bool linear_of(Cpu& cpu, u8 segment, u64 offset, unsigned size, Access access, u64& linear) {
  if (cpu.mode.is64()) {
    linear = segment >= fs ? offset + cpu.state.segments[segment].base : offset;
    return true;
  }
  return segment_to_linear(cpu, static_cast<SegmentIndex>(segment), offset, size, access, linear);
}

/// Elements that can be moved at once: within the pages, forwards, without the segment's end in between.
u64 run_length(const Cpu& cpu, u64 linear, u64 offset, u64 wanted, unsigned size, u8 segment, u8 address_size) {
  u64 most = (4096 - (linear & 0xFFF)) / size;
  if (!cpu.mode.is64()) {
    const Segment& held = cpu.state.segments[segment];
    if (held.expand_down() || offset > held.limit) return 1;
    most = std::min<u64>(most, (held.limit - offset + u64{1}) / size);
    if (address_size == 2) most = std::min<u64>(most, (0x10000 - offset) / size);
  }
  return std::min(most, wanted);
}

template <String Op, Repeat Kind, class T>
Outcome string(Cpu& cpu, const Operation& operation) {
  constexpr bool repeats = Kind != Repeat::Once;
  constexpr bool reads_source = Op == String::Movs || Op == String::Lods || Op == String::Cmps;
  constexpr bool uses_destination = Op != String::Lods;
  constexpr Access destination_access = Op == String::Movs || Op == String::Stos ? Access::Write : Access::Read;
  const u8 address_size = operation.address_size;
  const bool down = cpu.state.has(flag::direction);
  const u64 step = down ? ~u64{sizeof(T) - 1} : u64{sizeof(T)};

  u64 count = repeats ? cut(cpu.state.gpr[rcx], address_size) : 1;
  if (count == 0) return Outcome::Next;
  // The operation itself is paid for; every further iteration comes out of the budget.
  const u64 affordable = cpu.alone ? 1 : static_cast<u64>(cpu.budget) + 1;
  const u64 most = std::min(count, affordable);
  u64 source = cut(cpu.state.gpr[rsi], address_size);
  u64 destination = cut(cpu.state.gpr[rdi], address_size);
  u64 done = 0;
  bool finished = false;
  bool failed = false;
  while (done < most && !finished) {
    u64 source_linear = 0;
    u64 destination_linear = 0;
    if (reads_source && !linear_of(cpu, operation.segment, source, sizeof(T), Access::Read, source_linear)) {
      failed = true;
      break;
    }
    if (uses_destination && !linear_of(cpu, es, destination, sizeof(T), destination_access, destination_linear)) {
      failed = true;
      break;
    }
    u64 moved = 0;
    if constexpr (Op == String::Movs || Op == String::Stos) {
      if (repeats && !down && most - done > 1) {
        u8* to = cpu.host_pointer(destination_linear, sizeof(T), Access::Write);
        u64 length = to == nullptr
                         ? 0
                         : run_length(cpu, destination_linear, destination, most - done, sizeof(T), es, address_size);
        if constexpr (Op == String::Movs) {
          const u8* from = cpu.host_pointer(source_linear, sizeof(T), Access::Read);
          if (from == nullptr) length = 0;
          length = length == 0
                       ? 0
                       : run_length(cpu, source_linear, source, length, sizeof(T), operation.segment, address_size);
          const u64 bytes = length * sizeof(T);
          if (length == 0) {
            // One of the pointers may be null.
          } else if (to + bytes <= from || from + bytes <= to) {
            std::memcpy(to, from, bytes);
          } else {
            // Overlapping: element by element, as the hardware's result requires.
            for (u64 i = 0; i < length; ++i) {
              T value;
              std::memcpy(&value, from + i * sizeof(T), sizeof(T));
              std::memcpy(to + i * sizeof(T), &value, sizeof(T));
            }
          }
        } else if (length != 0) {
          const T value = read_register<T>(cpu, rax * 8);
          if constexpr (sizeof(T) == 1) {
            std::memset(to, value, length);
          } else {
            for (u64 i = 0; i < length; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof(T));
          }
        }
        moved = length;
      }
    }
    if (moved == 0) {
      moved = 1;
      T value{};
      T other{};
      bool good = true;
      if constexpr (reads_source) good = read_linear(cpu, operation, source_linear, value);
      if constexpr (Op == String::Scas || Op == String::Cmps) {
        good = good && read_linear(cpu, operation, destination_linear, other);
      }
      if constexpr (Op == String::Stos) value = read_register<T>(cpu, rax * 8);
      if constexpr (Op == String::Stos || Op == String::Movs) {
        good = good && write_linear(cpu, operation, destination_linear, value);
      }
      if (!good) {
        failed = true;
        break;
      }
      if constexpr (Op == String::Lods) write_register<T>(cpu, rax * 8, value);
      if constexpr (Op == String::Scas) value = read_register<T>(cpu, rax * 8);
      if constexpr (Op == String::Scas || Op == String::Cmps) {
        alu<Alu::Cmp, T>(value, other, cpu.state.status);
        const bool equal = value == other;
        finished = (Kind == Repeat::WhileEqual && !equal) || (Kind == Repeat::WhileNotEqual && equal);
      }
    }
    if constexpr (reads_source) source = cut(source + step * moved, address_size);
    if constexpr (uses_destination) destination = cut(destination + step * moved, address_size);
    done += moved;
  }
  if (done != 0) {
    if constexpr (reads_source) store_address(cpu, rsi, source, address_size);
    if constexpr (uses_destination) store_address(cpu, rdi, destination, address_size);
    if constexpr (repeats) store_address(cpu, rcx, count - done, address_size);
  }
  if (failed) {
    cpu.budget -= static_cast<i64>(done);  // leaving on a fault gives back what this operation itself paid
    return Outcome::Fault;
  }
  cpu.budget -= static_cast<i64>(done) - 1;
  if (!repeats || finished || done == count) return Outcome::Next;
  return leave_between_iterations(cpu, operation);
}

template <String Op>
Handler select_string(const Operation& operation, unsigned size) {
  return by_size(size, [&](auto zero) -> Handler {
    using T = decltype(zero);
    constexpr bool compares = Op == String::Scas || Op == String::Cmps;
    const bool repeat = (operation.extra & prefix::repeat) != 0;
    const bool repeat_not = (operation.extra & prefix::repeat_not_zero) != 0;
    if constexpr (compares) {
      if (repeat) return handle<string<Op, Repeat::WhileEqual, T>>;
      if (repeat_not) return handle<string<Op, Repeat::WhileNotEqual, T>>;
    } else {
      if (repeat || repeat_not) return handle<string<Op, Repeat::Always, T>>;
    }
    return handle<string<Op, Repeat::Once, T>>;
  });
}

}  // namespace

Selection select_string_group(const Decoded& decoded, Operation& operation) {
  const bool repeats = (operation.extra & (prefix::repeat | prefix::repeat_not_zero)) != 0;
  const auto made = [&](Handler handler) { return Selection{handler, repeats, false}; };
  // MOVSD and CMPSD are SSE instructions too: those have visible operands.
  if (decoded.instruction.meta.category != ZYDIS_CATEGORY_STRINGOP) return {};
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_MOVSB:
      return made(select_string<String::Movs>(operation, 1));
    case ZYDIS_MNEMONIC_MOVSW:
      return made(select_string<String::Movs>(operation, 2));
    case ZYDIS_MNEMONIC_MOVSD:
      return made(select_string<String::Movs>(operation, 4));
    case ZYDIS_MNEMONIC_MOVSQ:
      return made(select_string<String::Movs>(operation, 8));
    case ZYDIS_MNEMONIC_STOSB:
      return made(select_string<String::Stos>(operation, 1));
    case ZYDIS_MNEMONIC_STOSW:
      return made(select_string<String::Stos>(operation, 2));
    case ZYDIS_MNEMONIC_STOSD:
      return made(select_string<String::Stos>(operation, 4));
    case ZYDIS_MNEMONIC_STOSQ:
      return made(select_string<String::Stos>(operation, 8));
    case ZYDIS_MNEMONIC_LODSB:
      return made(select_string<String::Lods>(operation, 1));
    case ZYDIS_MNEMONIC_LODSW:
      return made(select_string<String::Lods>(operation, 2));
    case ZYDIS_MNEMONIC_LODSD:
      return made(select_string<String::Lods>(operation, 4));
    case ZYDIS_MNEMONIC_LODSQ:
      return made(select_string<String::Lods>(operation, 8));
    case ZYDIS_MNEMONIC_SCASB:
      return made(select_string<String::Scas>(operation, 1));
    case ZYDIS_MNEMONIC_SCASW:
      return made(select_string<String::Scas>(operation, 2));
    case ZYDIS_MNEMONIC_SCASD:
      return made(select_string<String::Scas>(operation, 4));
    case ZYDIS_MNEMONIC_SCASQ:
      return made(select_string<String::Scas>(operation, 8));
    case ZYDIS_MNEMONIC_CMPSB:
      return made(select_string<String::Cmps>(operation, 1));
    case ZYDIS_MNEMONIC_CMPSW:
      return made(select_string<String::Cmps>(operation, 2));
    case ZYDIS_MNEMONIC_CMPSD:
      return made(select_string<String::Cmps>(operation, 4));
    case ZYDIS_MNEMONIC_CMPSQ:
      return made(select_string<String::Cmps>(operation, 8));
    default:
      return {};
  }
}

}  // namespace vitrine
