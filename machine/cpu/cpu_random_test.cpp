// Random programs on random state: whatever a guest does, the machine keeps its invariants and goes on.
#include <array>

#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

enum class Mode : u8 { Real, Protected, User, Long, LongUser };

class RandomPrograms : public SystemBench, public testing::WithParamInterface<Mode> {
 protected:
  /// SplitMix64: the same sequence on every host.
  u64 next() {
    seed += 0x9E3779B97F4A7C15;
    u64 value = seed;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return value ^ value >> 31;
  }
  u64 below(u64 limit) { return next() % limit; }

  void enter_mode() {
    cpu->reset();
    switch (GetParam()) {
      case Mode::Real:
        return real_mode();
      case Mode::Protected:
        return protected_mode();
      case Mode::User:
        return user_mode();
      case Mode::Long:
        return long_mode();
      case Mode::LongUser:
        long_mode();
        return enter(long_code3, long_data3, user_stack);
    }
  }

  /// Instructions of the system half, each followed by random bytes: uniform bytes would seldom make one.
  void write_program(u64 at) {
    static constexpr std::array<std::array<u8, 3>, 40> openings = {{
        {0xCF, 0x90, 0x90}, {0xCB, 0x90, 0x90}, {0x9A, 0x00, 0x00}, {0xEA, 0x00, 0x01}, {0xFF, 0x18, 0x90},
        {0xFF, 0x28, 0x90}, {0x0F, 0x00, 0xD8}, {0x0F, 0x00, 0xD0}, {0x0F, 0x01, 0x10}, {0x0F, 0x01, 0x18},
        {0x0F, 0x01, 0xF0}, {0x0F, 0x20, 0xC0}, {0x0F, 0x22, 0xC0}, {0x0F, 0x22, 0xD8}, {0x0F, 0x22, 0xE0},
        {0x0F, 0x23, 0xF8}, {0x0F, 0x21, 0xF8}, {0x0F, 0x30, 0x90}, {0x0F, 0x32, 0x90}, {0x0F, 0x05, 0x90},
        {0x0F, 0x07, 0x90}, {0x0F, 0x34, 0x90}, {0x0F, 0x35, 0x90}, {0x8E, 0xD0, 0x90}, {0x8E, 0xD8, 0x90},
        {0x17, 0x90, 0x90}, {0x0F, 0xB2, 0x08}, {0xFB, 0x90, 0x90}, {0xFA, 0x90, 0x90}, {0x9D, 0x90, 0x90},
        {0x9C, 0x90, 0x90}, {0xCD, 0x80, 0x90}, {0xCC, 0x90, 0x90}, {0xF1, 0x90, 0x90}, {0xF3, 0x6C, 0x90},
        {0xF3, 0x6E, 0x90}, {0x48, 0xCF, 0x90}, {0x0F, 0x01, 0xF8}, {0x62, 0x08, 0x90}, {0x63, 0xC8, 0x90},
    }};
    for (u64 i = 0; i < 256; ++i) store<u8>(at + i, static_cast<u8>(next()));
    for (u64 i = 0; i < 16; ++i) {
      const auto& opening = openings[below(openings.size())];
      for (unsigned j = 0; j < 3; ++j) store<u8>(at + i * 4 + j, opening[j]);
      store<u8>(at + i * 4 + 3, 0x90);
    }
    cpu->ram_written(PhysicalAddress(at), 256);
  }

  void scramble() {
    static constexpr std::array<u64, 12> interesting = {0,    1,      8,      0x10,   0x23,           0x28,
                                                        0x40, 0x1000, 0x3000, 0x8000, 0x7FFFFFFFFFFF, ~u64{0}};
    for (unsigned i = 0; i < 16; ++i) {
      if (i != rsp) cpu->state.gpr[i] = below(3) != 0 ? interesting[below(interesting.size())] : next();
    }
    cpu->state.set_flags(static_cast<u32>(next()) & (flag::status | flag::direction | flag::trap | flag::iopl |
                                                     flag::interrupt | flag::nested_task | flag::alignment_check));
    // Some entries of GDT, IDT, TSS and stack get random bits.
    for (unsigned i = 0; i < 4; ++i) store<u64>(gdt + below(16) * 8, next() & ~(u64{0x7} << 61));
    for (unsigned i = 0; i < 8; ++i)
      store<u64>(idt + below(128) * 8,
                 gate(static_cast<u16>(below(0x80)), handlers, 0x80 | static_cast<u32>(below(128))));
    for (unsigned i = 0; i < 10; ++i) {
      const u64 selectors[] = {code0, data0, code3, data3, long_code3, long_data3, program, flag::virtual_8086};
      store<u64>(kernel_stack + i * (GetParam() == Mode::Long ? 8u : 4u), selectors[below(8)]);
    }
    cpu->state_changed();
  }

  u64 seed = 1;
};

TEST_P(RandomPrograms, keep_the_invariants) {
  for (unsigned round = 0; round < 400; ++round) {
    seed = round;
    enter_mode();
    write_program(cpu->state.rip);
    write_program(handlers);
    scramble();
    if (below(2) == 0) raise_interrupt();
    if (below(4) == 0) pulse_nmi();
    const u64 before = cpu->state.instructions;
    run(300);
    ASSERT_LE(cpu->state.instructions - before, 310u) << round;
    ASSERT_EQ(cpu->state.gpr[zero_slot], 0u) << round;
    Archive saved = Archive::saver();
    cpu->exchange(saved);
    Archive loader = Archive::loader(saved.bytes());
    cpu->exchange(loader);
    ASSERT_TRUE(loader.ok()) << round;  // what a run leaves is what restoring accepts
    Archive again = Archive::saver();
    cpu->exchange(again);
    ASSERT_EQ(saved.bytes(), again.bytes()) << round;
    run(100);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, RandomPrograms,
                         testing::Values(Mode::Real, Mode::Protected, Mode::User, Mode::Long, Mode::LongUser));

}  // namespace
}  // namespace vitrine
