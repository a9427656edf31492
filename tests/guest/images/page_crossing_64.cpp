// Accesses over the end of a page into one that is elsewhere in memory, where linear addresses carry far: at 2 GiB, at
// 4 GiB and where they wrap around.
#include "tests/guest/runtime/guest.hpp"

extern "C" {
extern u64 guest_boot_tables[];
alignas(4096) u64 directory_below[512], directory_above[512], pointers_at_top[512], directory_at_top[512];
alignas(4096) u64 table_below[512], table_above[512];
alignas(4096) u8 pages[3][4096];  // the first one, one that nobody maps, the second one
}

namespace {

constexpr u64 present_writable = 3;

u64 entry(const void* what) { return reinterpret_cast<word>(what) | present_writable; }

/// The pages on both sides of a boundary of 1 GiB.
void map_at(u64 boundary) {
  u64* const pointers = guest_boot_tables + 512;
  pointers[(boundary >> 30) - 1] = entry(directory_below);
  pointers[boundary >> 30] = entry(directory_above);
}

void crosses(const char* what, u64 boundary, u8* second) {
  asm("" : "+r"(boundary), "+r"(second));  // to the compiler, nothing is at address 0
  auto* const wide = reinterpret_cast<volatile u64*>(boundary - 4);
  for (u32 i = 0; i < 4; ++i) {
    pages[0][4092 + i] = static_cast<u8>(0x11 * (i + 1));
    second[i] = static_cast<u8>(0x11 * (i + 5));
    pages[1][4092 + i] = 0xEE;
  }
  (void)*reinterpret_cast<volatile u8*>(boundary);  // the second page is in the TLB, and the first one is not
  check(what, *wide, 0x8877665544332211);
  *reinterpret_cast<volatile u8*>(boundary) = 0x55;
  *wide = 0x0102030405060708;
  check("    written: the first page's part", *reinterpret_cast<u32*>(&pages[0][4092]), 0x05060708);
  check("    the second page's", *reinterpret_cast<u32*>(second), 0x01020304);
  check("    and nothing else", *reinterpret_cast<u32*>(&pages[1][4092]), 0xEEEEEEEE);
}

}  // namespace

void guest_main() {
  directory_below[511] = entry(table_below);
  directory_above[0] = entry(table_above);
  table_below[511] = entry(pages[0]);
  table_above[0] = entry(pages[2]);
  map_at(u64{2} << 30);
  crosses("2 GiB", u64{2} << 30, pages[2]);
  map_at(u64{4} << 30);
  crosses("4 GiB", u64{4} << 30, pages[2]);

  guest_boot_tables[511] = entry(pointers_at_top);
  pointers_at_top[511] = entry(directory_at_top);
  directory_at_top[511] = entry(table_below);
  crosses("where addresses wrap around", 0, nullptr);
}
