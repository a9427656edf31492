// Multiboot 2 guests. Manual: "Multiboot2 Specification version 2.0", section 3.

#include <array>

#include "base/bits.hpp"
#include "machine/boot/cpu_entry.hpp"
#include "machine/boot/multiboot_body.hpp"

namespace vitrine {

namespace {

constexpr u32 header_magic = 0xE852'50D6;
constexpr u32 loader_magic = 0x36D7'6289;  // EAX at entry
constexpr u64 search_limit = 32768;
constexpr u64 fixed_header_size = 16;
constexpr u32 architecture_i386 = 0;

// 3.1.3 on: tags of the header.
enum class HeaderTag : u16 {
  End = 0,
  InformationRequest = 1,
  Addresses = 2,
  Entry = 3,
  Console = 4,
  Framebuffer = 5,
  ModuleAlignment = 6,
  EfiBootServices = 7,
  EfiEntry32 = 8,
  EfiEntry64 = 9,
  Relocatable = 10,
};

// 3.6: tags of the information.
enum class InfoTag : u32 {
  End = 0,
  CommandLine = 1,
  LoaderName = 2,
  Module = 3,
  BasicMemory = 4,
  MemoryMap = 6,
  Framebuffer = 8,
  ElfSections = 9,
  AcpiOld = 14,
  AcpiNew = 15,
  LoadBase = 21,
};
constexpr u32 last_known_info_tag = 21;
constexpr u8 framebuffer_is_text = 2;

struct Relocation {
  u32 lowest = 0, highest = 0, alignment = 0, preference = 0;  // 1: lowest place, 2: highest
};

struct Header {
  std::optional<MultibootAddresses> addresses;
  std::optional<u32> entry;
  std::optional<Relocation> relocation;
};

BootResult<Header> parse_header(const Loading& loading, u64 header) {
  const ByteView image = loading.image;
  using enum BootErrorKind;
  const std::string where = "has a Multiboot 2 header at " + hex(header);
  const auto refuse = [&](BootErrorKind kind, const std::string& sentence) {
    return loading.fail(kind, where + sentence);
  };
  const auto refuse_tag = [&](BootErrorKind kind, u64 at, const std::string& sentence) {
    return refuse(kind, " whose tag " + std::to_string(image.get16(at)) + " at " + hex(at) + sentence);
  };
  const u32 architecture = image.get32(header + 4);
  if (architecture != architecture_i386) {
    return refuse(WrongMachine, " for another architecture (" + std::to_string(architecture) +
                                    (architecture == 4 ? ", MIPS" : "") + "); Vitrine runs x86 guests");
  }
  const u64 length = image.get32(header + 8);
  if (!image.has(header, length)) return loading.truncated("Multiboot 2 header", header, length);
  Header result;
  u64 at = header + fixed_header_size;
  while (true) {
    const u64 left = header + length - at;
    if (at > header + length || left < 8) {
      return refuse(Malformed, " whose tags have no end tag within its " + size_text(length));
    }
    const u16 type = image.get16(at);
    const bool optional = bit(image.get16(at + 2), 0);
    const u64 size = image.get32(at + 4);
    static constexpr std::array<u64, 11> sizes{8, 8, 24, 12, 12, 20, 8, 8, 12, 12, 24};
    if (size < 8 || size > left || (type < sizes.size() && size < sizes[type])) {
      return refuse_tag(Malformed, at, " has an impossible size of " + size_text(size));
    }
    switch (static_cast<HeaderTag>(type)) {
      case HeaderTag::End:
        return result;
      case HeaderTag::InformationRequest:
        for (u64 item = at + 8; item + 4 <= at + size && !optional; item += 4) {
          // 3.1.4: a known tag may be absent all the same, if the machine has nothing to say there.
          if (image.get32(item) > last_known_info_tag) {
            return refuse(Unsupported, " that requires information of type " + std::to_string(image.get32(item)) +
                                           ", which no loader knows");
          }
        }
        break;
      case HeaderTag::Addresses:
        result.addresses = {image.get32(at + 8), image.get32(at + 12), image.get32(at + 16), image.get32(at + 20)};
        break;
      case HeaderTag::Entry:
        result.entry = image.get32(at + 8);
        break;
      case HeaderTag::Console:
        if (bit(image.get32(at + 8), 0) && !optional && loading.options.screen == BootScreen::None) {
          return refuse(Unsupported, " that requires a screen; this machine has none");
        }
        break;
      case HeaderTag::Framebuffer:      // a preference; text is what there is
      case HeaderTag::ModuleAlignment:  // modules are page-aligned always
      case HeaderTag::EfiBootServices:
      case HeaderTag::EfiEntry32:
      case HeaderTag::EfiEntry64:
        break;
      case HeaderTag::Relocatable:
        result.relocation = {image.get32(at + 8), image.get32(at + 12), image.get32(at + 16), image.get32(at + 20)};
        break;
      default:
        if (!optional) return refuse_tag(Unsupported, at, " is required, and unknown");
    }
    at += *align_up(size, 8);
  }
}

// By how much the image moves. 3.1.11: it may go anywhere between the two addresses; the linked place is the first
// choice of a header without preference.
BootResult<u64> choose_displacement(const Loading& loading, u64 header, const MultibootBody& body,
                                    const Relocation& relocation) {
  const u64 base = body.lowest();
  const u64 size = body.size();
  const u64 alignment = relocation.alignment == 0 ? 1 : relocation.alignment;
  if ((alignment & (alignment - 1)) != 0) {
    return loading.fail(BootErrorKind::Malformed, "has a Multiboot 2 header at " + hex(header) +
                                                      " whose relocation alignment " + hex(alignment) +
                                                      " is not a power of two");
  }
  const GuestMemory::Limits limits{relocation.lowest, relocation.highest};
  const bool stays = base >= limits.first && base <= limits.last && size != 0 && size - 1 <= limits.last - base &&
                     base % alignment == 0 && loading.memory.is_ram(base, size) && loading.memory.is_free(base, size);
  if (stays && relocation.preference == 0) return u64{0};
  const auto place = relocation.preference == 2 ? loading.memory.highest_place(size, alignment, limits)
                                                : loading.memory.lowest_place(size, alignment, limits);
  if (place) return *place - base;
  if (stays) return u64{0};
  return loading.fail(BootErrorKind::DoesNotFit, "needs " + size_text(size) + " between " + hex(limits.first) +
                                                     " and " + hex(limits.last) +
                                                     ", where this machine has no such memory");
}

// The information structure under construction.
class InfoBuilder {
 public:
  InfoBuilder() : bytes_(8) {}

  template <class Fill>
  void tag(InfoTag type, Fill fill) {
    bytes_.align(8);
    const u64 start = bytes_.size();
    bytes_.put32(static_cast<u32>(type));
    bytes_.put32(0);
    fill(bytes_);
    bytes_.set32(start + 4, static_cast<u32>(bytes_.size() - start));
  }
  const ByteBuilder& finish() {
    tag(InfoTag::End, [](ByteBuilder&) {});
    bytes_.set32(0, static_cast<u32>(bytes_.size()));
    return bytes_;
  }

 private:
  ByteBuilder bytes_;
};

// Copies of the root pointer: ACPI 1.0 has 20 bytes of it, 2.0 and later 36.
void put_acpi(InfoBuilder& info, const Loading& loading) {
  std::array<u8, 36> rsdp{};
  if (loading.map.rsdp.value == 0 || !loading.memory.read(loading.map.rsdp.value, rsdp)) return;
  info.tag(InfoTag::AcpiOld, [&](ByteBuilder& out) { out.put_bytes(std::span(rsdp).first(20)); });
  if (rsdp[15] >= 2) info.tag(InfoTag::AcpiNew, [&](ByteBuilder& out) { out.put_bytes(rsdp); });
}

}  // namespace

std::optional<u64> find_multiboot2(ByteView image) {
  for (u64 at = 0; at + fixed_header_size <= search_limit && image.has(at, fixed_header_size); at += 8) {
    if (image.get32(at) != header_magic) continue;
    if (image.get32(at) + image.get32(at + 4) + image.get32(at + 8) + image.get32(at + 12) == 0) return at;
  }
  return std::nullopt;
}

BootResult<LoadedGuest> load_multiboot2(Loading& loading, u64 header) {
  const auto parsed = parse_header(loading, header);
  if (!parsed) return std::unexpected(parsed.error());
  const auto body = parse_multiboot_body(loading, header, parsed->addresses, parsed->entry);
  if (!body) return std::unexpected(body.error());
  u64 displacement = 0;
  if (parsed->relocation) {
    const auto chosen = choose_displacement(loading, header, *body, *parsed->relocation);
    if (!chosen) return std::unexpected(chosen.error());
    displacement = *chosen;
  }
  if (auto done = loading.put_image(body->segments, displacement); !done) return std::unexpected(done.error());
  const u64 entry = body->entry + displacement;
  if (entry > last_32_bit_address) {
    return loading.fail(BootErrorKind::DoesNotFit, "has its entry point above 4 GiB, at " + hex(entry));
  }
  const auto module = loading.put_module();
  if (!module) return std::unexpected(module.error());
  const auto sections = body->elf ? put_elf_sections(loading, *body->elf) : std::nullopt;

  InfoBuilder info;
  info.tag(InfoTag::CommandLine, [&](ByteBuilder& out) { out.put_string(loading.files.command_line); });
  info.tag(InfoTag::LoaderName, [](ByteBuilder& out) { out.put_string("Vitrine"); });
  if (*module) {
    info.tag(InfoTag::Module, [&](ByteBuilder& out) {
      out.put32(static_cast<u32>((*module)->start));
      out.put32(static_cast<u32>((*module)->start + (*module)->size));
      out.put_string(loading.files.initrd_name);
    });
  }
  info.tag(InfoTag::BasicMemory, [&](ByteBuilder& out) {
    out.put32(loading.lower_kib());
    out.put32(loading.upper_kib());
  });
  info.tag(InfoTag::MemoryMap, [&](ByteBuilder& out) {
    out.put32(24);  // size of an entry
    out.put32(0);   // its version
    for (const MemoryRange& range : loading.map.ranges) {
      out.put64(range.start.value);
      out.put64(range.size);
      out.put32(static_cast<u32>(range.type));
      out.put32(0);
    }
  });
  if (sections) {
    // The specification's text has 16-bit fields here; its own C header and every loader have 32-bit ones.
    info.tag(InfoTag::ElfSections, [&](ByteBuilder& out) {
      out.put32(sections->count);
      out.put32(sections->entry_size);
      out.put32(sections->names);
      out.put_bytes(sections->headers);
    });
  }
  if (loading.options.screen == BootScreen::VgaText) {
    info.tag(InfoTag::Framebuffer, [](ByteBuilder& out) {
      out.put64(0xB8000);
      out.put32(160);  // bytes per line
      out.put32(80);
      out.put32(25);
      out.put8(16);  // bits per character
      out.put8(framebuffer_is_text);
      out.put16(0);
    });
  }
  put_acpi(info, loading);
  if (parsed->relocation) {
    info.tag(InfoTag::LoadBase, [&](ByteBuilder& out) { out.put32(static_cast<u32>(body->lowest() + displacement)); });
  }
  const ByteBuilder& bytes = info.finish();
  const auto place = loading.place_structure(bytes.size(), MemoryBus::page_size, "Multiboot information");
  if (!place) return std::unexpected(place.error());
  if (auto done = loading.put(*place, bytes.bytes(), "Multiboot information"); !done) {
    return std::unexpected(done.error());
  }

  auto state = enter_protected_mode(loading, entry);
  if (!state) return std::unexpected(state.error());
  state->gpr[BootState::rax] = loader_magic;
  state->gpr[BootState::rbx] = *place;
  const std::string form = !body->elf ? "flat" : body->elf->is_64_bit ? "ELF64" : "ELF32";
  return loading.finish(GuestKind::Multiboot2, *state, "Multiboot 2 guest (" + form + "), entry at " + hex(entry));
}

}  // namespace vitrine
