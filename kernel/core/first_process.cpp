#include "kernel/core/first_process.hpp"

#include <algorithm>
#include <vector>

#include "kernel/core/error_name.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/process.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/ata_disks.hpp"
#include "kernel/drivers/i8042.hpp"
#include "kernel/drivers/rtc.hpp"
#include "kernel/drivers/rtc_file.hpp"
#include "kernel/drivers/serial_terminal.hpp"
#include "kernel/drivers/vga_console.hpp"
#include "kernel/fs/block_file.hpp"
#include "kernel/fs/devices.hpp"
#include "kernel/fs/ext2/ext2.hpp"
#include "kernel/fs/file_disk.hpp"
#include "kernel/fs/partitions.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/terminal_device.hpp"
#include "kernel/fs/tmpfs.hpp"
#include "kernel/memory/file_pages.hpp"
#include "kernel/memory/kernel_memory.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

Uart16550 com2(0x2F8);

struct Device {
  std::string_view name;
  u32 device;
};
constexpr Device devices[] = {{"null", device_number(1, 3)},    {"zero", device_number(1, 5)},
                              {"full", device_number(1, 7)},    {"random", device_number(1, 8)},
                              {"urandom", device_number(1, 9)}, {"tty", device_number(5, 0)},
                              {"console", device_number(5, 1)}, {"ttyS0", device_number(4, 64)},
                              {"ttyS1", device_number(4, 65)},  {"rtc0", rtc_device},
                              {"tty0", device_number(4, 0)},    {"tty1", device_number(4, 1)}};

/// A directory of the root, made if the initramfs has none.
Ref<Node> directory(Node& root, std::string_view name) {
  if (auto found = root.look_up(name)) return *found;
  auto made = root.make(name, node_mode::directory | 0755, 0);
  if (!made) panic("can't make /{}", name);
  return *made;
}

void fill_devices(Node& root) {
  const Ref<Node> dev = directory(root, "dev");
  for (const Device& device : devices) {
    if (!dev->look_up(device.name)) (void)dev->make(device.name, node_mode::character | 0666, device.device);
  }
  for (const NamedBlockDevice& disk : block_devices()) {
    if (!dev->look_up(disk.name)) (void)dev->make(disk.name, node_mode::block | 0660, disk.device);
  }
  (void)directory(*dev, "input")->make("mice", node_mode::character | 0666, device_number(13, 63));
}

bool is_polled(std::string_view driver) { return kernel().parameters.lists("polled", driver); }

void start_terminals() {
  const auto service = is_polled("serial") ? Uart16550::Service::Polled : Uart16550::Service::Interrupts;
  start_serial_terminal(0, serial_port(), service);
  if (com2.initialise()) start_serial_terminal(1, com2, service);
  start_screen_terminal();
  if (kernel().parameters.text("console") == "tty0") set_console_terminal(screen_terminal());
  register_terminal_devices();
  start_i8042(screen_terminal(), {.keyboard_polled = is_polled("keyboard"), .mouse_polled = is_polled("mouse")});
}

Result<Ref<File>> open_disk(Node& node, u32) { return open_block_file(*find_block_device(node.device)); }

/// What the tables on the disks say: /dev/sda1 and so on.
void register_partitions() {
  const std::span<const NamedBlockDevice> known = block_devices();
  const std::vector<NamedBlockDevice> disks(known.begin(), known.end());
  for (const NamedBlockDevice& disk : disks) {
    for (const PartitionEntry& entry : read_partitions(*disk.blocks)) {
      constexpr std::size_t longest_name = 16;
      char* const name = new char[longest_name];
      BufferSink text({name, longest_name});
      format(text, "{}{}", disk.name, entry.number);
      register_block_device({text.text(), disk.device + entry.number, new Partition(*disk.blocks, entry)});
      log_info("{}: {} sectors from {} on", text.text(), entry.sectors, entry.first_sector);
    }
  }
}

void start_disks() {
  const std::string_view wanted = kernel().parameters.text("disk").value_or("dma");
  if (wanted == "none") return;
  start_ata_disks({.service = is_polled("disk") ? AtaChannel::Service::Polled : AtaChannel::Service::Interrupts,
                   .use_dma = wanted != "pio"});
  register_partitions();
  for (const NamedBlockDevice& disk : block_devices()) register_device(disk.device, open_disk);
}

/// The parameter ramdisk=PATH: a file of the initramfs is the disk /dev/ram0.
void start_ram_disk(const Ref<Node>& root) {
  constexpr u32 ram_disk = device_number(1, 0);
  const auto path = kernel().parameters.text("ramdisk");
  if (!path) return;
  Location location;
  location.root = location.current = root;
  const auto file = resolve(location, *path);
  if (!file || !(*file)->is(node_mode::regular)) {
    log_warning("ramdisk: there is no file {}", *path);
    return;
  }
  register_block_device({"ram0", ram_disk, new FileDisk(*file)});
  register_device(ram_disk, open_disk);
  (void)directory(*root, "dev")->make("ram0", node_mode::block | 0660, ram_disk);
}

/// The parameter mount=NAME: the ext2 of that disk is at /mnt before the first program starts.
void mount_disk(Node& root) {
  const auto name = kernel().parameters.text("mount");
  if (!name) return;
  for (const NamedBlockDevice& disk : block_devices()) {
    if (disk.name != *name) continue;
    const auto mounted = mount_ext2(*disk.blocks, MountAccess::ReadWrite);
    if (!mounted) return log_warning("mount: no ext2 on {} ({})", disk.name, name_of(mounted.error()));
    char source[32];
    BufferSink text(source);
    format(text, "/dev/{}", disk.name);
    return mount(directory(root, "mnt"), *mounted, {text.text(), "ext2", "/mnt"});
  }
  log_warning("mount: there is no disk {}", *name);
}

void open_console(Node& root) {
  const auto console = directory(root, "dev")->look_up("console");
  Process& process = *find_process(1);
  for (int i = 0; i < 3; ++i) {
    auto file = open_device(**console, open_flag::read_write);
    if (!file) panic("can't open the console");
    (*file)->flags = open_flag::read_write;
    (*file)->node = *console;
    (void)process.files->add(*file, FileTable::OnExec::Keep);
  }
}

}  // namespace

void start_user_space() {
  Kernel& system = kernel();
  set_boot_wall_seconds(read_rtc());
  register_calls();
  register_memory_devices();
  start_terminals();
  start_rtc(is_polled("rtc") ? RtcService::Polled : RtcService::Interrupts);
  start_disks();
  const Ref<Node> root = make_tmpfs(kernel_file_pages());
  const MemoryRange& archive = system.boot.initramfs;
  if (archive.end > archive.begin) {
    const auto* bytes = static_cast<const u8*>(direct(archive.begin));
    const auto unpacked = unpack_cpio(*root, {bytes, archive.end - archive.begin});
    if (!unpacked) panic("the initramfs is not a sound cpio archive ({})", name_of(unpacked.error()));
  }
  fill_devices(*root);
  start_ram_disk(root);
  mount_disk(*root);
  const std::string_view program = system.parameters.text("init").value_or("/init");
  const std::string_view arguments[] = {program};
  const std::string_view environment[] = {"HOME=/", "TERM=linux", "PATH=/sbin:/bin:/usr/sbin:/usr/bin"};
  const auto started = start_first_process(root, program, arguments, environment);
  if (!started) panic("can't start {} ({}); give an initramfs, and init=PATH", program, name_of(started.error()));
  open_console(*root);
}

}  // namespace pulse
