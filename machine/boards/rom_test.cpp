#include "machine/boards/rom.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "machine/boards/machine.hpp"
#include "machine/cpu/cpu.hpp"

namespace vitrine {
namespace {

/// A machine whose CPU has just come out of RESET, with this shutdown code in its CMOS memory.
std::unique_ptr<Machine> after_reset(u8 shutdown_code, BoardKind board = BoardKind::Pc) {
  auto machine = std::move(*Machine::create({.memory_bytes = u64{1} << 20, .board = board}));
  machine->ports().write(Port(0x70), AccessSize(1), 0x8F);
  machine->ports().write(Port(0x71), AccessSize(1), shutdown_code);
  // 0040:0067 leads to 0700:0000, where the guest says that it was there: mov al, 7; out F4h, al.
  machine->memory().write(PhysicalAddress(0x467), AccessSize(4), 0x07000000);
  const std::array<u8, 4> code = {0xB0, 0x07, 0xE6, 0xF4};
  EXPECT_TRUE(machine->memory().write_block(PhysicalAddress(0x7000), code));
  return machine;
}

TEST(Rom, without_a_shutdown_code_the_reset_vector_resets_the_machine_on_every_board) {
  for (const BoardTraits& board : boards) {
    const auto result = after_reset(0, board.kind)->run({.instructions = 1000});
    EXPECT_EQ(result.reason, Machine::StopReason::Reset) << board.name;
  }
}

TEST(Rom, with_shutdown_code_0a_the_cpu_goes_on_where_0040_0067_says_and_the_code_is_used_up) {
  const auto machine = after_reset(0x0A);
  const auto result = machine->run({.instructions = 1000});
  EXPECT_EQ(result.reason, Machine::StopReason::GuestExit);
  EXPECT_EQ(result.value, 7u);
  machine->ports().write(Port(0x70), AccessSize(1), 0x8F);
  EXPECT_EQ(machine->ports().read(Port(0x71), AccessSize(1)), 0u);
}

TEST(Rom, with_shutdown_code_05_an_eoi_comes_first) {
  const auto machine = after_reset(0x05);
  machine->initialise_as_firmware();
  machine->memory().write(PhysicalAddress(0x467), AccessSize(4), 0x07000000);
  const auto result = machine->run({.instructions = 1000});
  EXPECT_EQ(result.reason, Machine::StopReason::GuestExit);
}

std::size_t find(std::string_view signature, std::span<const u8> rom) {
  const std::string text(rom.begin(), rom.end());
  for (std::size_t at = 0; at < text.size(); at += 16) {
    if (text.compare(at, signature.size(), signature) == 0) return at;
  }
  return std::string::npos;
}

TEST(Rom, boards_with_apics_have_mp_tables_and_those_with_pci_a_pir_table_where_kernels_search) {
  for (const BoardTraits& board : boards) {
    std::vector<u8> rom(PhysicalMemory::rom_size);
    fill_rom(rom, board.kind, board.most_cpus);
    EXPECT_EQ(find("_MP_", rom) != std::string::npos, board.has_apics) << board.name;
    EXPECT_EQ(find("$PIR", rom) != std::string::npos, board.pirqs != 0) << board.name;
  }
}

}  // namespace
}  // namespace vitrine
