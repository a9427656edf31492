#include "kernel/core/platform.hpp"

#include <cstring>

namespace pulse {

namespace {

template <class T>
T at(std::span<const u8> bytes, std::size_t offset) {
  T value{};
  if (offset + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// MPS INTI flags: bits 1..0 polarity, 3..2 trigger; 0 is what the bus has, for ISA high and edge (MP §4.3.4).
void set_flags(Platform::Line& line, u16 flags) {
  constexpr unsigned active_low = 3, level = 3;
  line.polarity = (flags & 3) == active_low ? Platform::Polarity::Low : Platform::Polarity::High;
  line.trigger = (flags >> 2 & 3) == level ? Platform::Trigger::Level : Platform::Trigger::Edge;
}

}  // namespace

bool has_sound_checksum(std::span<const u8> bytes) {
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  return sum == 0;
}

std::optional<Platform> parse_madt(std::span<const u8> madt) {
  constexpr std::size_t header_bytes = 44;
  enum Type : u8 { local_apic = 0, io_apic = 1, override_of_line = 2, local_apic_address = 5, local_x2apic = 9 };
  constexpr u32 enabled = 1, has_8259 = 1;
  if (madt.size() < header_bytes || std::memcmp(madt.data(), "APIC", 4) != 0 || !has_sound_checksum(madt)) return {};
  Platform platform;
  platform.source = "ACPI";
  platform.local_apic = at<u32>(madt, 36);
  platform.has_8259 = (at<u32>(madt, 40) & has_8259) != 0;
  for (std::size_t place = header_bytes; place + 2 <= madt.size();) {
    const u8 length = madt[place + 1];
    if (length < 2 || place + length > madt.size()) return {};
    const auto entry = madt.subspan(place, length);
    switch (entry[0]) {
      case local_apic:
        if ((at<u32>(entry, 4) & enabled) != 0) platform.add_cpu(at<u8>(entry, 3));
        break;
      case local_x2apic:
        if ((at<u32>(entry, 8) & enabled) != 0) platform.add_cpu(at<u32>(entry, 4));
        break;
      case io_apic:
        platform.add_io_apic({.id = at<u8>(entry, 2), .address = at<u32>(entry, 4), .first_pin = at<u32>(entry, 8)});
        break;
      case override_of_line:
        if (at<u8>(entry, 3) < Platform::isa_lines) {
          Platform::Line& line = platform.lines[at<u8>(entry, 3)];
          line.pin = at<u32>(entry, 4);
          set_flags(line, at<u16>(entry, 8));
        }
        break;
      case local_apic_address:
        platform.local_apic = at<u64>(entry, 4);
        break;
      default:
        break;
    }
    place += length;
  }
  return platform;
}

std::optional<Platform> parse_mp_table(std::span<const u8> table) {
  constexpr std::size_t header_bytes = 44, processor_bytes = 20, other_bytes = 8;
  enum Type : u8 { processor = 0, bus = 1, io_apic = 2, interrupt = 3, local_interrupt = 4 };
  constexpr u8 enabled = 1, vectored = 0;
  if (table.size() < header_bytes || std::memcmp(table.data(), "PCMP", 4) != 0 || !has_sound_checksum(table)) return {};
  Platform platform;
  platform.source = "MP";
  platform.local_apic = at<u32>(table, 36);
  u32 isa_bus = ~u32{0};
  bool is_pci[256] = {};
  std::size_t place = header_bytes;
  for (u16 i = 0; i < at<u16>(table, 34); ++i) {
    if (place >= table.size()) return {};
    const std::size_t length = table[place] == processor ? processor_bytes : other_bytes;
    if (place + length > table.size() || table[place] > local_interrupt) return {};
    const auto entry = table.subspan(place, length);
    place += length;
    switch (entry[0]) {
      case processor:
        if ((entry[3] & enabled) != 0) platform.add_cpu(entry[1]);
        break;
      case bus:
        if (std::memcmp(entry.data() + 2, "ISA", 3) == 0) isa_bus = entry[1];
        is_pci[entry[1]] = std::memcmp(entry.data() + 2, "PCI", 3) == 0;
        break;
      case io_apic:
        if ((entry[3] & enabled) == 0) break;
        // The pins of the chips are numbered on in the table's order, 24 each.
        platform.add_io_apic(
            {.id = entry[1], .address = at<u32>(entry, 4), .first_pin = static_cast<u32>(platform.io_apic_count) * 24});
        break;
      case interrupt: {
        if (entry[1] != vectored) break;
        u32 first_pin = 0;
        for (std::size_t chip = 0; chip < platform.io_apic_count; ++chip) {
          if (platform.io_apics[chip].id == entry[6]) first_pin = platform.io_apics[chip].first_pin;
        }
        const u32 pin = first_pin + entry[7];
        if (is_pci[entry[4]] && platform.pci_pin_count < Platform::most_pci_pins) {
          platform.pci_pins[platform.pci_pin_count++] = {entry[4], static_cast<u8>(entry[5] >> 2 & 31),
                                                         static_cast<u8>(entry[5] & 3), pin};  // MP table D-1
        }
        if (entry[4] != isa_bus || entry[5] >= Platform::isa_lines) break;
        Platform::Line& line = platform.lines[entry[5]];
        line.pin = pin;
        set_flags(line, at<u16>(entry, 2));
        break;
      }
      default:
        break;
    }
  }
  return platform;
}

}  // namespace pulse
