// A whole machine with a guest of a few instructions that are placed in memory by hand, for its tests.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "machine/boards/machine.hpp"
#include "machine/boards/machine_records.hpp"

namespace vitrine {

struct Out final : Outputs {
  void byte_out(Channel channel, u8 byte) override {
    bytes.emplace_back(channel, byte);
    if (on_byte) on_byte();
  }
  std::vector<std::pair<Channel, u8>> bytes;
  std::function<void()> on_byte;
};

/// 16-bit code that is put together byte by byte.
class Code {
 public:
  static constexpr u16 origin = 0x1000;
  Code& operator()(std::initializer_list<int> bytes) {
    for (const int byte : bytes) bytes_.push_back(static_cast<u8>(byte));
    return *this;
  }
  /// mov al, value; out port, al
  Code& out(u8 port, u8 value) { return (*this)({0xB0, value, 0xE6, port}); }
  /// mov word [address], value
  Code& store(u16 address, u16 value) {
    return (*this)({0xC7, 0x06, address & 0xFF, address >> 8, value & 0xFF, value >> 8});
  }
  [[nodiscard]] u16 here() const { return static_cast<u16>(origin + bytes_.size()); }
  [[nodiscard]] const std::vector<u8>& bytes() const { return bytes_; }

 private:
  std::vector<u8> bytes_;
};

constexpr u16 counter = 0x500;      // where the handlers count
constexpr u16 handler_at = 0x2000;  // where they stand

enum class Watched : u8 { No, Yes };

/// A machine with a guest in real mode: all segments 0, stack below 0x7000.
struct Guest {
  Out out;
  MachineRecords sink;
  std::unique_ptr<Machine> machine;

  explicit Guest(const Code& code, Watched watched = Watched::Yes) {
    machine = *Machine::create({.memory_bytes = u64{1} << 20, .outputs = &out});
    if (watched == Watched::Yes) machine->ledger().attach(sink);
    machine->initialise_as_firmware();
    put(Code::origin, code.bytes());
    // push ax; inc word [counter]; mov al, 0x20; out 0x20, al; pop ax; iret
    put(handler_at, {0x50, 0xFF, 0x06, counter & 0xFF, counter >> 8, 0xB0, 0x20, 0xE6, 0x20, 0x58, 0xCF});
    CpuState& state = machine->cpu().state;
    for (Segment& segment : state.segments) {
      segment.selector = 0;
      segment.base = 0;
    }
    state.rip = Code::origin;
    state.gpr[rsp] = 0x7000;
    machine->cpu().state_changed();
  }
  void put(u16 address, const std::vector<u8>& bytes) const {
    ASSERT_TRUE(machine->memory().write_block(PhysicalAddress(address), bytes));
  }
  [[nodiscard]] u64 word(u16 address) const { return machine->memory().peek(PhysicalAddress(address), AccessSize(2)); }
  Machine::RunResult run_for(u64 nanoseconds) const {
    return machine->run({.until = machine->clock().now() + nanoseconds});
  }
  std::vector<Record> records(RecordKind kind) { return sink.of(*machine, kind); }
  [[nodiscard]] std::vector<u8> save() const {
    Archive archive = Archive::saver();
    machine->exchange(archive);
    return archive.bytes();
  }
};

/// PIT channel 0 in mode 2 with 1193 counts (about 1 kHz), only IRQ 0 open, handler on vector 8.
inline Code timer_at_1_khz() {
  Code code;
  code({0xFA}).store(8 * 4, handler_at).store(8 * 4 + 2, 0);
  code.out(0x43, 0x34).out(0x40, 0xA9).out(0x40, 0x04).out(0x21, 0xFE).out(0xA1, 0xFF);
  return code;
}
/// ... and then spins with interrupts on: sti; inc cx; jmp.
inline Code spinning_with_timer() { return timer_at_1_khz()({0xFB, 0x41, 0xEB, 0xFD}); }
/// ... or sleeps: sti; hlt; jmp.
inline Code sleeping_with_timer() { return timer_at_1_khz()({0xFB, 0xF4, 0xEB, 0xFD}); }

}  // namespace vitrine
