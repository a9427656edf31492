// A CPU on a bench with 4 MiB of RAM, for tests of its system half: tables that tests fill, hand-assembled programs.
// Included by *_test.cpp files only.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "machine/core/bus.hpp"
#include "machine/cpu/cpu.hpp"

namespace vitrine {

struct SystemBench : testing::Test {
  // The map of memory. GDT entries are named by their selectors.
  static constexpr u64 gdt = 0x1000, idt = 0x2000, tss = 0x3000, second_tss = 0x3800, page_tables = 0x20000;
  static constexpr u64 kernel_stack = 0x8000, user_stack = 0x9000, program = 0x10000, handlers = 0x18000;
  enum Selector : u16 {
    code0 = 0x08,
    data0 = 0x10,
    code3 = 0x1B,
    data3 = 0x23,
    tss_selector = 0x28,
    call_gate = 0x30,
    code16 = 0x38,
    second_tss_selector = 0x40,
    absent = 0x48,
    long_code0 = 0x50,
    long_data0 = 0x58,
    long_code3 = 0x73,
    task_gate = 0x78,
    long_data3 = 0x6B
  };
  static constexpr u64 ram_size = 4u << 20;

  struct Controller final : InterruptAcknowledger {
    Acknowledged acknowledge() override {
      ++acknowledged;
      if (cpu != nullptr) cpu->line_changed(Pin(Cpu::intr_pin), Level::Low, RequestId(0));
      return {.vector = Vector(vector), .request = RequestId(77)};
    }
    Cpu* cpu = nullptr;
    u8 vector = 0x40;
    int acknowledged = 0;
  };
  struct Sink final : LedgerSink {
    void consume(std::span<const Record> more) override { records.insert(records.end(), more.begin(), more.end()); }
    std::vector<Record> records;
  };
  /// Answers every port with its number; counts what is written.
  struct PortDevice final : Device {
    [[nodiscard]] std::string_view name() const override { return "ports"; }
    void reset() override {}
    void exchange(Archive&) override {}
    u64 read(Region, u64 offset, AccessSize) override { return ++reads, offset; }
    void write(Region, u64, AccessSize, u64 value) override { last = value; }
    u64 reads = 0;
    u64 last = 0;
  };
  struct FreeMemory {
    void operator()(u8* pointer) const { std::free(pointer); }
  };

  SystemBench() {
    std::memset(ram.get(), 0, ram_size);
    EXPECT_TRUE(memory.map_ram(PhysicalAddress(0), ram_size, ram.get(), MemoryBus::Kind::Ram));
    EXPECT_TRUE(ports.map(Port(0x100), 16, port_device, Region(0), 0x100));
    cpu = std::make_unique<Cpu>(DeviceContext{clock, events, ledger, DeviceId(0), ledger.register_source("cpu0")},
                                memory, ports, &controller, 1);
    controller.cpu = cpu.get();
    ledger.attach(sink);
  }

  // --- memory
  // ---------------------------------------------------------------------------------------------------------
  void put(u64 address, std::initializer_list<int> bytes) {
    for (const int byte : bytes) ram.get()[address++] = static_cast<u8>(byte);
    cpu->ram_written(PhysicalAddress(address - bytes.size()), bytes.size());
  }
  template <class T>
  void store(u64 address, T value) {
    std::memcpy(ram.get() + address, &value, sizeof value);
  }
  template <class T = u32>
  T load(u64 address) const {
    T value;
    std::memcpy(&value, ram.get() + address, sizeof value);
    return value;
  }

  // --- tables
  // ---------------------------------------------------------------------------------------------------------
  static u64 descriptor(u32 base, u32 limit, u32 access, u32 flags) {
    return (limit & 0xFFFF) | static_cast<u64>(base & 0xFFFFFF) << 16 | static_cast<u64>(access) << 40 |
           static_cast<u64>(limit >> 16 & 0xF) << 48 | static_cast<u64>(flags) << 52 |
           static_cast<u64>(base >> 24) << 56;
  }
  static u64 gate(u16 selector, u32 offset, u32 access, u32 parameters = 0) {
    return (offset & 0xFFFF) | static_cast<u64>(selector) << 16 | static_cast<u64>(parameters) << 32 |
           static_cast<u64>(access) << 40 | static_cast<u64>(offset >> 16) << 48;
  }
  void set_descriptor(u16 selector, u64 value) { store(gdt + (selector & 0xFFF8u), value); }
  static constexpr u64 handler(unsigned vector) { return handlers + vector * 16; }
  /// 32-bit gate; each handler is at handler(vector), a HLT unless a test writes another.
  void set_gate(unsigned vector, u32 access = 0x8E, u16 selector = code0) {
    store(idt + vector * 8, gate(selector, static_cast<u32>(handler(vector)), access));
    put(handler(vector), {0xF4});
  }
  void set_long_gate(unsigned vector, u32 access = 0x8E, unsigned stack_table = 0) {
    store(idt + vector * 16, gate(long_code0, static_cast<u32>(handler(vector)), access, stack_table));
    store(idt + vector * 16 + 8, u64{0});
    put(handler(vector), {0xF4});
  }
  void set_tables() {
    set_descriptor(code0, descriptor(0, 0xFFFFF, 0x9B, 0xC));
    set_descriptor(data0, descriptor(0, 0xFFFFF, 0x93, 0xC));
    set_descriptor(code3, descriptor(0, 0xFFFFF, 0xFB, 0xC));
    set_descriptor(data3, descriptor(0, 0xFFFFF, 0xF3, 0xC));
    set_descriptor(tss_selector, descriptor(tss, 0x2FF, 0x89, 0));
    set_descriptor(code16, descriptor(0, 0xFFFF, 0x9B, 0));
    set_descriptor(second_tss_selector, descriptor(second_tss, 0x67, 0x89, 0));
    set_descriptor(absent, descriptor(0, 0xFFFFF, 0x13, 0xC));
    set_descriptor(long_code0, descriptor(0, 0xFFFFF, 0x9B, 0xA));
    set_descriptor(long_data0, descriptor(0, 0xFFFFF, 0x93, 0xC));
    set_descriptor(long_data3, descriptor(0, 0xFFFFF, 0xF3, 0xC));
    set_descriptor(long_code3, descriptor(0, 0xFFFFF, 0xFB, 0xA));
    store<u32>(tss + 4, kernel_stack);
    store<u16>(tss + 8, data0);
    store<u16>(tss + 102, 0x68);
    std::memset(ram.get() + tss + 0x68, 0xFF, 0x100);
    cpu->state.gdtr = {.base = gdt, .limit = 0xFF};
    cpu->state.idtr = {.base = idt, .limit = 0x7FF};
  }

  // --- modes
  // ----------------------------------------------------------------------------------------------------------
  Segment segment_of(u16 selector) const {
    const u64 raw = load<u64>(gdt + (selector & 0xFFF8u));
    const u32 limit = static_cast<u32>((raw & 0xFFFF) | (raw >> 32 & 0xF0000));
    return {.selector = selector,
            .base = (raw >> 16 & 0xFFFFFF) | (raw >> 56) << 24,
            .limit = (raw >> 55 & 1) != 0 ? limit << 12 | 0xFFF : limit,
            .attributes = static_cast<u16>(raw >> 40 & 0xF0FF),
            .usable = true};
  }
  void enter(u16 code, u16 data, u64 stack) {
    CpuState& state = cpu->state;
    for (const SegmentIndex index : {es, ss, ds, fs, gs}) state.segments[index] = segment_of(data);
    state.segments[cs] = segment_of(code);
    state.gpr[rsp] = stack;
    state.rip = program;
    cpu->state_changed();
  }
  void load_task_register() {
    cpu->state.tr = segment_of(tss_selector);
    cpu->state.tr.attributes |= 2;
    store<u8>(gdt + tss_selector + 5, 0x8B);
  }
  void real_mode() {
    CpuState& state = cpu->state;
    for (Segment& segment : state.segments) segment = {.limit = 0xFFFF, .attributes = 0x0093};
    state.idtr = {.base = 0, .limit = 0x3FF};
    state.gpr[rsp] = 0x7000;
    state.rip = 0x500;
    cpu->state_changed();
  }
  void protected_mode() {
    set_tables();
    cpu->state.cr0 = 0x11;
    load_task_register();
    enter(code0, data0, kernel_stack);
  }
  void user_mode() {
    protected_mode();
    enter(code3, data3, user_stack);
  }
  void long_mode() {
    set_tables();
    set_descriptor(tss_selector, descriptor(tss, 0x67, 0x8B, 0));
    // One GiB mapped one to one with 2-MiB pages, for all privileges.
    store<u64>(page_tables, (page_tables + 0x1000) | 7);
    store<u64>(page_tables + 0x1000, (page_tables + 0x2000) | 7);
    for (u64 i = 0; i < 2; ++i) store<u64>(page_tables + 0x2000 + i * 8, i << 21 | 0x87);
    CpuState& state = cpu->state;
    state.cr0 = 0x80010011;
    state.cr4 = cr4_bit::pae;
    state.cr3 = page_tables;
    state.efer = efer_bit::lme | efer_bit::lma | efer_bit::nxe | efer_bit::sce;
    state.idtr.limit = 0xFFF;
    store<u64>(tss + 4, kernel_stack);
    load_task_register();
    enter(long_code0, long_data0, kernel_stack);
  }

  // --- running
  // --------------------------------------------------------------------------------------------------------
  /// Runs until HLT, shutdown or `budget`, over device accesses.
  CpuExit run(u64 budget = 1000) {
    for (;;) {
      const u64 before = cpu->state.instructions;
      const CpuExit reason = cpu->run(budget);
      const u64 used = cpu->state.instructions - before;
      if (reason != CpuExit::DeviceAccess || used >= budget) return reason;
      budget -= used;
    }
  }
  void raise_interrupt(u64 request = 77) { cpu->line_changed(Pin(Cpu::intr_pin), Level::High, RequestId(request)); }
  void pulse_nmi() {
    cpu->line_changed(Pin(Cpu::nmi_pin), Level::High, RequestId(5));
    cpu->line_changed(Pin(Cpu::nmi_pin), Level::Low, RequestId(0));
  }
  [[nodiscard]] u64& reg(RegisterSlot slot) { return cpu->state.gpr[slot]; }
  /// True if the CPU halted in the handler of `vector`.
  [[nodiscard]] bool in_handler(unsigned vector) const {
    return cpu->state.halted && cpu->state.rip == handler(vector) + 1;
  }
  std::vector<Record> records(RecordKind kind) {
    ledger.flush();
    std::vector<Record> found;
    for (const Record& record : sink.records) {
      if (record.kind == kind) found.push_back(record);
    }
    return found;
  }

  std::unique_ptr<u8, FreeMemory> ram{static_cast<u8*>(std::aligned_alloc(4096, ram_size))};
  Clock clock;
  EventQueue events;
  Ledger ledger{clock};
  MemoryBus memory;
  PortBus ports;
  PortDevice port_device;
  Controller controller;
  Sink sink;
  std::unique_ptr<Cpu> cpu;
};

}  // namespace vitrine
