#include "machine/devices/acpi_pm/acpi_pm.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

struct PmBench {
  TestBench bench;
  LineDriver sci = bench.output("irq9", 9);
  AcpiPm& pm;
  explicit PmBench(const AcpiPm::Strapping& strapping = {.soft_off_sleep_type = 5})
      : pm(bench.add<AcpiPm>("acpi-pm", sci, bench.control, strapping)) {}
  void out(u64 offset, u8 size, u64 value) { pm.write(Region(0), offset, AccessSize(size), value); }
  u64 in(u64 offset, u8 size) { return pm.read(Region(0), offset, AccessSize(size)); }
};

TEST(AcpiPm, timer_counts_3579545_in_a_second_and_wraps_at_24_bits) {
  PmBench acpi;
  acpi.bench.advance(1'000'000'000);
  EXPECT_EQ(acpi.in(AcpiPm::pm_timer, 4), 3'579'545u);
  acpi.bench.advance(9'000'000'000);
  EXPECT_EQ(acpi.in(AcpiPm::pm_timer, 4), 35'795'450u & 0xFFFFFFu);
}

TEST(AcpiPm, a_32_bit_timer_does_not_wrap_at_24_bits) {
  PmBench acpi({.width = AcpiPm::TimerWidth::Bits32});
  acpi.bench.advance(10'000'000'000);
  EXPECT_EQ(acpi.in(AcpiPm::pm_timer, 4), 35'795'450u);
}

TEST(AcpiPm, timer_status_follows_each_toggle_of_the_top_bit) {
  PmBench acpi;
  const u64 half = AcpiPm::timer_clock.tick_of(0x800000).value;
  acpi.bench.advance(half - 1);
  EXPECT_EQ(acpi.in(AcpiPm::pm1_status, 2), 0u);
  acpi.bench.advance(1);
  EXPECT_EQ(acpi.in(AcpiPm::pm1_status, 2), AcpiPm::timer_bit);
  acpi.out(AcpiPm::pm1_status, 2, AcpiPm::timer_bit);
  EXPECT_EQ(acpi.in(AcpiPm::pm1_status, 2), 0u);
}

TEST(AcpiPm, enabled_timer_raises_sci_at_the_toggle_and_clearing_the_status_lowers_it) {
  PmBench acpi;
  acpi.out(AcpiPm::pm1_enable, 2, AcpiPm::timer_bit);
  const Tick half = AcpiPm::timer_clock.tick_of(0x800000);
  acpi.bench.advance(half.value * 3 / 2);
  ASSERT_EQ(acpi.bench.listener.changes.size(), 1u);
  EXPECT_EQ(acpi.bench.listener.changes[0].time, half);
  acpi.out(AcpiPm::pm1_status, 2, AcpiPm::timer_bit);
  EXPECT_EQ(acpi.sci.level(), Level::Low);
  acpi.bench.advance(half.value);
  EXPECT_EQ(acpi.sci.level(), Level::High) << "the next toggle raises it again";
}

TEST(AcpiPm, power_button_raises_sci_only_when_enabled) {
  PmBench acpi;
  acpi.pm.press_power_button();
  EXPECT_EQ(acpi.sci.level(), Level::Low);
  acpi.out(AcpiPm::pm1_enable, 2, AcpiPm::power_button_bit);
  EXPECT_EQ(acpi.sci.level(), Level::High);
  acpi.out(AcpiPm::pm1_status, 2, AcpiPm::power_button_bit);
  EXPECT_EQ(acpi.sci.level(), Level::Low);
}

TEST(AcpiPm, sci_is_silent_while_sci_en_is_clear) {
  PmBench acpi;
  acpi.out(AcpiPm::pm1_control, 2, 0);
  acpi.out(AcpiPm::pm1_enable, 2, AcpiPm::power_button_bit);
  acpi.pm.press_power_button();
  EXPECT_EQ(acpi.sci.level(), Level::Low);
  acpi.out(AcpiPm::pm1_control, 2, AcpiPm::sci_enable_bit);
  EXPECT_EQ(acpi.sci.level(), Level::High);
}

TEST(AcpiPm, sleep_enable_with_the_type_of_s5_powers_off_and_other_types_do_not) {
  PmBench acpi;
  acpi.out(AcpiPm::pm1_control, 2, AcpiPm::sleep_enable_bit | 1 << 10);
  EXPECT_TRUE(acpi.bench.control.exits.empty());
  acpi.out(AcpiPm::pm1_control, 2, AcpiPm::sleep_enable_bit | 5 << 10 | AcpiPm::sci_enable_bit);
  ASSERT_EQ(acpi.bench.control.exits.size(), 1u);
  EXPECT_EQ(acpi.bench.control.exits[0].first, ExitKind::PowerOff);
  EXPECT_EQ(acpi.in(AcpiPm::pm1_control, 2), (5u << 10 | AcpiPm::sci_enable_bit)) << "SLP_EN reads as zero";
}

TEST(AcpiPm, configuration_space_names_a_piix4_and_its_base) {
  PmBench acpi;
  EXPECT_EQ(acpi.pm.config().read(0x00, AccessSize(4)), 0x71138086u);
  EXPECT_EQ(acpi.pm.config().read(0x40, AccessSize(4)), 0x601u);
  EXPECT_EQ(acpi.pm.config().read(0x3C, AccessSize(2)), 0x0109u);
}

DeviceUnderTest acpi_pm() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& pm = bench.add<AcpiPm>("acpi-pm", bench.output("irq9", 9), bench.control, AcpiPm::Strapping{});
            bench.actions.emplace_back([&pm] { pm.press_power_button(); });
            return pm;
          },
          .regions = {{Region(0), AcpiPm::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(AcpiPm, acpi_pm());

}  // namespace
}  // namespace vitrine
