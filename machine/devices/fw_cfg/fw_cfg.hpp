// The firmware configuration device: where guests made for QEMU ask how many CPUs and how much memory there are.
//
// Source: QEMU's documentation, "QEMU Firmware Configuration (fw_cfg) Device". No hardware has this.
// A 16-bit write to port 510h selects an item, byte reads of port 511h give its bytes in order, then zeroes. Numbers of
// items are little-endian, those of the file directory big-endian. Items: 0000h signature "QEMU", 0001h revision (with
// DMA), 0003h memory in bytes (64 bits), 0005h CPUs that are there and 000Fh that may come (16 bits), 0019h the file
// directory, and from 0020h on the files.
//
// DMA: ports 514h and 518h take the two halves of an address, big-endian, and the lower one starts. There, big-endian:
// control (32 bits: 0 error, 1 read, 2 skip, 3 select the item in bits 31:16, 4 write), length (32), address (64). When
// it is done, which is at once, control is 0, or 1 for an error: nothing is writable, the address is not RAM, or more
// than `most_dma_bytes` are wanted (QEMU has no such limit; no item is near it).
//
// Interrupts: none.
// Not modelled: writing (as QEMU since 2.4), what is for firmware only: tables, kernels, boot order.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/core/bus.hpp"
#include "machine/core/device.hpp"

namespace vitrine {

class FwCfg final : public Device {
 public:
  static constexpr Region registers{0};
  static constexpr Port first_port{0x510};
  static constexpr u32 port_count = 12;
  static constexpr u64 select_offset = 0, data_offset = 1, dma_offset = 4;
  static constexpr u32 most_dma_bytes = 1u << 16;
  enum Item : u16 {
    signature = 0x0000,
    revision = 0x0001,
    memory_size = 0x0003,
    cpu_count = 0x0005,
    most_cpus = 0x000F,
    file_directory = 0x0019,
    first_file = 0x0020,
  };
  static constexpr std::size_t most_files = 64, longest_name = 55;

  struct Setup {
    u64 memory_bytes = 0;
    u16 cpus = 1;
    struct File {
      std::string name;  ///< at most longest_name characters
      std::vector<u8> bytes;
    };
    std::vector<File> files{};  ///< at most most_files
  };
  FwCfg(DeviceContext context, const Setup& setup, MemoryBus& memory);

  [[nodiscard]] std::string_view name() const override { return "fw-cfg"; }
  void reset() override { state_ = State{}; }
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

 private:
  struct State {
    u16 selected = signature;
    u32 position = 0;
    u32 dma_address_high = 0;
  };
  [[nodiscard]] std::span<const u8> item() const;
  void start_dma(PhysicalAddress access);
  [[nodiscard]] bool transfer(u32 control, u32 length, PhysicalAddress address);

  std::map<u16, std::vector<u8>> items_;
  MemoryBus& memory_;
  State state_;
};

}  // namespace vitrine
