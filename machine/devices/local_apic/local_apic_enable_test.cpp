// What becomes of inputs and messages when a local APIC is switched on, and what can wake a CPU by its pins.
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/local_apic_test_bench.hpp"

namespace vitrine {
namespace {

using namespace apic;
using enum LocalInterrupts::MsrResult;

TEST(LocalApicEnable, a_level_that_stands_at_lint0_asks_when_the_apic_is_on_again) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_lint0, 0x8041);
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00100), Done);
  bench.processors[0].pins[0].set(Level::High);
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00900), Done);
  EXPECT_EQ(bench.take(), 0x41);
}

TEST(LocalApicEnable, an_edge_at_lint0_while_the_apic_was_off_is_none) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_lint0, 0x41);
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00100), Done);
  bench.processors[0].pins[0].set(Level::High);
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00900), Done);
  EXPECT_FALSE(bench.wanted());
}

// 82093AA 3.2.4: what was held up is tried again.
TEST(LocalApicEnable, whatever_changes_who_accepts_a_message_is_told_to_the_io_apics) {
  ApicBench bench;
  auto told = [&bench, before = 0u]() mutable {
    return bench.eois.changes != std::exchange(before, bench.eois.changes);
  };
  bench.write(offset::spurious_vector, 0x1FF);
  EXPECT_TRUE(told());
  bench.write(offset::spurious_vector, 0x1FF);
  EXPECT_FALSE(told());
  bench.write(offset::logical_destination, 0x01000000);
  EXPECT_TRUE(told());
  bench.write(offset::destination_format, 0x0FFFFFFF);
  EXPECT_TRUE(told());
  bench.write(offset::id, 0x05000000);
  EXPECT_TRUE(told());
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00100), Done);
  EXPECT_FALSE(told());
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00900), Done);
  EXPECT_TRUE(told());
}

TEST(LocalApicEnable, a_halted_cpu_can_be_woken_by_nmi_and_init_at_lint0) {
  ApicBench bench;
  bench.enable();
  EXPECT_FALSE(bench.apic().can_ever_wake(false));
  bench.write(offset::lvt_lint0, 0x400);
  EXPECT_TRUE(bench.apic().can_ever_wake(false));
  bench.write(offset::lvt_lint0, 0x500);
  EXPECT_TRUE(bench.apic().can_ever_wake(false));
  bench.write(offset::lvt_lint0, 0x10500);
  EXPECT_FALSE(bench.apic().can_ever_wake(false));
}

}  // namespace
}  // namespace vitrine
