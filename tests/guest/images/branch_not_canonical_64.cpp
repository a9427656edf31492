// A near branch to an address that is not canonical faults itself, with nothing changed; the code that it would reach
// never comes into it (SDM vol. 2, JMP, Jcc, CALL, LOOP).
#include "tests/guest/runtime/guest.hpp"

namespace {

alignas(4096) u64 pointers[512], directory[512];
constexpr word last_large_page = 0x7FFFFFE00000;  // the last below the gap
constexpr word memory_of_it = 0x1000000;
constexpr word offset = 0x1FFFE0;

/// Puts the bytes near the end of the lower half, and says where.
const char* place(const u8 (&bytes)[6]) {
  auto* at = reinterpret_cast<volatile u8*>(memory_of_it + offset);
  for (unsigned i = 0; i < 6; ++i) at[i] = bytes[i];
  return reinterpret_cast<const char*>(last_large_page + offset);
}
Trap run_at(const char* at) { return run(reinterpret_cast<Code>(reinterpret_cast<word>(at))); }

/// The branch stands behind `before` bytes.
Trap check_branch(const char* what, const u8 (&bytes)[6], unsigned before = 0) {
  const char* at = place(bytes);
  const Trap trap = run_at(at);
  check_trap(what, trap, 13, 0, at + before);
  return trap;
}

}  // namespace

void guest_main() {
  auto* top = reinterpret_cast<u64*>(cr3() & ~word{0xFFF});
  top[255] = reinterpret_cast<word>(pointers) | 7;
  pointers[511] = reinterpret_cast<word>(directory) | 7;
  directory[511] = memory_of_it | 0x87;
  set_cr3(cr3());

  const char* back = place({0xC3});
  check("code runs there", run_at(back).vector, no_trap);
  const NotCompared here("SDM vol. 2, JMP");
  check_branch("JMP rel8", {0xEB, 0x7F});
  check_branch("JMP rel32", {0xE9, 0, 0, 1, 0});
  check_branch("CALL", {0xE8, 0, 0, 1, 0});
  check_branch("Jcc that is taken", {0x31, 0xC0, 0x74, 0x70}, 2);       // xor eax, eax
  const Trap trap = check_branch("LOOP", {0xB1, 0x05, 0xE2, 0x70}, 2);  // mov cl, 5
  check("which has not counted", trap.cx & 0xFF, 5);
}
