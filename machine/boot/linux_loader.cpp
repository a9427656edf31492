// Linux images. Manual: Documentation/arch/x86/boot.rst ("The Linux/x86 Boot Protocol") and zero-page.rst.

#include <algorithm>

#include "base/bits.hpp"
#include "machine/boot/cpu_entry.hpp"
#include "machine/boot/loading.hpp"

namespace vitrine {

namespace {

// The setup header, at the same offsets in the file and in the zero page (boot.rst, "The Real-Mode Kernel Header").
namespace header {
constexpr u64 first = 0x1F1;
constexpr u64 setup_sectors = 0x1F1;        // u8
constexpr u64 system_size = 0x1F4;          // u32, paragraphs
constexpr u64 video_mode = 0x1FA;           // u16
constexpr u64 boot_flag = 0x1FE;            // u16
constexpr u64 jump = 0x200;                 // 0xEB, then the distance from 0x202 to the end of the header
constexpr u64 magic = 0x202;                // "HdrS"
constexpr u64 version = 0x206;              // u16
constexpr u64 kernel_version = 0x20E;       // u16, file offset less 0x200
constexpr u64 type_of_loader = 0x210;       // u8
constexpr u64 load_flags = 0x211;           // u8
constexpr u64 setup_move_size = 0x212;      // u16
constexpr u64 code32_start = 0x214;         // u32
constexpr u64 ramdisk_image = 0x218;        // u32
constexpr u64 ramdisk_size = 0x21C;         // u32
constexpr u64 heap_end = 0x224;             // u16
constexpr u64 command_line = 0x228;         // u32
constexpr u64 initrd_address_max = 0x22C;   // u32
constexpr u64 kernel_alignment = 0x230;     // u32
constexpr u64 relocatable = 0x234;          // u8
constexpr u64 extended_load_flags = 0x236;  // u16
constexpr u64 command_line_size = 0x238;    // u32
constexpr u64 preferred_address = 0x258;    // u64
constexpr u64 init_size = 0x260;            // u32
}  // namespace header

// The rest of the zero page (zero-page.rst; struct screen_info for the first bytes).
namespace zero_page {
constexpr u64 size = 4096;
constexpr u64 extended_memory_kib = 0x002;  // u16
constexpr u64 screen_mode = 0x006;
constexpr u64 screen_columns = 0x007;
constexpr u64 screen_ega = 0x00A;  // u16: the answer of INT 10h, AH=12h, BL=10h
constexpr u64 screen_lines = 0x00E;
constexpr u64 screen_is_vga = 0x00F;
constexpr u64 screen_character_height = 0x010;  // u16
constexpr u64 old_command_line_magic = 0x020;   // u16; protocol before 2.02
constexpr u64 old_command_line_offset = 0x022;  // u16
constexpr u64 acpi_rsdp = 0x070;                // u64
constexpr u64 ramdisk_image_high = 0x0C0;
constexpr u64 ramdisk_size_high = 0x0C4;
constexpr u64 alternative_memory_kib = 0x1E0;  // u32
constexpr u64 map_entries = 0x1E8;             // u8
constexpr u64 map = 0x2D0;                     // 20 bytes each
constexpr u64 map_entry_size = 20;
constexpr u64 map_limit = 128;
constexpr u64 setup_header_limit = 0x290;  // what follows the room for the setup header
}  // namespace zero_page

constexpr u8 loaded_high = 0x01;
constexpr u8 can_use_heap = 0x80;
constexpr u16 kernel_has_64_bit_entry = 0x01;
constexpr u16 can_be_above_4g = 0x02;
constexpr u8 undefined_loader = 0xFF;
constexpr u16 normal_video_mode = 0xFFFF;
constexpr u16 old_command_line_magic_value = 0xA33F;
constexpr u64 entry_64_offset = 0x200;  // boot.rst: "64-bit entry point at 0x200"
constexpr u64 old_initrd_address_max = 0x37FF'FFFF;
constexpr u64 sector = 512;

struct Image {
  u16 version = 0;
  u64 setup_size = 0;  // boot sector and setup: the kernel begins there in the file
  u64 kernel_size = 0;
  u8 load_flags = 0;
  u64 load_address = 0;
  u64 reserved_start = 0;  // what the kernel needs until it reads its memory map
  u64 reserved_size = 0;
  LinuxEntry entry = LinuxEntry::Protected32;
};

struct Ramdisk {
  u64 start = 0;
  u64 size = 0;
};

std::string protocol_text(u16 version) {
  const std::string minor = std::to_string(version & 0xFF);
  return std::to_string(version >> 8) + "." + (minor.size() < 2 ? "0" : "") + minor;
}

// The text that the header points to, up to the first space: "6.1.0-18-amd64".
std::string kernel_version_text(ByteView file, const Image& image) {
  const u64 pointer = file.get16(header::kernel_version);
  std::string text;
  if (pointer == 0) return text;
  for (u64 at = pointer + 0x200; at < image.setup_size && text.size() < 40; ++at) {
    const u8 character = file.get8(at);
    if (character <= ' ' || character > '~') break;
    text.push_back(static_cast<char>(character));
  }
  return text;
}

BootResult<Image> parse(const Loading& loading) {
  const ByteView file = loading.image;
  using enum BootErrorKind;
  Image image;
  image.version = file.get16(header::version);
  image.load_flags = file.get8(header::load_flags);
  const u64 setup_sectors = file.get8(header::setup_sectors) == 0 ? 4 : file.get8(header::setup_sectors);
  image.setup_size = (setup_sectors + 1) * sector;
  if (image.version < 0x200) {
    return loading.fail(Malformed, "has a damaged Linux header: protocol " + protocol_text(image.version) +
                                       " at 0x206 is older than the header itself (2.00)");
  }
  if (!file.has(0, image.setup_size + 1)) return loading.truncated("setup code", 0, image.setup_size);
  image.kernel_size = file.size() - image.setup_size;
  if (image.version >= 0x204 && file.get32(header::system_size) != 0) {
    // In paragraphs, rounded up: the last one need not be complete. What follows (a signature) is not the kernel's.
    const u64 size = u64{file.get32(header::system_size)} * 16;
    if (size >= image.kernel_size + 16) return loading.truncated("kernel", image.setup_size, size);
    image.kernel_size = std::min(image.kernel_size, size);
  }

  const bool high = (image.load_flags & loaded_high) != 0;
  const bool has_64 = high && image.version >= 0x20C &&
                      (file.get16(header::extended_load_flags) & kernel_has_64_bit_entry) != 0 &&
                      image.kernel_size > entry_64_offset;
  image.entry = loading.options.linux_entry;
  if (image.entry == LinuxEntry::Auto) {
    image.entry = has_64 ? LinuxEntry::Long64 : high ? LinuxEntry::Protected32 : LinuxEntry::Real16;
  }
  if (image.entry == LinuxEntry::Long64 && !has_64) {
    return loading.fail(Unsupported, "has no 64-bit entry point: start it through the 32-bit one");
  }
  if (image.entry == LinuxEntry::Protected32 && !high) {
    return loading.fail(Unsupported, "is a zImage, which has no 32-bit entry point: start it in real mode");
  }

  const u64 limit = image.version >= 0x206 ? std::max<u64>(file.get32(header::command_line_size), 255) : 255;
  if (loading.files.command_line.size() > limit) {
    return loading.fail(CommandLineTooLong, "takes a command line of at most " + std::to_string(limit) +
                                                " characters, --append has " +
                                                std::to_string(loading.files.command_line.size()));
  }
  return image;
}

// Where the kernel goes (boot.rst, "Loading The Rest of The Kernel" and the field descriptions).
BootResult<void> choose_place(const Loading& loading, Image& image) {
  const ByteView file = loading.image;
  const GuestMemory& memory = loading.memory;
  using enum BootErrorKind;
  if ((image.load_flags & loaded_high) == 0) {
    image.load_address = image.reserved_start = 64 * kib;
    image.reserved_size = image.kernel_size;
    if (image.kernel_size > 512 * kib) {
      return loading.fail(Malformed, "is a zImage of " + size_text(image.kernel_size) + ", 512 KiB are possible");
    }
    return {};
  }
  const u64 init_size = image.version >= 0x20A ? file.get32(header::init_size) : 0;
  const u64 preferred = image.version >= 0x20A ? file.get64(header::preferred_address) : 0;
  image.reserved_size = std::max(init_size, image.kernel_size);
  const bool relocatable = image.version >= 0x205 && file.get8(header::relocatable) != 0;
  if (!relocatable) {
    image.load_address = file.get32(header::code32_start) != 0 ? file.get32(header::code32_start) : mib;
    image.reserved_start = preferred != 0 ? preferred : image.load_address;
  } else {
    const u64 alignment = file.get32(header::kernel_alignment);
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
      return loading.fail(Malformed, "has a damaged Linux header: kernel_alignment " + hex(alignment) +
                                         " at 0x230 is not a power of two");
    }
    // A kernel that is loaded below its preferred address moves itself there: look upwards only.
    const auto first = align_up(preferred != 0 ? preferred : mib, alignment);
    std::optional<u64> place;
    if (first) place = memory.lowest_place(image.reserved_size, alignment, {*first, last_32_bit_address});
    image.load_address = image.reserved_start = place.value_or(first.value_or(preferred));
  }
  if (!memory.is_ram(image.reserved_start, image.reserved_size) ||
      !memory.is_ram(image.load_address, image.kernel_size) || image.load_address > last_32_bit_address) {
    std::string sentence = "needs " + size_text(image.reserved_size) + " at " + hex(image.reserved_start) +
                           " to start, which " + loading.memory_text() + " of memory don't have";
    if (image.reserved_start <= last_32_bit_address && image.reserved_size <= last_32_bit_address) {
      const u64 needed = *align_up(image.reserved_start + image.reserved_size + 32 * mib, 64 * mib);
      if (needed <= 3072 * mib) sentence += ": use --memory " + std::to_string(needed / mib) + "M";
    }
    return loading.fail(DoesNotFit, sentence);
  }
  return {};
}

BootResult<Ramdisk> put_ramdisk(Loading& loading, const Image& image) {
  const auto& initrd = loading.files.initrd;
  if (initrd.empty()) return Ramdisk{};
  const ByteView file = loading.image;
  u64 last = image.version >= 0x203 ? file.get32(header::initrd_address_max) : old_initrd_address_max;
  // memtest86+ and others say 0xFFFFFFFF; 0 would allow none at all.
  if (last == 0) last = old_initrd_address_max;
  auto place = loading.memory.highest_place(initrd.size(), MemoryBus::page_size, {mib, last});
  const bool may_be_high =
      image.entry == LinuxEntry::Long64 && (file.get16(header::extended_load_flags) & can_be_above_4g) != 0;
  if (!place && may_be_high) {
    place = loading.memory.lowest_place(initrd.size(), MemoryBus::page_size, {last_32_bit_address + 1, ~u64{0}});
  }
  if (!place) return loading.initrd_does_not_fit();
  if (auto done = loading.put(*place, initrd, "initrd"); !done) return std::unexpected(done.error());
  return Ramdisk{*place, initrd.size()};
}

// Mode 3 of a VGA with 256 KiB, as its BIOS would describe it.
void describe_screen(ByteBuilder& page, BootScreen screen) {
  if (screen == BootScreen::None) return;  // all 0: Linux then uses its dummy console
  page.set8(zero_page::screen_mode, 3);
  page.set8(zero_page::screen_columns, 80);
  page.set16(zero_page::screen_ega, 3);
  page.set8(zero_page::screen_lines, 25);
  page.set8(zero_page::screen_is_vga, 1);
  page.set16(zero_page::screen_character_height, 16);
}

void describe_memory(ByteBuilder& page, const Loading& loading) {
  u64 count = 0;
  for (const MemoryRange& range : loading.map.ranges) {
    if (count == zero_page::map_limit) break;
    const u64 entry = zero_page::map + count * zero_page::map_entry_size;
    page.set64(entry, range.start.value);
    page.set64(entry + 8, range.size);
    page.set32(entry + 16, static_cast<u32>(range.type));
    ++count;
  }
  page.set8(zero_page::map_entries, static_cast<u8>(count));
  page.set16(zero_page::extended_memory_kib, static_cast<u16>(std::min<u32>(loading.upper_kib(), 0xFFFF)));
  page.set32(zero_page::alternative_memory_kib, loading.upper_kib());
}

// The header fields that a loader writes, for the zero page and for setup code in real mode alike.
void fill_header(ByteBuilder& page, const Image& image, const Ramdisk& ramdisk) {
  page.set16(header::video_mode, normal_video_mode);
  page.set8(header::type_of_loader, undefined_loader);
  page.set32(header::code32_start, static_cast<u32>(image.load_address));
  page.set32(header::ramdisk_image, static_cast<u32>(ramdisk.start));
  page.set32(header::ramdisk_size, static_cast<u32>(ramdisk.size));
}

BootResult<LoadedGuest> start_by_zero_page(Loading& loading, const Image& image, const Ramdisk& ramdisk,
                                           const std::string& name) {
  const ByteView file = loading.image;
  // The zero page, the command line behind it: one block, so that the old 16-bit offset reaches the text.
  ByteBuilder page(zero_page::size);
  const u64 header_end = std::min(header::magic + file.get8(header::jump + 1), zero_page::setup_header_limit);
  for (u64 at = header::first; at < header_end; ++at) page.set8(at, file.get8(at));
  fill_header(page, image, ramdisk);
  page.set8(header::load_flags, image.load_flags & loaded_high);
  page.set32(zero_page::ramdisk_image_high, static_cast<u32>(ramdisk.start >> 32));
  page.set32(zero_page::ramdisk_size_high, static_cast<u32>(ramdisk.size >> 32));
  page.set64(zero_page::acpi_rsdp, loading.map.rsdp.value);
  describe_screen(page, loading.options.screen);
  describe_memory(page, loading);
  page.put_string(loading.files.command_line);
  const auto place = loading.place_structure(page.size(), MemoryBus::page_size, "boot parameters");
  if (!place) return std::unexpected(place.error());
  if (image.version >= 0x202) {
    page.set32(header::command_line, static_cast<u32>(*place + zero_page::size));
  } else {
    page.set16(zero_page::old_command_line_magic, old_command_line_magic_value);
    page.set16(zero_page::old_command_line_offset, zero_page::size);
  }
  if (auto done = loading.put(*place, page.bytes(), "boot parameters"); !done) return std::unexpected(done.error());

  const bool is_64 = image.entry == LinuxEntry::Long64;
  const u64 entry = image.load_address + (is_64 ? entry_64_offset : 0);
  auto state = is_64 ? enter_long_mode(loading, entry) : enter_protected_mode(loading, entry);
  if (!state) return std::unexpected(state.error());
  state->gpr[BootState::rsi] = *place;
  return loading.finish(GuestKind::Linux, *state, name + (is_64 ? ", 64-bit" : ", 32-bit") + " entry at " + hex(entry));
}

// boot.rst, "Sample Boot Configuration" for loading at 0x90000.
BootResult<LoadedGuest> start_in_real_mode(Loading& loading, const Image& image, const Ramdisk& ramdisk,
                                           const std::string& name) {
  constexpr u64 base = 0x90000;
  constexpr u64 setup_limit = 0x8000;
  constexpr u16 heap_end = 0x9800;
  constexpr u64 block_size = 0xA000;
  const u64 text_size = loading.files.command_line.size() + 1;
  if (image.setup_size > setup_limit) {
    return loading.fail(BootErrorKind::Unsupported,
                        "has " + size_text(image.setup_size) + " of setup code, real mode has room for 32 KiB");
  }
  if (text_size > block_size - heap_end) {
    return loading.fail(BootErrorKind::CommandLineTooLong,
                        "takes a command line of at most " + std::to_string(block_size - heap_end - 1) +
                            " characters in real mode, --append has " + std::to_string(text_size - 1));
  }
  ByteBuilder block;
  block.put_bytes(loading.image.part(0, image.setup_size));
  block.put_bytes(std::vector<u8>(heap_end - image.setup_size));
  block.put_string(loading.files.command_line);
  block.put_bytes(std::vector<u8>(block_size - block.size()));
  fill_header(block, image, ramdisk);
  if (image.version >= 0x201) {
    block.set16(header::heap_end, heap_end - 0x200);
    block.set8(header::load_flags, image.load_flags | can_use_heap);
  }
  if (image.version >= 0x202) {
    block.set32(header::command_line, static_cast<u32>(base + heap_end));
  } else {
    block.set16(zero_page::old_command_line_magic, old_command_line_magic_value);
    block.set16(zero_page::old_command_line_offset, heap_end);
    block.set16(header::setup_move_size, static_cast<u16>(heap_end + text_size));
  }
  if (auto done = loading.put(base, block.bytes(), "setup code"); !done) return std::unexpected(done.error());
  return loading.finish(GuestKind::Linux, enter_real_mode((base + 0x200) >> 4, base >> 4, heap_end),
                        name + ", real-mode entry at 9020:0000");
}

}  // namespace

bool is_linux(ByteView image) {
  return image.get16(header::boot_flag) == 0xAA55 && image.starts_with("HdrS", header::magic);
}

BootResult<LoadedGuest> load_linux(Loading& loading) {
  auto image = parse(loading);
  if (!image) return std::unexpected(image.error());
  if (auto done = choose_place(loading, *image); !done) return std::unexpected(done.error());
  const ImageSegment kernel{image->load_address, image->kernel_size, image->setup_size, image->kernel_size};
  if (auto done = loading.put_image(std::span(&kernel, 1), 0); !done) return std::unexpected(done.error());
  loading.memory.take(image->reserved_start, image->reserved_size);
  const auto ramdisk = put_ramdisk(loading, *image);
  if (!ramdisk) return std::unexpected(ramdisk.error());

  std::string name = (image->load_flags & loaded_high) != 0 ? "Linux bzImage" : "Linux zImage";
  const std::string version = kernel_version_text(loading.image, *image);
  if (!version.empty()) name += " " + version;
  name += ", protocol " + protocol_text(image->version);
  return image->entry == LinuxEntry::Real16 ? start_in_real_mode(loading, *image, *ramdisk, name)
                                            : start_by_zero_page(loading, *image, *ramdisk, name);
}

}  // namespace vitrine
