// Any bytes may be given to --symbols: ELF with debug information, System.map, names mangled by whom ever.
#include <cstddef>
#include <vector>

#include "observe/symbols.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vitrine;
  SymbolTable table;
  if (!table.add(std::vector<u8>(data, data + size), 0)) return 0;
  for (u64 address = 0x100000; address < 0x100040; address += 4) {
    (void)table.describe(address);
    (void)table.place(address);
  }
  // Where text puts its symbols is up to the bytes: look around in the lowest of them.
  for (u64 address = 0; address < 0x100; ++address) (void)table.describe(address);
  return 0;
}
