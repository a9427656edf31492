// Random guest code on random tables in every mode of the CPU, on a whole machine. Nothing may crash, hang, or read the
// host's memory; the same input gives the same ledger, output and state; and a machine that is restored half-way and
// run in small steps ends as the one that was not.
//
// The input: mode and options, a list of changes to tables, registers and memory, then code.

#include <array>
#include <span>
#include <vector>

#include "base/assert.hpp"
#include "machine/boards/machine.hpp"
#include "machine/cpu/cpu.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

enum class Mode : u8 { Real, BigReal, Protected16, Protected32, Paging32, Pae, V86, Compatibility, Long, LongHigh };
constexpr u8 modes = 10;

// The map of memory. The machine's RAM ends at 2 MiB.
constexpr u64 gdt = 0x1000, idt = 0x2000, tss = 0x3000, second_tss = 0x3800, ldt = 0x3C00, tss64 = 0x4000,
              idt64 = 0x5000, kernel_stack = 0x8000, user_stack = 0x9000, program = 0x10000, handlers = 0x18000,
              tables = 0x20000, memory_bytes = 0x200000;
constexpr u64 pml4 = tables, pdpt = tables + 0x1000, directory = tables + 0x2000, page_table = tables + 0x3000,
              pae_pointers = tables + 0x4000, directory32 = tables + 0x5000, page_table32 = tables + 0x6000;
constexpr u64 high_half = ~u64{0} << 47;
enum Selector : u16 {
  code0 = 0x08,
  data0 = 0x10,
  code3 = 0x1B,
  data3 = 0x23,
  tss_selector = 0x28,
  code16 = 0x38,
  data16 = 0x40,
  long_code0 = 0x50,
  long_code3 = 0x73,
  ldt_selector = 0x80,
  tss64_selector = 0x90,
};

// Where accesses cross something: pages, RAM's end, video memory, ROM, 64 KiB, 4 GiB, the canonical halves.
constexpr std::array<u64, 24> edges = {0,           1,          0xFFF,      0xFFFC,        0x10000,    program,
                                       0x9FFFE,     0xBFFFC,    0xEFFFF,    0xFFFF0,       0x1FFFF8,   0x1FFFFF,
                                       0x200000,    0x7FFFFFFF, 0x80000000, 0xBFFFFFFC,    0xFFFFFFFE, 0xFFFFFFFF,
                                       0x100000000, ~u64{0},    ~u64{1},    high_half - 4, ~high_half, kernel_stack};

u64 descriptor(u32 base, u32 limit, u32 access, u32 flags) {
  return (limit & 0xFFFF) | u64{base & 0xFFFFFF} << 16 | u64{access} << 40 | u64{limit >> 16 & 0xF} << 48 |
         u64{flags} << 52 | u64{base >> 24} << 56;
}
u64 gate(u16 selector, u64 offset, u32 access) {
  return (offset & 0xFFFF) | u64{selector} << 16 | u64{access} << 40 | (offset >> 16 & 0xFFFF) << 48;
}

/// Everything that leaves the machine, as one number.
struct Digest final : LedgerSink, Outputs {
  void add(const void* data, std::size_t size) {
    for (const u8 byte : std::span(static_cast<const u8*>(data), size)) value = (value ^ byte) * 0x100000001B3;
  }
  void consume(std::span<const Record> records) override { add(records.data(), records.size_bytes()); }
  void byte_out(Channel channel, u8 byte) override {
    add(&channel, 1);
    add(&byte, 1);
  }
  u64 value = 0xCBF29CE484222325;
};

class Bench {
 public:
  Bench() {
    machine_ = *Machine::create({.memory_bytes = memory_bytes, .outputs = &digest_});
    machine_->ledger().attach(digest_);
    machine_->initialise_as_firmware();
    fresh_ = saved();
  }

  void run(std::span<const u8> input) {
    const Ending whole = play(input);
    const Ending again = play(input);
    VITRINE_ASSERT(whole.half_way == again.half_way);
    VITRINE_ASSERT(whole.state == again.state);
    VITRINE_ASSERT(whole.digest == again.digest);
    // From the half-way point, in steps.
    restore(whole.half_way);
    u64 step = step_;
    while (!ended_ && at() < until_) {
      go(std::min(until_, at() + step));
      step = step % 7 + 1;
    }
    machine_->ledger().flush();
    VITRINE_ASSERT(digest_.value == whole.digest_of_second_half);
    VITRINE_ASSERT(saved() == whole.state);
  }

 private:
  struct Ending {
    std::vector<u8> half_way, state;
    u64 digest = 0, digest_of_second_half = 0;
  };

  std::vector<u8> saved() {
    Archive archive = Archive::saver();
    machine_->exchange(archive);
    return archive.bytes();
  }
  void restore(const std::vector<u8>& state) {
    Archive archive = Archive::loader(state);
    machine_->exchange(archive);
    VITRINE_ASSERT(archive.ok() && archive.at_end());  // what a run leaves is what restoring accepts
    machine_->ledger().flush();
    digest_ = Digest{};
    ended_ = false;
  }

  [[nodiscard]] u64 at() const { return machine_->cpu().state.instructions; }
  void go(u64 instructions) {
    const u64 before = at();
    const auto result = machine_->run({.until = latest_, .instructions = instructions});
    using enum Machine::StopReason;
    ended_ = result.reason != InstructionLimit;
    const Cpu& cpu = machine_->cpu();
    VITRINE_ASSERT(at() >= before && at() <= instructions + 8);  // a delivery or two more
    VITRINE_ASSERT(cpu.state.gpr[zero_slot] == 0 && cpu.live_frames.size() <= Cpu::most_live_frames);
    VITRINE_ASSERT(machine_->clock().now().value < latest_.value + 8);
  }

  Ending play(std::span<const u8> input) {
    restore(fresh_);
    InputBytes bytes(input);
    set_up(bytes);
    latest_ = machine_->clock().now() + 200'000;
    const u64 half_way = at() + bytes.take(1) * 4;
    step_ = 1 + bytes.take(1) % 64;
    until_ = half_way + 1000;
    put_code(bytes.rest());
    Ending ending;
    go(half_way);
    machine_->ledger().flush();
    const u64 first_digest = digest_.value;
    ending.half_way = saved();
    digest_ = Digest{};
    if (!ended_) go(until_);
    machine_->ledger().flush();
    ending.digest_of_second_half = digest_.value;
    ending.digest = digest_.value ^ first_digest * 31;
    ending.state = saved();
    return ending;
  }

  template <class T>
  void store(u64 address, T value) {
    machine_->memory().write(PhysicalAddress(address), AccessSize(sizeof value), static_cast<u64>(value));
  }
  void put(u64 address, std::span<const u8> bytes) {
    VITRINE_ASSERT(machine_->memory().write_block(PhysicalAddress(address), bytes));
  }

  void put_tables() {
    const u64 descriptors[] = {0,
                               descriptor(0, 0xFFFFF, 0x9B, 0xC),           // 08
                               descriptor(0, 0xFFFFF, 0x93, 0xC),           // 10
                               descriptor(0, 0xFFFFF, 0xFB, 0xC),           // 18
                               descriptor(0, 0xFFFFF, 0xF3, 0xC),           // 20
                               descriptor(tss, 0x7FF, 0x8B, 0),             // 28
                               gate(code0, handlers, 0xEC),                 // 30
                               descriptor(program, 0xFFFF, 0x9B, 0),        // 38
                               descriptor(0x100, 0xFEFF, 0x93, 0),          // 40
                               descriptor(second_tss, 0x67, 0xE9, 0),       // 48
                               descriptor(0, 0xFFFFF, 0x9B, 0xA),           // 50
                               descriptor(0, 0xFFFFF, 0x93, 0xC),           // 58
                               descriptor(0, 0x00001, 0x97, 0xC),           // 60: expand-down
                               descriptor(0, 0xFFFFF, 0xF3, 0xC),           // 68
                               descriptor(0, 0xFFFFF, 0xFB, 0xA),           // 70
                               gate(0x48, 0, 0xE5),                         // 78: task gate
                               descriptor(ldt, 0x3F, 0x82, 0),              // 80
                               descriptor(0xFFFFF000, 0x00001, 0x93, 0xC),  // 88: wraps at 4 GiB
                               descriptor(tss64, 0x7FF, 0x8B, 0),
                               0,  // 90
                               gate(long_code0, handlers, 0xEC),
                               0};  // A0
    for (std::size_t i = 0; i < std::size(descriptors); ++i) store(gdt + i * 8, descriptors[i]);
    for (u64 i = 0; i < 8; ++i) store(ldt + i * 8, descriptors[i + 1]);
    for (u64 vector = 0; vector < 256; ++vector) {
      const u64 handler = handlers + std::min<u64>(vector, 32) * 32;
      store(idt + vector * 8, gate(code0, handler, vector < 32 ? 0x8E : 0xEE));
      store(idt64 + vector * 16, gate(long_code0, handler, vector < 32 ? 0x8E : 0xEE));
      store<u32>(vector * 4, static_cast<u32>((handlers / 16) << 16 | (handler - handlers)));
    }
    for (const u64 segment : {tss, second_tss}) {
      for (u64 level = 0; level < 3; ++level) {
        store<u32>(segment + 4 + level * 8, static_cast<u32>(kernel_stack));
        store<u32>(segment + 8 + level * 8, data0);
      }
      store<u32>(segment + 0x20, static_cast<u32>(program));
      store<u32>(segment + 0x24, 2);
      store<u32>(segment + 0x38, static_cast<u32>(kernel_stack));
      for (u64 i = 0; i < 6; ++i) store<u32>(segment + 0x48 + i * 4, i == 1 ? u32{code0} : u32{data0});
      store<u16>(segment + 0x66, 0x68);
    }
    for (u64 i = 0; i < 10; ++i) store(tss64 + 4 + i * 8, kernel_stack);
    store<u16>(tss64 + 0x66, 0x68);
    for (const u64 entry : {pml4, pml4 + 256 * 8, pml4 + 511 * 8}) store(entry, pdpt | 7);
    for (u64 i = 0; i < 4; ++i) store(pdpt + i * 8, directory | 7), store(pae_pointers + i * 8, directory | 1);
    store(pdpt + 511 * 8, directory | 7);
    for (u64 i = 0; i < 512; ++i) store(page_table + i * 8, i * 4096 | 7);
    for (u64 i = 0; i < 1024; ++i) store<u32>(page_table32 + i * 4, static_cast<u32>(i * 4096 | 7));
    for (const u64 i : {0, 511}) store(directory + i * 8, page_table | 7);
    store(directory + 8, u64{0x87});
    for (const u64 i : {0, 1023}) store<u32>(directory32 + i * 4, static_cast<u32>(page_table32 | 7));
    store<u32>(directory32 + 4, 0x87);
  }

  /// Handlers that go on behind the byte that faulted, so that random code gets far.
  void put_handlers(Mode mode) {
    static constexpr std::array<u8, 8> real = {0x55, 0x89, 0xE5, 0xFF, 0x46, 0x02, 0x5D, 0xCF};
    static constexpr std::array<u8, 4> plain32 = {0xFF, 0x04, 0x24, 0xCF};
    static constexpr std::array<u8, 7> coded32 = {0x83, 0xC4, 0x04, 0xFF, 0x04, 0x24, 0xCF};
    static constexpr std::array<u8, 6> plain64 = {0x48, 0xFF, 0x04, 0x24, 0x48, 0xCF};
    static constexpr std::array<u8, 10> coded64 = {0x48, 0x83, 0xC4, 0x08, 0x48, 0xFF, 0x04, 0x24, 0x48, 0xCF};
    static constexpr std::array<u8, 7> interrupt = {0x50, 0xB0, 0x20, 0xE6, 0x20, 0x58, 0xCF};  // EOI
    for (unsigned vector = 0; vector < 32; ++vector) {
      const bool coded = (0x27D00u >> vector & 1) != 0;
      std::span<const u8> code = coded ? std::span<const u8>(coded32) : std::span<const u8>(plain32);
      if (mode <= Mode::BigReal) code = real;
      if (mode >= Mode::Compatibility) code = coded ? std::span<const u8>(coded64) : std::span<const u8>(plain64);
      put(handlers + vector * 32, code);
    }
    put(handlers + 32 * 32, interrupt);
    if (mode >= Mode::Compatibility) put(handlers + 32 * 32 + 6, std::array<u8, 2>{0x48, 0xCF});
  }

  void segment(SegmentIndex index, u16 selector) {
    const u64 raw = machine_->memory().peek(PhysicalAddress(gdt + (selector & 0xFFF8u)), AccessSize(8));
    const u32 limit = static_cast<u32>((raw & 0xFFFF) | (raw >> 32 & 0xF0000));
    machine_->cpu().state.segments[index] = {.selector = selector,
                                             .base = (raw >> 16 & 0xFFFFFF) | (raw >> 32 & 0xFF000000),
                                             .limit = (raw >> 55 & 1) != 0 ? limit << 12 | 0xFFF : limit,
                                             .attributes = static_cast<u16>(raw >> 40 & 0xF0FF),
                                             .usable = true};
  }
  void segments(u16 code, u16 data) {
    for (const SegmentIndex index : {es, ss, ds, fs, gs}) segment(index, data);
    segment(cs, code);
  }

  enum Option : u8 { at_page_end = 1, user = 2, interrupts = 4, a20_off = 8, single_step = 16, breakpoints = 32 };

  void enter(Mode mode, u8 options) {
    CpuState& state = machine_->cpu().state;
    state.rip = (options & at_page_end) != 0 ? program + 0xFF8 : program;
    state.gpr[rsp] = kernel_stack;
    const bool is_user = (options & user) != 0;
    state.gdtr = {gdt, 0x7F};
    state.idtr = {idt, 0x7FF};
    if (mode <= Mode::BigReal) {
      for (Segment& each : state.segments) each.selector = 0, each.base = 0;
      state.segments[cs] = {.selector = program / 16, .base = program, .attributes = 0x93};
      state.rip -= program;
      state.idtr = {0, 0x3FF};
      if (mode == Mode::BigReal) state.segments[ds].limit = state.segments[es].limit = 0xFFFFFFFF;
      return;
    }
    state.gdtr.limit = 0xAF;
    state.cr0 |= cr0_bit::pe | cr0_bit::ne;
    state.cr0 &= ~u64{cr0_bit::nw | cr0_bit::cd};
    state.cr4 = cr4_bit::osfxsr | cr4_bit::osxmmexcpt | cr4_bit::pse;
    state.tr = {.selector = tss_selector, .base = tss, .limit = 0x7FF, .attributes = 0x8B};
    state.ldtr = {.selector = ldt_selector, .base = ldt, .limit = 0x3F, .attributes = 0x82};
    segments(is_user ? code3 : code0, is_user ? data3 : data0);
    if (is_user) state.gpr[rsp] = user_stack;
    switch (mode) {
      case Mode::Protected16:
        segments(code16, data16);
        state.rip -= program;
        break;
      case Mode::Paging32:
        state.cr3 = directory32;
        state.cr0 |= cr0_bit::pg | cr0_bit::wp;
        break;
      case Mode::Pae:
        state.cr3 = pae_pointers;
        state.cr4 |= cr4_bit::pae;
        state.cr0 |= cr0_bit::pg;
        for (u64& pointer : state.pdpte) pointer = directory | 1;
        break;
      case Mode::V86:
        for (Segment& each : state.segments) each = {.selector = program / 16, .base = program, .attributes = 0xF3};
        state.rip -= program;
        break;
      case Mode::Compatibility:
      case Mode::Long:
      case Mode::LongHigh:
        state.cr3 = pml4;
        state.cr4 |= cr4_bit::pae | cr4_bit::fsgsbase;
        state.cr0 |= cr0_bit::pg | cr0_bit::wp;
        state.efer = efer_bit::lme | efer_bit::lma | efer_bit::nxe | efer_bit::sce;
        state.idtr = {idt64, 0xFFF};
        state.tr = {.selector = tss64_selector, .base = tss64, .limit = 0x7FF, .attributes = 0x8B};
        state.lstar = state.sysenter_eip = handlers;
        state.sysenter_cs = long_code0;
        state.star = u64{0x0063} << 48 | u64{long_code0} << 32;
        if (mode != Mode::Compatibility) segments(is_user ? long_code3 : long_code0, is_user ? 0x6B : 0x58);
        if (mode == Mode::LongHigh) state.rip += ~u64{0} << 39;
        break;
      default:
        break;
    }
  }

  void change(InputBytes& bytes) {
    CpuState& state = machine_->cpu().state;
    const u64 kind = bytes.take(1);
    const u64 place = bytes.take(2);
    const auto value = static_cast<u8>(bytes.take(1));
    const u64 edge = edges[value % edges.size()] - value / edges.size();
    switch (kind % 10) {
      case 0:
        return store(gdt + place % 0xB0, value);
      case 1:
        return store((place & 1) != 0 ? idt + place / 2 % 0x800 : idt64 + place / 2 % 0x1000, value);
      case 2:
        return store(tss + place % 0x1800, value);
      case 3:  // low bytes of the entries for the program's neighbourhood, and all of the upper levels
        return store(tables + place % 0x8000, value);
      case 4:
        return store(page_table + place % 128 * 8, value);
      case 5:
        return store(kernel_stack - 0x40 + place % 0x1080, value);
      case 6:
      case 7:
        state.gpr[place % 16] = edge;
        return;
      case 8:
        return store(place << 5 | (value & 31), value);
      default: {
        const u64 bits = u64{value} << (place % 4 * 8);
        state.set_flags(static_cast<u32>(state.flags() ^ (bits & 0x277FD5)));
        return;
      }
    }
  }

  void set_up(InputBytes& bytes) {
    const auto mode = static_cast<Mode>(bytes.take(1) % modes);
    const auto options = static_cast<u8>(bytes.take(1));
    put_tables();
    put_handlers(mode);
    enter(mode, options);
    for (u64 count = bytes.take(1) % 32; count > 0; --count) change(bytes);
    CpuState& state = machine_->cpu().state;
    u32 flags = state.flags();
    if (mode == Mode::V86) flags |= flag::virtual_8086;
    if (mode >= Mode::Compatibility) flags &= ~flag::virtual_8086;
    if (mode <= Mode::BigReal) flags &= ~flag::virtual_8086;
    if ((options & single_step) != 0) flags |= flag::trap;
    if ((options & interrupts) != 0) {
      flags |= flag::interrupt;
      // A timer as fast as it goes, and the controllers' vectors at 20h.
      static constexpr std::array<std::array<u8, 2>, 10> writes = {{{0x20, 0x11},
                                                                    {0x21, 0x20},
                                                                    {0x21, 0x04},
                                                                    {0x21, 0x01},
                                                                    {0x21, 0x00},
                                                                    {0x43, 0x14},
                                                                    {0x40, 0x02},
                                                                    {0x70, 0x0B},
                                                                    {0x71, 0x72},
                                                                    {0xA1, 0x00}}};
      for (const auto& [port, value] : writes) machine_->ports().write(Port(port), AccessSize(1), value);
    }
    if ((options & breakpoints) != 0) {
      state.dr[0] = state.rip + 3;
      state.dr[1] = kernel_stack - 8;
      state.dr[7] |= 0x0FF0000F;
    }
    state.set_flags(flags);
    machine_->cpu().state_changed();
    machine_->set_a20((options & a20_off) == 0);
  }

  void put_code(std::span<const u8> code) {
    const u64 at = machine_->cpu().linear_rip() % memory_bytes;
    put(at, code.first(std::min<std::size_t>(code.size(), 0x1000)));
  }

  Digest digest_;
  std::unique_ptr<Machine> machine_;
  std::vector<u8> fresh_;
  Tick latest_{};
  u64 until_ = 0;
  u64 step_ = 1;
  bool ended_ = false;
};

}  // namespace
}  // namespace vitrine

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static vitrine::Bench bench;
  bench.run({data, size});
  return 0;
}
