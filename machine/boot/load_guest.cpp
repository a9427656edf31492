#include "machine/boot/load_guest.hpp"

#include "machine/boot/elf_image.hpp"
#include "machine/boot/loading.hpp"

namespace vitrine {

namespace {

constexpr u64 boot_signature = 510;               // 55 AA: a boot sector
constexpr u64 cd_descriptor = 16 * 2048 + 1;      // ISO 9660: "CD001" in the first volume descriptor
constexpr u64 linux_magic_other_machines = 0x38;  // Linux: Documentation/arch/arm64/booting, riscv/boot-image-header

struct Signature {
  u64 offset;
  std::string_view bytes;
  BootErrorKind kind;
  std::string_view sentence;
};

// Files that people are likely to give instead of a kernel.
constexpr Signature wrong_files[] = {
    {linux_magic_other_machines, "ARM\x64", BootErrorKind::WrongMachine,
     "is a Linux image for AArch64; Vitrine runs x86 guests"},
    {linux_magic_other_machines, "RSC\x05", BootErrorKind::WrongMachine,
     "is a Linux image for RISC-V; Vitrine runs x86 guests"},
    {0, "QFI\xFB", BootErrorKind::NeedsFirmware,
     "is a qcow2 disk image, which needs firmware, not there yet: give a kernel (bzImage, Multiboot, PVH)"},
    {0, "KDMV", BootErrorKind::NeedsFirmware,
     "is a VMDK disk image, which needs firmware, not there yet: give a kernel (bzImage, Multiboot, PVH)"},
    {0, "MZ", BootErrorKind::NeedsFirmware,
     "is an EFI or DOS program, which needs firmware, not there yet: give a kernel (bzImage, Multiboot, PVH)"},
    {0, "070701", BootErrorKind::NotAGuest,
     "is an initramfs (cpio archive), not a kernel: give it with --initrd, and a kernel as the guest"},
    {0, "\x1F\x8B", BootErrorKind::NotAGuest, "is compressed (gzip): unpack it, or give it with --initrd if it is one"},
    {0, "BZh", BootErrorKind::NotAGuest, "is compressed (bzip2): unpack it, or give it with --initrd if it is one"},
    {0,
     "\xFD"
     "7zXZ",
     BootErrorKind::NotAGuest, "is compressed (xz): unpack it, or give it with --initrd if it is one"},
    {0, "\x28\xB5\x2F\xFD", BootErrorKind::NotAGuest,
     "is compressed (zstd): unpack it, or give it with --initrd if it is one"},
    {0, "\x02\x21\x4C\x18", BootErrorKind::NotAGuest,
     "is compressed (lz4): unpack it, or give it with --initrd if it is one"},
    {0, "#!", BootErrorKind::NotAGuest, "is a script, not a kernel"},
};

std::unexpected<BootError> not_a_guest(const Loading& loading) {
  for (const Signature& wrong : wrong_files) {
    if (loading.image.starts_with(wrong.bytes, wrong.offset)) return loading.fail(wrong.kind, wrong.sentence);
  }
  return std::unexpected(BootError{BootErrorKind::NotAGuest, "no Multiboot header, PVH note or Linux header in " +
                                                                 loading.files.image_name +
                                                                 ": not a guest that Vitrine can run"});
}

BootResult<LoadedGuest> recognise(Loading& loading) {
  const ByteView image = loading.image;
  if (image.size() == 0) return loading.fail(BootErrorKind::Empty, "is empty: give a kernel (bzImage, Multiboot, PVH)");
  if (is_linux(image)) return load_linux(loading);
  // Before the Multiboot headers: the loader on a disk or CD has one of its own.
  if (image.starts_with("CD001", cd_descriptor)) {
    return loading.fail(BootErrorKind::NeedsFirmware,
                        "is a CD image, which needs firmware, not there yet: give a kernel (bzImage, Multiboot, PVH)");
  }
  const bool elf = is_elf(image);
  if (!elf && image.get16(boot_signature) == 0xAA55 && !image.starts_with("MZ")) {
    return loading.fail(
        BootErrorKind::NeedsFirmware,
        "is a disk image or boot sector, which needs firmware, not there yet: give a kernel (bzImage, Multiboot, PVH)");
  }
  if (const auto header = find_multiboot2(image)) return load_multiboot2(loading, *header);
  if (const auto header = find_multiboot1(image)) return load_multiboot1(loading, *header);
  if (elf) return load_pvh(loading);
  return not_a_guest(loading);
}

}  // namespace

std::expected<LoadedGuest, BootError> load_guest(const GuestFiles& files, const MemoryMap& map, MemoryBus& memory,
                                                 const BootOptions& options) {
  Loading loading(files, map, memory, options);
  return recognise(loading);
}

}  // namespace vitrine
