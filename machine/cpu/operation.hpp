// A decoded instruction as the interpreter runs it, and how handlers are written.
//
// A block is a straight run of instructions, decoded once. Each becomes an Operation with a pointer to a handler that
// was chosen for its operand kinds and sizes; handlers call the next one in tail position, so the block runs without a
// central loop. An operation's behaviour is an ordinary function `Outcome f(Cpu&, const Operation&)`; `handle<f>` makes
// the handler.
#pragma once

#include "base/types.hpp"

namespace vitrine {

struct Cpu;
struct Operation;
struct Block;

using Handler = void(__attribute__((preserve_none)) *)(Cpu&, const Operation*);

/// Index of a register's lowest byte in the register file: 8 * number, +1 for AH, CH, DH, BH.
using RegisterByte = u8;

struct Operation {
  Handler handler;
  union {
    u64 immediate;  ///< sign-extended to 64 bits; for a relative branch: target minus the block's first address
    Block* link;    ///< in a link slot (the operations that follow a branch): the block that was entered last time
  };
  i32 displacement;     ///< of the memory operand; RIP-relative ones count from the block's first address
  u8 base, index;       ///< RegisterSlot
  u8 scale;             ///< shift of the index: 0..3
  u8 segment;           ///< SegmentIndex of the memory operand, override and default (SS for RSP, RBP) resolved
  RegisterByte first;   ///< operand 0 if a GPR; else the number of the XMM, MM, ST, segment, CR or DR register
  RegisterByte second;  ///< operand 1, likewise
  RegisterByte third;   ///< operand 2, likewise
  u8 offset;            ///< of the instruction's first byte from the block's first
  u8 length;            ///< in bytes
  u8 operand_size;      ///< effective: 2, 4 or 8 (for byte instructions too, as prefixes and mode say)
  u8 address_size;      ///< 2, 4 or 8
  u8 extra;             ///< for the handler: condition code, prefixes, ...
};
static_assert(sizeof(Operation) == 32);

/// A link slot's `displacement` holds the generation in which the link was made.

/// What an operation's function says of how to go on.
enum class Outcome : u8 {
  Next,   ///< done: the next instruction follows
  Fault,  ///< nothing was changed; cpu.leave says why (a fault, or "run me alone")
  Stop,   ///< done, RIP is the next instruction's; the run loop must look (interruptibility, mode or deadline changed)
  Jump,   ///< done, and state.rip is set
  JumpStop,  ///< done, state.rip is set, and the run loop must look
};

/// Prefix bits in Operation::extra for instructions that need them.
namespace prefix {
inline constexpr u8 lock = 1, repeat = 2, repeat_not_zero = 4;
}

}  // namespace vitrine
