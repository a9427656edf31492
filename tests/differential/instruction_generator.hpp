// Random instructions that user mode may run, with operands that lie where the test can look at them.
#pragma once

#include <vector>

#include "base/types.hpp"
#include "tests/differential/native_cpu.hpp"

namespace vitrine::differential {

/// A fixed-seed generator (splitmix64): the same cases on every host and every run.
class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 next() {
    u64 z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  u64 below(u64 limit) { return next() % limit; }
  bool one_in(u64 n) { return below(n) == 0; }

 private:
  u64 state_;
};

enum class Family : u8 { Integer, Vector, X87 };

struct Instruction {
  std::vector<u8> bytes;
  const char* mnemonic = "";
  u32 undefined_flags = 0;  ///< RFLAGS bits that the manual leaves open
  bool shifts = false;      ///< flags depend on the count
  bool shifts_double = false;
  unsigned operand_bits = 0;
  u16 undefined_x87_status = 0;  ///< condition codes that the manual leaves open
  // Memory operand, if any: which registers make its address.
  bool has_memory = false;
  int base = -1, index = -1;
  unsigned scale = 1;
  i64 displacement = 0;
  bool bit_string = false;  ///< BT and the like: the second operand moves the address
  int bit_register = -1;
  bool implicit_string = false;  ///< uses RSI, RDI, RCX
};

/// The next instruction of a family.
Instruction generate(Random& random, Family family);

/// Random registers for it: memory operands lie inside the data region, special values are frequent.
void randomise(Random& random, Family family, const Instruction& instruction, Registers& registers);

}  // namespace vitrine::differential
