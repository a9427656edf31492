#include "kernel/core/power.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/log.hpp"

namespace pulse {

namespace {
// The power-management block of the PIIX4 as Vitrine, QEMU and Bochs place it (Intel 290562, PMCNTRL): SLP_EN with the
// sleep type of S5, which is 0 on these boards.
constexpr u16 control_ports[] = {0x604, 0xB004};
constexpr u16 sleep_enable = 0x2000;
constexpr u16 reset_control = 0xCF9;  // PIIX3, ICH: RCR
constexpr u8 full_reset = 0x06;
constexpr u16 keyboard_command = 0x64;  // of machines without that: the keyboard controller's pulse on output bit 0
constexpr u8 pulse_reset = 0xFE;
}  // namespace

void restart_machine() {
  interrupts_off();
  log_info("restart");
  out8(reset_control, full_reset);
  out8(keyboard_command, pulse_reset);
  halt_for_good();
}

void power_off() {
  interrupts_off();
  log_info("power off");
  for (const u16 port : control_ports) out16(port, sleep_enable);
  halt_for_good();
}

}  // namespace pulse
