#include "observe/why/devices.hpp"

#include <fmt/format.h>

#include <array>

namespace vitrine {

namespace {

constexpr u8 number(DeviceRegister which) { return static_cast<u8>(which); }

constexpr std::string_view serve_uart =
    "Serve the UART until IIR says that nothing is left (bit 0 set): read the data, IIR, LSR or MSR that it names.";
constexpr std::string_view serve_port_60 =
    "Read port 0x60 in the handler, each time, whether or not the byte is wanted.";
constexpr std::string_view serve_disk =
    "Read the status register in the handler, each time (port 0x1F7, or 0x177); the alternate status does not do it.";

// Lines: machine/boards/isa_wiring.hpp. Bits: PC16550D, table II; MC146818A, "Register B"; PS/2 Hardware Interface
// Technical Reference, "Keyboard Controller"; IEEE 1284 ports as in the PC AT; ACPI 2.0, 4.7.3.1.2.
constexpr std::array devices = {
    DeviceKnowledge{
        "pit", 0, 0, 0, "counter 0 reaches its end",
        "Program counter 0: write 0x34 to port 0x43, then the divisor's low and high byte to port 0x40 (1193182 "
        "divided by the wanted frequency).",
        ""},
    DeviceKnowledge{
        "i8042", 1, number(DeviceRegister::KeyboardController), 1,
        "a key goes down or up (--keys types on the guest's keyboard)",
        "Set bit 0 of the 8042's configuration byte (command 0x60 to port 0x64, the byte to port 0x60), and "
        "leave bit 4 clear.",
        serve_port_60},
    DeviceKnowledge{
        "i8042", 12, number(DeviceRegister::KeyboardController), 2, "the mouse sends a byte",
        "Enable the mouse port (command 0xA8 to port 0x64), set bit 1 of the 8042's configuration byte, and tell "
        "the mouse to report (0xF4 after command 0xD4).",
        serve_port_60},
    DeviceKnowledge{
        "com1", 4, number(DeviceRegister::UartInterruptEnable), 0x0F, "a byte arrives, or one has been sent",
        "Set bit 0 (received data) or 1 (ready to send) of IER, port 0x3F9, and OUT2, bit 3 of MCR, port 0x3FC.",
        serve_uart},
    DeviceKnowledge{
        "com2", 3, number(DeviceRegister::UartInterruptEnable), 0x0F, "a byte arrives, or one has been sent",
        "Set bit 0 (received data) or 1 (ready to send) of IER, port 0x2F9, and OUT2, bit 3 of MCR, port 0x2FC.",
        serve_uart},
    DeviceKnowledge{
        "com3", 4, number(DeviceRegister::UartInterruptEnable), 0x0F, "a byte arrives, or one has been sent",
        "Set bit 0 (received data) or 1 (ready to send) of IER, port 0x3E9, and OUT2, bit 3 of MCR, port 0x3EC.",
        serve_uart},
    DeviceKnowledge{
        "com4", 3, number(DeviceRegister::UartInterruptEnable), 0x0F, "a byte arrives, or one has been sent",
        "Set bit 0 (received data) or 1 (ready to send) of IER, port 0x2E9, and OUT2, bit 3 of MCR, port 0x2EC.",
        serve_uart},
    DeviceKnowledge{"lpt2", 5, number(DeviceRegister::ParallelControl), 0x10, "the printer acknowledges a byte",
                    "Set bit 4 of the control register, port 0x27A.", ""},
    DeviceKnowledge{"lpt1", 7, number(DeviceRegister::ParallelControl), 0x10, "the printer acknowledges a byte",
                    "Set bit 4 of the control register, port 0x37A.", ""},
    DeviceKnowledge{
        "rtc", 8, number(DeviceRegister::RtcB), 0x70, "the period, the alarm or the second that was asked for ends",
        "Set PIE, AIE or UIE in register B (write 0x8B to port 0x70, the value to port 0x71).",
        "Read register C (0x0C through ports 0x70 and 0x71) in the handler, each time: until then the line stays "
        "as it is."},
    DeviceKnowledge{"acpi-pm", 9, number(DeviceRegister::PowerManagementEnable), 0xFF,
                    "a power-management event that is enabled happens",
                    "Set the event's bit in PM1_EN (port 0x602) and SCI_EN in PM1_CNT.",
                    "Clear the event's bit in PM1_STS (port 0x600) by writing 1 to it."},
    DeviceKnowledge{"ide", 14, 0, 0, "a disk of the primary channel (--disk) has data, wants data, or is done",
                    "Clear nIEN, bit 1 of the device control register, port 0x3F6.", serve_disk},
    DeviceKnowledge{"ide", 15, 0, 0, "a disk of the secondary channel has data, wants data, or is done",
                    "Clear nIEN, bit 1 of the device control register, port 0x376.", serve_disk},
    DeviceKnowledge{"fpu-error", 13, 0, 0, "an x87 error is unmasked while CR0.NE is clear",
                    "With CR0.NE set, x87 errors come as exception 16 instead.", "Write any value to port 0xF0."},
};

}  // namespace

std::span<const DeviceKnowledge> known_devices() { return devices; }

const DeviceKnowledge* knowledge_of(std::string_view source, u8 line) {
  for (const DeviceKnowledge& each : devices) {
    if (each.source == source && each.line == line) return &each;
  }
  return nullptr;
}

bool is_worth_telling(std::string_view source, const Record& withheld) {
  switch (static_cast<WithheldCause>(withheld.detail)) {
    case WithheldCause::BufferNotRead:
    case WithheldCause::FlagNotRead:
    case WithheldCause::NotProgrammed:
      return true;
    default:
      break;
  }
  // Raised::detail of uart16550.hpp and i8042.hpp.
  constexpr u64 line_status = 1, received = 2, timeout = 3, keyboard = 1, mouse = 4;
  const u64 cause = withheld.extra;
  if (source.starts_with("com")) return cause == line_status || cause == received || cause == timeout;
  if (source == "i8042") return cause == keyboard || cause == mouse;
  return false;
}

std::string_view register_title(DeviceRegister which) {
  switch (which) {
    case DeviceRegister::PitMode:
      return "counter 0's control word";
    case DeviceRegister::PitCount:
      return "counter 0's count";
    case DeviceRegister::RtcB:
      return "register B";
    case DeviceRegister::RtcA:
      return "register A";
    case DeviceRegister::UartInterruptEnable:
      return "the interrupt-enable register (IER)";
    case DeviceRegister::UartModemControl:
      return "the modem-control register (MCR)";
    case DeviceRegister::KeyboardController:
      return "the 8042's configuration byte";
    case DeviceRegister::KeyboardScanning:
      return "scanning";
    case DeviceRegister::PowerManagementEnable:
      return "PM1_EN";
    case DeviceRegister::ParallelControl:
      return "the control register";
    case DeviceRegister::ThermalInterrupt:
      return "IA32_THERM_INTERRUPT";
  }
  return "a register";
}

std::string register_value(DeviceRegister which, u64 value) {
  const auto on_or_off = [&](u64 bits, std::string_view on, std::string_view off) {
    return fmt::format("{:#04x}: {}", value, (value & bits) != 0 ? on : off);
  };
  switch (which) {
    case DeviceRegister::PitCount:
      return fmt::format("{} (every {} us)", value, value * 1'000'000 / 1'193'182);
    case DeviceRegister::RtcB:
      return on_or_off(0x70, "an interrupt is enabled", "no interrupt is enabled");
    case DeviceRegister::UartInterruptEnable:
      return on_or_off(0x0F, "an interrupt is enabled", "no interrupt is enabled");
    case DeviceRegister::UartModemControl:
      return on_or_off(0x08, "OUT2 lets interrupts out", "OUT2 is off and keeps interrupts in");
    case DeviceRegister::KeyboardScanning:
      return value != 0 ? "on" : "off: the device was told to be quiet";
    case DeviceRegister::ParallelControl:
      return on_or_off(0x10, "its interrupt is enabled", "its interrupt is not enabled");
    default:
      return fmt::format("{:#04x}", value);
  }
}

}  // namespace vitrine
