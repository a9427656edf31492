#include "machine/boot/acpi_tables.hpp"

#include <algorithm>
#include <string_view>

#include "base/assert.hpp"
#include "machine/boot/acpi_header.hpp"
#include "machine/boot/acpi_madt.hpp"

namespace vitrine {

namespace {

// board.asl, compiled when Vitrine is built: board_isa_aml_code[] and so on.
#include "machine/boot/board_isa.hex"
#include "machine/boot/board_pc.hex"
#include "machine/boot/board_q35.hex"

constexpr u64 rsdp_size = 36, rsdp_old_size = 20;
constexpr u64 facs_size = 64;
constexpr u8 table_revision = 1;

// 5.2.9: the fields of the FADT, revision 3 (ACPI 2.0): what a PC of this kind needs, and every guest knows.
namespace fadt {
constexpr u8 revision = 3;
constexpr u64 size = 244;
constexpr u64 facs = 36, dsdt = 40, profile = 45, sci = 46, pm1_event = 56, pm1_control = 64, pm_timer = 76,
              pm1_event_length = 88, pm1_control_length = 89, pm_timer_length = 91, c2_latency = 96, c3_latency = 98,
              century = 108, boot_architecture = 109, flags = 112, reset_register = 116, reset_value = 128,
              x_facs = 132, x_dsdt = 140, x_pm1_event = 148, x_pm1_control = 172, x_pm_timer = 208;
constexpr u8 desktop = 1;
constexpr u16 no_c2 = 101, no_c3 = 1001;  // a latency above 100 or 1000: the state isn't there
// Boot architecture flags (table 5-10).
constexpr u16 legacy_devices = 1 << 0, keyboard_controller = 1 << 1, vga_not_present = 1 << 2, no_msi = 1 << 3;
// Fixed feature flags (table 5-34). Power button: fixed feature, so its bit stays 0; sleep button: none, so 1.
constexpr u32 wbinvd = 1 << 0, c1_works = 1 << 2, no_fixed_sleep_button = 1 << 5, no_fixed_rtc_wake = 1 << 6,
              timer_is_32_bit = 1 << 8, has_reset_register = 1 << 10;
}  // namespace fadt

// 5.2.3.2: a register as an address with a type.
void set_port(ByteBuilder& table, u64 at, Port port, u8 width_in_bits, u8 access_size) {
  constexpr u8 system_io = 1;
  table.set8(at, system_io);
  table.set8(at + 1, width_in_bits);
  table.set8(at + 2, 0);
  table.set8(at + 3, access_size);  // 1: byte, 2: word, 3: double word
  table.set64(at + 4, port.value);
}

std::vector<u8> make_fadt(const AcpiBoard& board, u64 facs_address, u64 dsdt_address) {
  ByteBuilder table;
  put_acpi_header(table, "FACP", fadt::revision);
  table.put_bytes(std::vector<u8>(fadt::size - acpi_header::size));
  table.set32(fadt::facs, static_cast<u32>(facs_address));
  table.set32(fadt::dsdt, static_cast<u32>(dsdt_address));
  table.set8(fadt::profile, fadt::desktop);
  table.set16(fadt::sci, board.sci_irq);
  table.set32(fadt::pm1_event, board.pm1_event.value);
  table.set32(fadt::pm1_control, board.pm1_control.value);
  table.set32(fadt::pm_timer, board.pm_timer.value);
  table.set8(fadt::pm1_event_length, 4);
  table.set8(fadt::pm1_control_length, 2);
  table.set8(fadt::pm_timer_length, 4);
  table.set16(fadt::c2_latency, fadt::no_c2);
  table.set16(fadt::c3_latency, fadt::no_c3);
  table.set8(fadt::century, 0x32);  // the CMOS byte that PCs use for it
  u16 architecture = fadt::legacy_devices;
  if (board.interrupts.apic_ids.empty()) architecture |= fadt::no_msi;
  if (board.keyboard_controller_present) architecture |= fadt::keyboard_controller;
  if (!board.vga_present) architecture |= fadt::vga_not_present;
  table.set16(fadt::boot_architecture, architecture);
  u32 flags =
      fadt::wbinvd | fadt::c1_works | fadt::no_fixed_sleep_button | fadt::no_fixed_rtc_wake | fadt::has_reset_register;
  if (board.pm_timer_is_32_bit) flags |= fadt::timer_is_32_bit;
  table.set32(fadt::flags, flags);
  set_port(table, fadt::reset_register, board.reset_port, 8, 1);
  table.set8(fadt::reset_value, board.reset_value);
  // 5.2.9: X_FIRMWARE_CTRL stays 0 while FIRMWARE_CTRL is used; the DSDT may have both.
  table.set64(fadt::x_facs, 0);
  table.set64(fadt::x_dsdt, dsdt_address);
  set_port(table, fadt::x_pm1_event, board.pm1_event, 32, 2);
  set_port(table, fadt::x_pm1_control, board.pm1_control, 16, 2);
  set_port(table, fadt::x_pm_timer, board.pm_timer, 32, 3);
  return finish_acpi_table(table);
}

// The same bytes whichever iasl compiled it: its version is in the header.
std::vector<u8> make_dsdt(const AcpiBoard& board) {
  ByteBuilder table;
  table.put_bytes(acpi_dsdt(board.dsdt));
  for (u64 index = 0; index < acpi_header::creator_id.size(); ++index) {
    table.set8(acpi_header::creator + index, static_cast<u8>(acpi_header::creator_id[index]));
  }
  table.set32(acpi_header::creator_revision, 1);
  // processors.asl: Name (NCPU, ...) is NameOp, the name, DWordPrefix, the value (20.2.5.1).
  static constexpr std::string_view processor_count = "\x08NCPU\x0C";
  const auto found = std::ranges::search(table.bytes(), processor_count);
  if (!found.empty()) {
    const auto value_at = static_cast<u64>(found.end() - table.bytes().begin());
    table.set32(value_at, static_cast<u32>(board.interrupts.apic_ids.size()));
  }
  return finish_acpi_table(table);
}

// IA-PC HPET specification 1.0a, 3.2.4.
std::vector<u8> make_hpet(u32 block_id) {
  constexpr u8 memory = 0;
  constexpr u16 least_ticks_of_periodic_mode = 128;
  ByteBuilder table;
  put_acpi_header(table, "HPET", table_revision);
  table.put32(block_id);
  table.put8(memory);
  table.put8(64);  // bits
  table.put8(0);
  table.put8(0);
  table.put64(hpet_address);
  table.put8(0);  // its number
  table.put16(least_ticks_of_periodic_mode);
  table.put8(0);  // no guarantee about what else is in its page
  return finish_acpi_table(table);
}

// 5.2.10: no checksum; the guest writes its wake-up vector and lock there.
std::vector<u8> make_facs() {
  ByteBuilder table;
  table.put_text("FACS");
  table.put32(facs_size);
  table.put_bytes(std::vector<u8>(facs_size - table.size()));
  table.set8(32, 1);  // version
  return table.take();
}

// 5.2.5.3
std::vector<u8> make_rsdp(u64 rsdt, u64 xsdt) {
  ByteBuilder table;
  table.put_text("RSD PTR ");
  table.put8(0);
  table.put_text(acpi_header::oem_id);
  table.put8(2);
  table.put32(static_cast<u32>(rsdt));
  table.put32(rsdp_size);
  table.put64(xsdt);
  table.put32(0);
  table.set8(8, checksum_of(std::span(table.bytes()).first(rsdp_old_size)));
  table.set8(32, checksum_of(table.bytes()));
  return table.take();
}

}  // namespace

std::span<const u8> acpi_dsdt(AcpiDsdt which) {
  switch (which) {
    case AcpiDsdt::Isa:
      return board_isa_aml_code;
    case AcpiDsdt::Pc:
      return board_pc_aml_code;
    case AcpiDsdt::Q35:
      break;
  }
  return board_q35_aml_code;
}

AcpiTables build_acpi_tables(const AcpiBoard& board, PhysicalAddress base) {
  VITRINE_ASSERT(base.value % 64 == 0);
  ByteBuilder area(rsdp_size);
  const auto add = [&](const std::vector<u8>& table, u64 alignment) {
    area.align(alignment);
    const u64 address = base.value + area.size();
    area.put_bytes(table);
    return address;
  };
  const u64 facs = add(make_facs(), 64);
  const u64 dsdt = add(make_dsdt(board), 16);
  std::vector<u64> listed = {add(make_fadt(board, facs, dsdt), 16)};
  if (!board.interrupts.apic_ids.empty()) listed.push_back(add(make_madt(board.interrupts), 16));
  if (board.hpet_block_id) listed.push_back(add(make_hpet(*board.hpet_block_id), 16));

  ByteBuilder roots, extended_roots;
  put_acpi_header(roots, "RSDT", table_revision);
  put_acpi_header(extended_roots, "XSDT", table_revision);
  for (const u64 address : listed) {
    roots.put32(static_cast<u32>(address));
    extended_roots.put64(address);
  }
  const u64 rsdt = add(finish_acpi_table(roots), 16);
  const u64 xsdt = add(finish_acpi_table(extended_roots), 16);
  const std::vector<u8> rsdp = make_rsdp(rsdt, xsdt);
  for (u64 index = 0; index < rsdp.size(); ++index) area.set8(index, rsdp[index]);
  return {area.take(), base};
}

}  // namespace vitrine
