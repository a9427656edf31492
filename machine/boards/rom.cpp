#include "machine/boards/rom.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/assert.hpp"
#include "machine/boards/physical_memory.hpp"
#include "machine/boot/mp_tables.hpp"
#include "machine/boot/pir_table.hpp"

namespace vitrine {

namespace {

constexpr u64 reset_vector = 0xFFF0, date_at = 0xFFF5, model_at = 0xFFFE;
// 1502494: POST begins there.
constexpr u64 power_on_self_test = 0xE05B;
constexpr u64 mp_tables_at = 0x0000, pir_table_at = 0x4000;
constexpr std::string_view date = "01/01/26";
constexpr u8 model_at_compatible = 0xFC, interrupt_return = 0xCF;

constexpr std::array<u8, 5> jump_to_self_test = {0xEA, 0x5B, 0xE0, 0x00, 0xF0};

// clang-format off
constexpr std::array<u8, 0x33> self_test = {
    0xFA,                          // 00  cli
    0xB0, 0x8F, 0xE6, 0x70,        // 01  mov al, 8Fh; out 70h, al: shutdown code, NMI off
    0xE4, 0x71, 0x88, 0xC4,        // 05  in al, 71h; mov ah, al
    0xB0, 0x00, 0xE6, 0x71,        // 09  mov al, 0; out 71h, al: the code counts once
    0x80, 0xFC, 0x0A, 0x74, 0x19,  // 0D  cmp ah, 0Ah; je 2Bh
    0x80, 0xFC, 0x05, 0x74, 0x10,  // 12  cmp ah, 05h; je 27h
    0xBA, 0xF9, 0x0C,              // 17  mov dx, CF9h
    0xB0, 0x02, 0xEE,              // 1A  mov al, 02h; out dx, al
    0xB0, 0x06, 0xEE,              // 1D  mov al, 06h; out dx, al: reset
    0xB0, 0xFE, 0xE6, 0x64,        // 20  mov al, FEh; out 64h, al: reset, of a board without port CF9h
    0xF4, 0xEB, 0xFD,              // 24  hlt; jmp 24h
    0xB0, 0x20, 0xE6, 0x20,        // 27  mov al, 20h; out 20h, al
    0x31, 0xC0, 0x8E, 0xD8,        // 2B  xor ax, ax; mov ds, ax
    0xFF, 0x2E, 0x67, 0x04,        // 2F  jmp far [0467h]
};
// clang-format on

template <class Bytes>
void put(std::span<u8> rom, u64 at, const Bytes& bytes) {
  VITRINE_ASSERT(at + bytes.size() <= rom.size());
  std::ranges::copy(bytes, rom.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

void fill_rom(std::span<u8> rom, BoardKind kind, unsigned cpus) {
  std::ranges::fill(rom, u8{0xFF});
  put(rom, reset_vector, jump_to_self_test);
  put(rom, power_on_self_test, self_test);
  put(rom, PhysicalMemory::dummy_handler, std::array{interrupt_return});
  put(rom, date_at, date);
  put(rom, model_at, std::array{model_at_compatible});
  const InterruptMap map = interrupt_map_of(kind, cpus);
  if (!map.apic_ids.empty()) {
    put(rom, mp_tables_at, make_mp_tables(map, PhysicalAddress(PhysicalMemory::rom_start + mp_tables_at)));
  }
  if (map.router.vendor != 0) put(rom, pir_table_at, make_pir_table(map));
}

}  // namespace vitrine
