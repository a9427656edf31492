// A disk on the primary IDE channel, as drivers use it: PIO and bus-master DMA, IRQ 14, errors, resets
// (ATA/ATAPI-6, T13 1410D; Programming Interface for Bus Master IDE Controller 1.0). Its sector n is full of the byte
// n modulo 256; it has 2048 of them.
#include "tests/guest/runtime/pci.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {

constexpr u16 block = 0x1F0, control_block = 0x3F6;
enum Register : u16 { data, error, count, lba_low, lba_mid, lba_high, device, status };
constexpr u8 busy = 0x80, ready = 0x40, wants_data = 0x08, failed = 0x01;
constexpr u8 identify = 0xEC, read_sectors = 0x20, write_sectors = 0x30, read_multiple = 0xC4, set_multiple = 0xC6,
             read_dma = 0xC8, write_dma = 0xCA, flush = 0xE7, diagnose = 0x90, read_sectors_ext = 0x24;

volatile u32 interrupts;
volatile u8 last_status;
volatile bool master_asked;
u16 master;  // its ports

/// Busy: it is none of the command's (QEMU has one left over from a software reset).
void on_disk(Frame&) {
  if ((in8(control_block) & busy) != 0) return pic_end(14);
  interrupts = interrupts + 1;
  if (master != 0) {
    master_asked = (in8(master + 2) & 4) != 0;
    out8(master + 2, 4);
  }
  last_status = in8(block + status);
  pic_end(14);
}

u16 in16(u16 port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
void out16(u16 port, u16 value) { asm volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory"); }

u16 words[256];
void take() {
  for (u16& word : words) word = in16(block + data);
}
void put(u16 value) {
  for (u32 i = 0; i < 256; ++i) out16(block + data, value);
}
/// All words are alike: what they are.
u32 content(const u16* from = words) {
  for (u32 i = 1; i < 256; ++i) {
    if (from[i] != from[0]) return 0xBAD0000 + i;
  }
  return from[0];
}

void wait_while_busy() {
  while ((in8(control_block) & busy) != 0) {
  }
}
void wait_for(u32 number) {
  while (interrupts < number) wait_for_interrupt();
}
void command(u8 which, u32 sector = 0, u8 sectors = 0) {
  wait_while_busy();
  window();
  out8(block + device, static_cast<u8>(0xE0 | sector >> 24));
  out8(block + count, sectors);
  out8(block + lba_low, static_cast<u8>(sector));
  out8(block + lba_mid, static_cast<u8>(sector >> 8));
  out8(block + lba_high, static_cast<u8>(sector >> 16));
  interrupts = 0;
  out8(block + status, which);
}
/// One that interrupts once; its status, without the bits that are of no meaning here.
u8 complete(u8 which, u32 sector = 0, u8 sectors = 0) {
  command(which, sector, sectors);
  wait_for(1);
  return last_status & (busy | ready | wants_data | failed);
}

void who_is_there() {
  wait_while_busy();
  check("signature of a disk", u32{in8(block + lba_mid)} << 8 | in8(block + lba_high), 0);
  out8(block + device, 0xF0);
  check("device 1 is not there: status", in8(block + status), 0);
  out8(block + device, 0xE0);
  check_true("device 0 is", (in8(block + status) & ready) != 0);

  check("IDENTIFY DEVICE wants its data read", complete(identify), ready | wants_data);
  check("with one interrupt", interrupts, 1);
  take();
  check("it has LBA and DMA", words[49] & 0x0300, 0x0300);
  check("48-bit addresses and FLUSH CACHE", words[83] & 0x1400, 0x1400);
  check("its sectors", words[60] | u32{words[61]} << 16, 2048);
  check("and by 48 bits", words[100] | u32{words[101]} << 16, 2048);
  check("nothing more", in8(control_block) & (busy | wants_data | failed), 0);
}

void by_the_cpu() {
  check("READ SECTORS wants its data read", complete(read_sectors, 5, 1), ready | wants_data);
  take();
  check("sector 5", content(), 0x0505);
  command(read_sectors, 0x1FF, 3);
  for (u32 i = 0; i < 3; ++i) {
    wait_for(i + 1);
    take();
    check("one of three sectors", content(), (0xFF + i) % 256 * 0x0101);
  }
  check("an interrupt for each", interrupts, 3);

  command(write_sectors, 700, 2);
  wait_while_busy();
  check("WRITE SECTORS asks for the first sector without an interrupt", interrupts, 0);
  put(0x1234);
  wait_for(1);
  check("asks for the second with one", last_status & (busy | wants_data), wants_data);
  put(0x5678);
  wait_for(2);
  check("ends with one", last_status & (busy | wants_data | failed), 0);
  check("FLUSH CACHE", complete(flush), ready);
  complete(read_sectors, 700, 1);
  take();
  check("the first is written", content(), 0x1234);
  complete(read_sectors, 701, 1);
  take();
  check("the second is written", content(), 0x5678);
  complete(read_sectors, 702, 1);
  take();
  check("the third is as it was", content(), 702 % 256 * 0x0101);

  check("SET MULTIPLE 8", complete(set_multiple, 0, 8), ready);
  command(read_multiple, 100, 10);
  wait_for(1);
  for (u32 i = 0; i < 8; ++i) take();
  check("READ MULTIPLE: the eighth", content(), 107 * 0x0101);
  wait_for(2);
  for (u32 i = 0; i < 2; ++i) take();
  check("the tenth", content(), 109 * 0x0101);
  check("in two blocks", interrupts, 2);

  wait_while_busy();
  out8(block + count, 0);
  out8(block + lba_low, 0);
  command(read_sectors_ext, 9, 1);
  wait_for(1);
  take();
  check("READ SECTORS EXT", content(), 0x0909);
}

struct Descriptor {
  u32 address, bytes;
};
alignas(4096) Descriptor table[4];
alignas(4096) u16 memory[4096];
u32 address_of(const void* place) { return static_cast<u32>(reinterpret_cast<word>(place)); }

void start_master(u8 direction) {
  out8(master, direction);
  out32(master + 4, address_of(table));
  out8(master + 2, 6);
}
void by_the_bus_master() {
  u32 slot = 0;
  while (slot < 32 && (pci_read(slot, 1, 8) >> 16) != 0x0101) ++slot;
  check_true("function 1 of a bridge is the IDE controller", slot < 32);
  pci_write(slot, 1, 4, pci_read(slot, 1, 4) | 5);
  const u16 ports = static_cast<u16>(pci_read(slot, 1, 0x20) & 0xFFFC);
  check_true("it has ports for the bus master", ports != 0);
  master = ports;

  table[0] = {address_of(memory), 512};
  table[1] = {address_of(memory) + 4096, 1024 | 0x80000000};
  start_master(8);
  command(read_dma, 40, 3);
  out8(master, 9);
  wait_for(1);
  check("READ DMA ends well", last_status & (busy | wants_data | failed), 0);
  check_true("the bus master has seen the interrupt", master_asked);
  check("and is done", in8(master + 2) & 3, 0);
  out8(master, 0);
  check("the first region", content(memory), 40 * 0x0101);
  check("the second", content(memory + 2048), 41 * 0x0101);
  check("its second half", content(memory + 2048 + 256), 42 * 0x0101);
  check("one interrupt", interrupts, 1);

  for (u32 i = 0; i < 512; ++i) memory[i] = static_cast<u16>(i < 256 ? 0xAAAA : 0xBBBB);
  table[0] = {address_of(memory), 1024 | 0x80000000};
  start_master(0);
  command(write_dma, 900, 2);
  out8(master, 1);
  wait_for(1);
  check("WRITE DMA ends well", last_status & (busy | wants_data | failed), 0);
  out8(master, 0);
  complete(read_sectors, 900, 1);
  take();
  check("the first sector", content(), 0xAAAA);
  complete(read_sectors, 901, 1);
  take();
  check("the second sector", content(), 0xBBBB);
}

void what_fails() {
  check("an unknown command", complete(0xFF), ready | failed);
  check("is aborted", in8(block + error), 4);
  check("a read behind the end", complete(read_sectors, 2048, 1), ready | failed);
  check_alone("is of a sector that is not found", in8(block + error), 0x10, "ATA/ATAPI-6, 8.27.6");

  out8(control_block, 2);
  command(identify);
  wait_while_busy();
  window();
  check("nIEN: no interrupt", interrupts, 0);
  out8(control_block, 0);
  window();
  {
    const NotCompared here("ATA/ATAPI-6, 7.8.4: INTRQ is enabled again");
    check("it comes when nIEN goes", interrupts, 1);
  }
  (void)in8(block + status);
  take();

  command(diagnose);
  wait_for(1);
  check("EXECUTE DEVICE DIAGNOSTIC: passed", in8(block + error), 1);
  check("device 0 reports", in8(block + device) & 0x10, 0);

  out8(control_block, 4);
  for (u32 i = 0; i < 1000; ++i) (void)in8(control_block);
  out8(control_block, 0);
  wait_while_busy();
  check("software reset: passed", in8(block + error), 1);
  check("signature", u32{in8(block + count)} << 8 | in8(block + lba_low), 0x0101);
  check("it answers again", complete(read_sectors, 77, 1), ready | wants_data);
  take();
  check("sector 77", content(), 77 * 0x0101);
}

}  // namespace

void guest_main() {
  set_handler(irq_base + 14, on_disk);
  pic_allow(1 << 14 | 1 << 2);
  out8(control_block, 0);
  who_is_there();
  by_the_cpu();
  by_the_bus_master();
  what_fails();
}
