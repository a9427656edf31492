// The protected-mode tests of z386, an 80386 in SystemVerilog: flat images, assembled with nasm -f bin, that stand at
// 10000h. They write 1 to port E0h when they have passed and FFh when not, and ask for interrupts of themselves by
// ports E8h to F8h.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "tests/conformance/cpu_bench.hpp"
#include "tests/conformance/suites.hpp"
#include "tests/process.hpp"

namespace vitrine::conformance {

namespace {

namespace fs = std::filesystem;

constexpr u64 code_base = 0x10000, ram_bytes = 16u << 20;
constexpr u64 most_instructions = 1'000'000;
/// The suite's delays are the clocks of its own processor, which takes about four to an instruction.
constexpr u64 clocks_per_instruction = 4;

/// Linear pages from `linear` on, and the physical ones that they show.
struct Mapping {
  u64 linear, physical, pages;
};
/// How a test that starts in protected mode finds the processor.
struct ProtectedStart {
  std::string_view name;
  u64 page_directory;  ///< CR3
  u64 data_base, stack_base, other_base;
  std::vector<Mapping> mappings;  ///< empty: paging is off
};

const std::vector<ProtectedStart>& protected_starts() {
  static const std::vector<ProtectedStart> starts = {
      {"mov_dr_cr3_preserve",
       0x5000,
       0x20000000,
       0x30000000,
       0,
       {{0x10000, 0x10000, 16}, {0x20000000, 0x20000, 1}, {0x20001000, 0x40000, 1}, {0x30000000, 0x60000, 1}}},
      {"pm_init",
       0,
       0x20000000,
       0x30000000,
       0,
       {{0x10000, 0x10000, 16}, {0x20000000, 0x20000, 1}, {0x30000000, 0x60000, 1}}},
      {"seg_paging",
       0,
       0x20000000,
       0x30000000,
       0,
       {{0x10000, 0x10000, 16},
        {0x20000000, 0x20000, 1},
        {0x20001000, 0x40000, 1},
        {0x20002000, 0x22000, 62},
        {0x30000000, 0x60000, 16}}},
      {"rep_stos_decode", 0, code_base, code_base, code_base, {}},
      // The suite's own table does not have it, but it is 32-bit code that finds its data at FS:0.
      {"prefix_fs_a16_mov", 0, code_base, code_base, code_base, {}},
      {"prefetch_flush_loops",
       0,
       0x20000000,
       0x30000000,
       0,
       {{0x10000, 0x10000, 16}, {0x20000000, 0x20000, 1}, {0x30000000, 0x60000, 1}}},
  };
  return starts;
}

/// Tests that ask for what only their own processor has.
struct Other {
  std::string_view name, reason;
};
constexpr Other others[] = {
    {"instruction_timing", "measures the clocks of its processor"},
    {"fpu_detect", "expects that there is no coprocessor"},
    // Its OUT in virtual-8086 mode is #GP, as its I/O map lies outside the TSS (SDM vol. 1, 19.5.2). QEMU ends in the
    // same triple fault; with a map, both pass.
    {"v86_monitor_bounce_stack", "is wrong: it expects OUT in virtual-8086 mode to go through without an I/O map"},
};

/// The ports of the test bench, and the interrupts that are asked for there.
class TestPorts final : public Device, public InterruptAcknowledger {
 public:
  static constexpr u16 first = 0xE0, count = 0x1C;
  [[nodiscard]] std::string_view name() const override { return "test-ports"; }
  void reset() override {}
  void exchange(Archive&) override {}
  u64 read(Region, u64, AccessSize) override { return 0xFF; }
  void write(Region, u64 offset, AccessSize, u64 value) override {
    switch (offset & ~u64{3}) {
      case 0x00:
        status = static_cast<u8>(value);
        break;
      case 0x04:
        data = static_cast<u32>(value);
        break;
      case 0x08:
        wants_nmi = value == 2;
        fires_in = 1 + (delay_instructions != 0 ? delay_instructions : delay_clocks / clocks_per_instruction);
        break;
      case 0x0C:
        delay_clocks = value & 0xFFFF;
        break;
      case 0x10:
        delay_instructions = value & 0xFFFF;
        break;
      case 0x14:
        vector = static_cast<u8>(value);
        break;
      default:
        break;
    }
  }
  Acknowledged acknowledge() override {
    cpu->line_changed(Pin(Cpu::intr_pin), Level::Low, RequestId(0));
    return {.vector = Vector(vector), .request = RequestId(1)};
  }
  void fire() {
    fires_in.reset();
    const Pin pin(wants_nmi ? Cpu::nmi_pin : Cpu::intr_pin);
    cpu->line_changed(pin, Level::High, RequestId(1));
    if (wants_nmi) cpu->line_changed(pin, Level::Low, RequestId(1));
  }

  Cpu* cpu = nullptr;
  u8 status = 0, vector = 0x20;
  u32 data = 0;
  std::optional<u64> fires_in;  ///< instructions until the interrupt that was asked for

 private:
  u64 delay_clocks = 50, delay_instructions = 0;
  bool wants_nmi = false;
};

class Z386Test {
 public:
  Z386Test(std::string_view name, const std::string& image) : bench_(ram_bytes, &ports_) {
    ports_.cpu = &bench_.cpu();
    VITRINE_ASSERT(bench_.ports().map(Port(TestPorts::first), TestPorts::count, ports_, Region(0)));
    for (std::size_t i = 0; i < image.size(); ++i) bench_.write(code_base + i, static_cast<u8>(image[i]));
    const auto& starts = protected_starts();
    const auto start = std::ranges::find(starts, name, &ProtectedStart::name);
    if (start == starts.end()) {
      start_real();
    } else {
      start_protected(*start);
    }
    bench_.cpu().state_changed();
  }

  std::string run() {
    Cpu& cpu = bench_.cpu();
    while (cpu.state.instructions < most_instructions && ports_.status == 0) {
      const CpuExit why = cpu.run(1);
      if (why == CpuExit::Shutdown) return "fail, triple fault";
      if (ports_.fires_in && (--*ports_.fires_in == 0 || why == CpuExit::Halted)) {
        ports_.fire();
      } else if (why == CpuExit::Halted && !cpu.can_wake()) {
        break;
      }
    }
    if (ports_.status == 1) return "pass";
    return fmt::format("fail, {:#x}", ports_.data);
  }

 private:
  void start_real() {
    CpuState& state = bench_.cpu().state;
    for (Segment& segment : state.segments) segment = {.limit = 0xFFFF, .attributes = 0x0093};
    state.segments[cs].selector = code_base >> 4;
    state.segments[cs].base = code_base;
    state.idtr = {.base = 0, .limit = 0x3FF};
    state.rip = 0;
  }
  void start_protected(const ProtectedStart& start) {
    CpuState& state = bench_.cpu().state;
    const auto segment = [](u16 selector, u64 base, u16 access) {
      return Segment{.selector = selector, .base = base, .limit = 0xFFFFFFFF, .attributes = access, .usable = true};
    };
    state.segments[cs] = segment(0x08, code_base, 0xC09B);
    state.segments[ds] = segment(0x10, start.data_base, 0xC093);
    state.segments[ss] = segment(0x18, start.stack_base, 0xC093);
    state.segments[es] = segment(0x20, start.other_base, 0xC093);
    state.segments[vitrine::fs] = segment(0x28, start.other_base, 0xC093);
    state.segments[gs] = segment(0x30, start.other_base, 0xC093);
    state.cr0 = cr0_bit::et | cr0_bit::pe | (start.mappings.empty() ? 0 : cr0_bit::pg);
    state.cr3 = start.page_directory;
    state.rip = 0;
    map(start);
  }
  void write_entry(u64 address, u64 value) {
    for (unsigned i = 0; i < 4; ++i) bench_.write(address + i, static_cast<u8>(value >> (8 * i)));
  }
  void map(const ProtectedStart& start) {
    constexpr u64 rights = 0x23;  // present, writable, accessed
    std::map<u64, u64> tables;    // by entry of the directory
    for (const Mapping& mapping : start.mappings) {
      for (u64 page = 0; page < mapping.pages; ++page) {
        const u64 linear = mapping.linear + page * 0x1000;
        const u64 table =
            tables.try_emplace(linear >> 22, start.page_directory + (tables.size() + 1) * 0x1000).first->second;
        write_entry(start.page_directory + (linear >> 22) * 4, table | rights);
        write_entry(table + (linear >> 12 & 0x3FF) * 4, (mapping.physical + page * 0x1000) | rights);
      }
    }
  }

  TestPorts ports_;
  CpuBench bench_;
};

}  // namespace

Verdict run_z386(const Request& request) {
  std::vector<fs::path> images;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(request.path, ignored)) {
    if (entry.path().extension() == ".bin") images.push_back(entry.path());
  }
  if (images.empty()) {
    fmt::print(stderr, "{} has no .bin files: assemble z386's tests with nasm -f bin.\n", request.path.string());
    return Verdict::CannotRun;
  }
  std::ranges::sort(images);
  bool all_good = true;
  fmt::print("| z386 | Vitrine |\n|---|---|\n");
  for (const fs::path& image : images) {
    const std::string name = image.stem().string();
    if (!request.only.empty() && std::ranges::count(request.only, name) == 0) continue;
    const auto other = std::ranges::find(others, name, &Other::name);
    if (other != std::end(others)) {
      fmt::print("| {} | not run: {} |\n", name, other->reason);
      continue;
    }
    const std::string ending = Z386Test(name, tests::contents_of(image)).run();
    fmt::print("| {} | {} |\n", name, ending);
    all_good &= ending == "pass";
  }
  return all_good ? Verdict::Passed : Verdict::Failed;
}

}  // namespace vitrine::conformance
