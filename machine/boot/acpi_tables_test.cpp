#include "machine/boot/acpi_tables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "machine/boot/bytes.hpp"
#include "machine/boot/interrupt_map_examples.hpp"

namespace vitrine {
namespace {

constexpr u64 base = 0xE0000;

struct Tables {
  explicit Tables(const AcpiBoard& board = {}) : tables(build_acpi_tables(board, PhysicalAddress(base))) {}

  [[nodiscard]] ByteView view() const { return ByteView(tables.bytes); }
  [[nodiscard]] u64 rsdt() const { return view().get32(16) - base; }
  [[nodiscard]] u64 xsdt() const { return view().get64(24) - base; }
  [[nodiscard]] u64 fadt() const { return view().get32(rsdt() + 36) - base; }
  [[nodiscard]] u64 dsdt() const { return view().get32(fadt() + 40) - base; }
  [[nodiscard]] u64 facs() const { return view().get32(fadt() + 36) - base; }

  AcpiTables tables;
};

u8 sum(std::span<const u8> bytes) {
  u8 total = 0;
  for (const u8 byte : bytes) total = static_cast<u8>(total + byte);
  return total;
}

TEST(AcpiTables, every_table_has_its_signature_and_sums_to_zero) {
  const Tables built;
  const ByteView view = built.view();
  EXPECT_EQ(built.tables.rsdp.value, base);
  EXPECT_TRUE(view.starts_with("RSD PTR "));
  EXPECT_EQ(sum(view.part(0, 20)), 0u);
  EXPECT_EQ(sum(view.part(0, 36)), 0u);
  struct Row {
    u64 at;
    std::string_view signature;
  };
  for (const Row& row :
       {Row{built.rsdt(), "RSDT"}, Row{built.xsdt(), "XSDT"}, Row{built.fadt(), "FACP"}, Row{built.dsdt(), "DSDT"}}) {
    EXPECT_TRUE(view.starts_with(row.signature, row.at)) << row.signature;
    const auto table = view.part(row.at, view.get32(row.at + 4));
    ASSERT_FALSE(table.empty()) << row.signature;
    EXPECT_EQ(sum(table), 0u) << row.signature;
  }
  EXPECT_TRUE(view.starts_with("FACS", built.facs()));
  EXPECT_EQ((base + built.facs()) % 64, 0u);
}

TEST(AcpiTables, both_root_tables_lead_to_the_same_fadt) {
  const Tables built;
  EXPECT_EQ(built.view().get64(built.xsdt() + 36), base + built.fadt());
  EXPECT_EQ(built.view().get64(built.fadt() + 140), base + built.dsdt());
}

TEST(AcpiTables, the_fadt_says_what_the_board_has) {
  const Tables built({.pm1_event = Port(0x700),
                      .pm1_control = Port(0x704),
                      .pm_timer = Port(0x708),
                      .pm_timer_is_32_bit = true,
                      .sci_irq = 11,
                      .vga_present = false});
  const ByteView view = built.view();
  const u64 fadt = built.fadt();
  EXPECT_EQ(view.get16(fadt + 46), 11u);     // SCI_INT
  EXPECT_EQ(view.get32(fadt + 48), 0u);      // SMI_CMD: ACPI is always on
  EXPECT_EQ(view.get32(fadt + 56), 0x700u);  // PM1a event block
  EXPECT_EQ(view.get32(fadt + 64), 0x704u);  // PM1a control block
  EXPECT_EQ(view.get32(fadt + 76), 0x708u);  // PM timer
  EXPECT_EQ(view.get16(fadt + 109), 1u | 2 | 4 | 8);
  EXPECT_EQ(view.get32(fadt + 112) & (1 << 8), 1u << 8);  // TMR_VAL_EXT
  EXPECT_EQ(view.get32(fadt + 112) & (1 << 4), 0u);       // power button is fixed hardware
  EXPECT_EQ(view.get8(fadt + 116), 1u);                   // reset register: I/O space
  EXPECT_EQ(view.get64(fadt + 120), 0xCF9u);
  EXPECT_EQ(view.get8(fadt + 128), 6u);
  EXPECT_EQ(view.get64(fadt + 148 + 4), 0x700u);
  EXPECT_EQ(view.get64(fadt + 172 + 4), 0x704u);
  EXPECT_EQ(view.get64(fadt + 208 + 4), 0x708u);
}

TEST(AcpiTables, the_s5_object_holds_the_sleep_type_of_power_off) {
  // NameOp "_S5_" PackageOp length 4 elements; the first is ZeroOp, or BytePrefix and the value (ACPI 6.3, 20.2).
  for (const AcpiDsdt which : {AcpiDsdt::Isa, AcpiDsdt::Pc, AcpiDsdt::Q35}) {
    const std::string dsdt(acpi_dsdt(which).begin(), acpi_dsdt(which).end());
    const auto at = dsdt.find("\x08_S5_\x12");
    ASSERT_NE(at, std::string::npos);
    static_assert(acpi_power_off_sleep_type == 0);
    EXPECT_EQ(dsdt[at + 7], 4);
    EXPECT_EQ(dsdt[at + 8], 0);
  }
}

TEST(AcpiTables, a_board_without_apics_has_neither_madt_nor_hpet_and_no_msi) {
  const Tables built;
  EXPECT_EQ(built.view().get32(built.rsdt() + 4), 36u + 4);
  EXPECT_EQ(built.view().get16(built.fadt() + 109) & 8, 8);
}

TEST(AcpiTables, a_board_with_apics_lists_madt_and_hpet_and_allows_msi) {
  const Tables built({.dsdt = AcpiDsdt::Pc, .interrupts = map_with_cpus(4), .hpet_block_id = 0x8086A201});
  const ByteView view = built.view();
  EXPECT_EQ(view.get32(built.rsdt() + 4), 36u + 3 * 4);
  EXPECT_EQ(view.get16(built.fadt() + 109) & 8, 0);
  for (u64 index = 0; index < 3; ++index) {
    EXPECT_EQ(view.get32(built.rsdt() + 36 + 4 * index), view.get64(built.xsdt() + 36 + 8 * index));
  }
  const u64 madt = view.get32(built.rsdt() + 40) - base, hpet = view.get32(built.rsdt() + 44) - base;
  EXPECT_TRUE(view.starts_with("APIC", madt));
  EXPECT_EQ(sum(view.part(madt, view.get32(madt + 4))), 0u);
  EXPECT_TRUE(view.starts_with("HPET", hpet));
  EXPECT_EQ(sum(view.part(hpet, view.get32(hpet + 4))), 0u);
  EXPECT_EQ(view.get32(hpet + 36), 0x8086A201u);
  EXPECT_EQ(view.get64(hpet + 44), 0xFED00000u);
}

TEST(AcpiTables, the_dsdt_is_told_how_many_processors_there_are) {
  for (const u32 cpus : {1u, 64u}) {
    const Tables built({.dsdt = AcpiDsdt::Q35, .interrupts = map_with_cpus(cpus)});
    const std::string dsdt(built.tables.bytes.begin() + static_cast<std::ptrdiff_t>(built.dsdt()),
                           built.tables.bytes.end());
    const auto at = dsdt.find("\x08NCPU\x0C");
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(built.view().get32(built.dsdt() + at + 6), cpus);
  }
}

TEST(AcpiTables, they_fit_where_guests_search_for_them) {
  for (const AcpiDsdt which : {AcpiDsdt::Isa, AcpiDsdt::Pc, AcpiDsdt::Q35}) {
    const Tables built({.dsdt = which, .interrupts = map_with_cpus(64), .hpet_block_id = 1});
    EXPECT_LT(built.tables.bytes.size(), 0x10000u);
  }
}

}  // namespace
}  // namespace vitrine
