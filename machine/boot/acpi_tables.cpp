#include "machine/boot/acpi_tables.hpp"

#include <string_view>

#include "base/assert.hpp"
#include "base/bits.hpp"
#include "machine/boot/bytes.hpp"

namespace vitrine {

namespace {

#include "machine/boot/board_dsdt.hex"  // board_dsdt_aml_code[]: board.asl, compiled when Vitrine is built

// ACPI 6.3, 5.2.6: every table but RSDP and FACS begins with this.
constexpr u64 header_size = 36;
constexpr u64 header_length = 4, header_checksum = 9, header_creator = 28, header_creator_revision = 32;
constexpr std::string_view oem_id = "VTRINE";
constexpr std::string_view oem_table = "VTRINEPC";
constexpr std::string_view creator = "VTRN";

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

u8 checksum(std::span<const u8> bytes) {
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  return static_cast<u8>(0 - sum);
}

void put_header(ByteBuilder& table, std::string_view signature, u8 revision) {
  table.put_text(signature);
  table.put32(0);  // length, by finish()
  table.put8(revision);
  table.put8(0);  // checksum, by finish()
  table.put_text(oem_id);
  table.put_text(oem_table);
  table.put32(1);  // OEM revision
  table.put_text(creator);
  table.put32(1);  // creator revision
}

std::vector<u8> finish(ByteBuilder& table) {
  table.set32(header_length, static_cast<u32>(table.size()));
  table.set8(header_checksum, 0);
  table.set8(header_checksum, checksum(table.bytes()));
  return table.take();
}

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
  put_header(table, "FACP", fadt::revision);
  table.put_bytes(std::vector<u8>(fadt::size - header_size));
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
  u16 architecture = fadt::legacy_devices | fadt::no_msi;
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
  return finish(table);
}

// The same bytes whichever iasl compiled it: its version is in the header.
std::vector<u8> make_dsdt() {
  ByteBuilder table;
  table.put_bytes(acpi_dsdt());
  for (u64 index = 0; index < creator.size(); ++index) {
    table.set8(header_creator + index, static_cast<u8>(creator[index]));
  }
  table.set32(header_creator_revision, 1);
  return finish(table);
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
  table.put_text(oem_id);
  table.put8(2);
  table.put32(static_cast<u32>(rsdt));
  table.put32(rsdp_size);
  table.put64(xsdt);
  table.put32(0);
  table.set8(8, checksum(std::span(table.bytes()).first(rsdp_old_size)));
  table.set8(32, checksum(table.bytes()));
  return table.take();
}

}  // namespace

std::span<const u8> acpi_dsdt() { return board_dsdt_aml_code; }

AcpiTables build_acpi_tables(const AcpiBoard& board, PhysicalAddress base) {
  VITRINE_ASSERT(base.value % 64 == 0 && base.value < 0xFFFF'0000);
  // Order: RSDP, FACS (at a multiple of 64), RSDT, XSDT, FADT, DSDT.
  ByteBuilder area;
  const auto next = [&](u64 alignment) {
    area.align(alignment);
    return base.value + area.size();
  };
  area.put_bytes(std::vector<u8>(rsdp_size));
  const u64 facs = next(64);
  area.put_bytes(make_facs());
  const u64 rsdt = next(16);
  const u64 xsdt = rsdt + 48;  // the RSDT has one entry: 40 bytes
  const u64 fadt_address = xsdt + 48;
  const u64 dsdt = fadt_address + 256;

  ByteBuilder roots;
  put_header(roots, "RSDT", table_revision);
  roots.put32(static_cast<u32>(fadt_address));
  area.put_bytes(finish(roots));
  VITRINE_ASSERT(next(16) == xsdt);
  ByteBuilder extended_roots;
  put_header(extended_roots, "XSDT", table_revision);
  extended_roots.put64(fadt_address);
  area.put_bytes(finish(extended_roots));
  VITRINE_ASSERT(next(16) == fadt_address);
  area.put_bytes(make_fadt(board, facs, dsdt));
  VITRINE_ASSERT(next(16) == dsdt);
  area.put_bytes(make_dsdt());

  const std::vector<u8> rsdp = make_rsdp(rsdt, xsdt);
  for (u64 index = 0; index < rsdp.size(); ++index) area.set8(index, rsdp[index]);
  return {area.take(), base};
}

}  // namespace vitrine
