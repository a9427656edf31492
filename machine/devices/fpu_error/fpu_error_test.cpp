#include "machine/devices/fpu_error/fpu_error.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

struct FpuErrorBench {
  TestBench bench;
  LineDriver irq13 = bench.output("irq13", 13);
  LineDriver ignne = bench.output("ignne", InterruptLine::no_number);
  FpuError& glue = bench.add<FpuError>("fpu-error", irq13, ignne);
  LineDriver ferr = bench.input(glue, FpuError::ferr_pin, "ferr", InterruptLine::no_number);
  void clear(u64 port_offset) { glue.write(Region(0), port_offset, AccessSize(1), 0); }
};

TEST(FpuError, ferr_raises_irq_13_which_stays_when_ferr_goes_away) {
  FpuErrorBench fpu;
  fpu.ferr.set(Level::High);
  EXPECT_EQ(fpu.irq13.level(), Level::High);
  fpu.ferr.set(Level::Low);
  EXPECT_EQ(fpu.irq13.level(), Level::High);
}

TEST(FpuError, port_f0_lowers_irq_13_and_holds_ignne_until_ferr_ends) {
  FpuErrorBench fpu;
  fpu.ferr.set(Level::High);
  fpu.clear(0);
  EXPECT_EQ(fpu.irq13.level(), Level::Low);
  EXPECT_EQ(fpu.ignne.level(), Level::High);
  fpu.ferr.set(Level::Low);
  EXPECT_EQ(fpu.ignne.level(), Level::Low);
}

TEST(FpuError, without_an_error_port_f1_does_nothing) {
  FpuErrorBench fpu;
  fpu.clear(1);
  EXPECT_EQ(fpu.irq13.level(), Level::Low);
  EXPECT_EQ(fpu.ignne.level(), Level::Low);
}

DeviceUnderTest fpu_error() {
  return {.make = [](TestBench& bench) -> Device& {
            const LineDriver irq13 = bench.output("irq13", 13);
            const LineDriver ignne = bench.output("ignne", InterruptLine::no_number);
            auto& glue = bench.add<FpuError>("fpu-error", irq13, ignne);
            bench.input(glue, FpuError::ferr_pin, "ferr", InterruptLine::no_number);
            return glue;
          },
          .regions = {{Region(0), FpuError::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(FpuError, fpu_error());

}  // namespace
}  // namespace vitrine
