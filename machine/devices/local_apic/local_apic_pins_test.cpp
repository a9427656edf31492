// Its own interrupts: the LINT pins, the entries of performance counter and machine checks (SDM vol. 3A §10.5.1).
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/local_apic_test_bench.hpp"

namespace vitrine {
namespace {

using namespace apic;
using enum LocalInterrupts::MsrResult;

TEST(LocalApic, external_interrupt_passes_while_the_pin_is_high) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_lint0, 0x700);
  bench.processors[0].pins[0].set(Level::High);
  EXPECT_EQ(bench.take(), 0x08) << "the 8259's vector";
  EXPECT_TRUE(bench.apic().in_service().empty());
  bench.processors[0].pins[0].set(Level::Low);
  EXPECT_FALSE(bench.wanted());
  bench.write(offset::lvt_lint0, 0x10700);
  bench.processors[0].pins[0].set(Level::High);
  EXPECT_FALSE(bench.wanted());
  bench.write(offset::lvt_lint0, 0x700);
  EXPECT_TRUE(bench.wanted()) << "it is a level: unmasking finds it";
}

TEST(LocalApic, masked_lint0_is_told_by_the_first_cpu_and_by_one_whose_entry_was_open) {
  ApicBench bench(3);
  bench.enable();
  for (unsigned i = 0; i < 3; ++i) bench.write(offset::lvt_lint0, 0x10700, i);
  const auto ask = [&bench] {
    bench.bench.forget_records();
    for (unsigned i = 0; i < 3; ++i) bench.processors[i].pins[0].set(Level::High);
    for (unsigned i = 0; i < 3; ++i) bench.processors[i].pins[0].set(Level::Low);
    std::vector<u8> cpus;
    for (const Record& told : bench.bench.records(RecordKind::Blocked)) cpus.push_back(told.cpu);
    return cpus;
  };
  EXPECT_EQ(ask(), std::vector<u8>{0});
  bench.write(offset::lvt_lint0, 0x700, 2);
  bench.write(offset::lvt_lint0, 0x10700, 2);
  EXPECT_EQ(ask(), (std::vector<u8>{0, 2}));
}

TEST(LocalApic, performance_counter_masks_its_entry_when_it_interrupts) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_performance, 0x71);
  bench.apic().raise_local(LocalInterrupts::Source::PerformanceCounter);
  EXPECT_EQ(bench.read(offset::lvt_performance), 0x10071u);
  bench.apic().raise_local(LocalInterrupts::Source::PerformanceCounter);
  EXPECT_EQ(bench.take(), 0x71);
  bench.eoi();
  EXPECT_FALSE(bench.wanted()) << "masked, the second one is lost";
  bench.write(offset::lvt_performance, 0x400);
  bench.apic().raise_local(LocalInterrupts::Source::PerformanceCounter);
  EXPECT_EQ(bench.around().said, "nmi");
}

TEST(LocalApic, corrected_machine_checks_interrupt_through_lvt_cmci) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_cmci, 0x72);
  bench.apic().raise_local(LocalInterrupts::Source::CorrectedMachineCheck);
  EXPECT_EQ(bench.take(), 0x72);
  EXPECT_EQ(bench.read(offset::lvt_cmci), 0x72u) << "only the performance counter's entry masks itself";
}

TEST(LocalApic, pic_mode_input_passes_the_apic) {
  ApicBench bench;
  bench.processors[0].pins[2].set(Level::High);
  EXPECT_EQ(bench.take(), 0x08);
  bench.processors[0].pins[2].set(Level::Low);
  EXPECT_FALSE(bench.wanted());
}

TEST(LocalApic, lint1_as_nmi_is_an_edge) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_lint1, 0x400);
  bench.processors[0].pins[1].set(Level::High);
  bench.processors[0].pins[1].set(Level::Low);
  bench.processors[0].pins[1].set(Level::High);
  EXPECT_EQ(bench.around().said, "nmi nmi");
  bench.write(offset::lvt_lint1, 0x10400);
  bench.processors[0].pins[1].set(Level::Low);
  bench.processors[0].pins[1].set(Level::High);
  EXPECT_EQ(bench.around().said, "nmi nmi");
  const std::vector<Record> told = bench.bench.records(RecordKind::Blocked);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].detail, static_cast<u8>(Obstacle::EntryMasked));
  EXPECT_EQ(told[0].pin, static_cast<u8>(ApicPin::Lint1));
}

TEST(LocalApic, level_lint0_comes_again_until_it_falls) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_lint0, 0x8041);
  bench.processors[0].pins[0].set(Level::High);
  EXPECT_EQ(bench.read(offset::lvt_lint0), 0xC041u) << "remote IRR";
  EXPECT_EQ(bench.take(), 0x41);
  bench.eoi();
  EXPECT_EQ(bench.take(), 0x41);
  bench.processors[0].pins[0].set(Level::Low);
  bench.eoi();
  EXPECT_FALSE(bench.wanted());
  EXPECT_EQ(bench.read(offset::lvt_lint0), 0x8041u);
}

TEST(LocalApic, active_low_lint_asks_at_the_falling_edge) {
  ApicBench bench;
  bench.enable();
  bench.processors[0].pins[0].set(Level::High);
  bench.write(offset::lvt_lint0, 0x2041);
  EXPECT_FALSE(bench.wanted());
  bench.processors[0].pins[0].set(Level::Low);
  EXPECT_EQ(bench.take(), 0x41);
}

TEST(LocalApic, request_of_a_pin_that_nobody_drives_has_a_number_too) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_lint1, 0x2400);
  EXPECT_EQ(bench.around().said, "nmi");
  EXPECT_NE(bench.around().last, RequestId{});
}

// §10.4.3.
TEST(LocalApic, globally_disabled_the_pins_are_intr_and_nmi) {
  ApicBench bench;
  bench.enable();
  bench.interrupt(0x41);
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00100), Done);
  EXPECT_FALSE(bench.apic().globally_enabled());
  EXPECT_FALSE(bench.apic().selects(0xFEE00030));
  EXPECT_FALSE(bench.wanted());
  EXPECT_EQ(bench.send({.destination = 0, .mode = MessageMode::Nmi}), 0u);
  bench.processors[0].pins[0].set(Level::High);
  EXPECT_EQ(bench.take(), 0x08);
  bench.processors[0].pins[1].set(Level::High);
  EXPECT_EQ(bench.around().said, "nmi");
}

}  // namespace
}  // namespace vitrine
