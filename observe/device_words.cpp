#include "observe/device_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "machine/core/interrupt_message.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u8 mouse_line = 12;

/// The causes are numbered by each device: i8042.hpp, uart16550.hpp, mc146818.hpp, acpi_pm.hpp, system_control_b.hpp.
/// 0: any.
struct SwitchWords {
  std::string_view source;  // how it begins
  WithheldCause cause;
  u8 device_cause;
  std::string_view clause;
};
using enum WithheldCause;
constexpr std::array switch_words = {
    SwitchWords{"com", InterruptEnableOff, 1, "IER bit 2 (line status) is clear"},
    SwitchWords{"com", InterruptEnableOff, 2, "IER bit 0 (received data) is clear"},
    SwitchWords{"com", InterruptEnableOff, 3, "IER bit 0 (received data) is clear"},
    SwitchWords{"com", InterruptEnableOff, 4, "IER bit 1 (transmitter empty) is clear"},
    SwitchWords{"com", InterruptEnableOff, 5, "IER bit 3 (modem status) is clear"},
    SwitchWords{"com", OutputGateOff, 0, "OUT2 (MCR bit 3) is clear, or loopback (MCR bit 4) is on"},
    SwitchWords{"i8042", InterruptEnableOff, 4, "the mouse interrupt is off (8042 configuration byte, bit 1)"},
    SwitchWords{"i8042", InterruptEnableOff, 5, "the mouse interrupt is off (8042 configuration byte, bit 1)"},
    SwitchWords{"i8042", InterruptEnableOff, 0, "the keyboard interrupt is off (8042 configuration byte, bit 0)"},
    SwitchWords{
        "i8042", PortDisabled, 4,
        "the mouse's port is off (8042 configuration byte, bit 5), or the mouse has not been told to send (0xF4)"},
    SwitchWords{"i8042", PortDisabled, 0,
                "the keyboard's port is off (8042 configuration byte, bit 4), or the keyboard was told to be quiet "
                "(0xF5)"},
    SwitchWords{"i8042", BufferNotRead, 0, "the next byte waits, because port 0x60 has not been read"},
    SwitchWords{"rtc", InterruptEnableOff, 1, "PIE (register B, bit 6) is clear"},
    SwitchWords{"rtc", InterruptEnableOff, 2, "AIE (register B, bit 5) is clear"},
    SwitchWords{"rtc", InterruptEnableOff, 3, "UIE (register B, bit 4) is clear"},
    SwitchWords{"rtc", FlagNotRead, 0, "register C has not been read after the interrupt before"},
    SwitchWords{"pit", NotProgrammed, 0, "counter 0 has no mode, or not all of its count"},
    SwitchWords{"lpt", InterruptEnableOff, 0, "the interrupt is off (control register, bit 4)"},
    SwitchWords{"acpi-pm", InterruptEnableOff, 0, "its bit in PM1_EN is clear"},
    SwitchWords{"ide", InterruptEnableOff, 0, "nIEN (device control, bit 1) is set"},
    SwitchWords{"acpi-pm", OutputGateOff, 0, "SCI_EN (PM1 control, bit 0) is clear"},
    SwitchWords{"system_control_b", InterruptEnableOff, 1, "IOCHK# is switched off (port 0x61, bit 3)"},
    SwitchWords{"system_control_b", InterruptEnableOff, 2, "SERR# is switched off (port 0x61, bit 2)"},
    SwitchWords{"system_control_b", OutputGateOff, 0, "NMIs are masked (port 0x70, bit 7)"},
};

std::string_view any_device(WithheldCause cause) {
  switch (cause) {
    case None:
      break;
    case InterruptEnableOff:
      return "its interrupt-enable bit is clear";
    case OutputGateOff:
      return "its interrupt output is switched off";
    case BufferNotRead:
      return "its buffer has not been read";
    case FlagNotRead:
      return "the flag that it set before has not been read";
    case PortDisabled:
      return "its port is switched off";
    case NotProgrammed:
      return "it has not been programmed";
  }
  return "the reason is unknown";
}

/// Which of several such registers.
std::string register_place(ControllerRegister which, u8 pin) {
  switch (which) {
    case ControllerRegister::RedirectionEntry:
    case ControllerRegister::MessageEntry:
    case ControllerRegister::HpetTimer:
      return fmt::format(" {}", pin);
    case ControllerRegister::LocalVector:
    case ControllerRegister::PirqRoute:
      return fmt::format(" of {}", pin_name(pin));
    default:
      return {};
  }
}

/// An MSI's two words: where it goes, and with what.
std::string message_entry_words(const Record& record) {
  constexpr u64 masked = u64{1} << 32;
  const std::string meaning = is_msi_address(record.extra) ? fmt::format(", vector {:#04x} to APIC id {}",
                                                                         record.other & 0xFF, record.extra >> 12 & 0xFF)
                                                           : std::string(", not an address of interrupts");
  return fmt::format("MSI entry {}: address {:#x}, data {:#x}{}{}", record.pin, record.extra,
                     static_cast<u32>(record.other), meaning, (record.other & masked) != 0 ? ", masked" : "");
}

}  // namespace

std::string_view register_name(DeviceRegister which, u8 line) {
  switch (which) {
    case DeviceRegister::PitMode:
      return "control word of counter 0";
    case DeviceRegister::PitCount:
      return "count of counter 0";
    case DeviceRegister::RtcB:
      return "register B";
    case DeviceRegister::RtcA:
      return "register A";
    case DeviceRegister::UartInterruptEnable:
      return "IER";
    case DeviceRegister::UartModemControl:
      return "MCR";
    case DeviceRegister::KeyboardController:
      return "8042 configuration byte";
    case DeviceRegister::KeyboardScanning:
      return line == mouse_line ? "mouse reporting" : "keyboard scanning";
    case DeviceRegister::PowerManagementEnable:
      return "PM1_EN";
    case DeviceRegister::ParallelControl:
      return "control register";
    case DeviceRegister::ThermalInterrupt:
      return "IA32_THERM_INTERRUPT";
  }
  return "a register";
}

std::string_view register_name(ControllerRegister which) {
  switch (which) {
    case ControllerRegister::VectorBase:
      return "vector base (ICW2)";
    case ControllerRegister::Automatic:
      return "automatic EOI (ICW4)";
    case ControllerRegister::SpecialFullyNested:
      return "special fully nested mode (ICW4)";
    case ControllerRegister::SpecialMask:
      return "special mask mode (OCW3)";
    case ControllerRegister::EdgeLevel:
      return "level-triggered inputs (ELCR)";
    case ControllerRegister::Rotation:
      return "input of lowest priority (OCW2)";
    case ControllerRegister::Initialised:
      return "initialisation";
    case ControllerRegister::RedirectionEntry:
      return "redirection entry";
    case ControllerRegister::SpuriousVector:
      return "spurious-interrupt vector register (SVR)";
    case ControllerRegister::TaskPriority:
      return "task priority (TPR)";
    case ControllerRegister::LocalVector:
      return "local vector table entry";
    case ControllerRegister::TimerInitialCount:
      return "timer's initial count";
    case ControllerRegister::TimerDivide:
      return "timer's divide configuration";
    case ControllerRegister::LogicalDestination:
      return "logical destination (LDR)";
    case ControllerRegister::DestinationFormat:
      return "destination format (DFR)";
    case ControllerRegister::ApicBase:
      return "IA32_APIC_BASE";
    case ControllerRegister::Imcr:
      return "IMCR";
    case ControllerRegister::PirqRoute:
      return "PIRQ route";
    case ControllerRegister::MessageControl:
      return "MSI message control";
    case ControllerRegister::MessageEntry:
      return "MSI entry";
    case ControllerRegister::HpetTimer:
      return "HPET timer configuration";
    case ControllerRegister::HpetControl:
      return "HPET general configuration";
  }
  return "a register";
}

std::string_view withheld_name(WithheldCause cause) {
  static constexpr std::array<std::string_view, 7> names = {
      "none",          "interrupt-enable-off", "output-gate-off", "buffer-not-read",
      "flag-not-read", "port-disabled",        "not-programmed"};
  const auto index = static_cast<std::size_t>(cause);
  return index < names.size() ? names[index] : "unknown";
}

std::string withheld_clause(const Record& record, std::string_view source) {
  const auto cause = static_cast<WithheldCause>(record.detail);
  const auto found = std::ranges::find_if(switch_words, [&](const SwitchWords& words) {
    return source.starts_with(words.source) && words.cause == cause &&
           (words.device_cause == 0 || words.device_cause == record.extra);
  });
  return std::string(found != switch_words.end() ? found->clause : any_device(cause));
}

std::string setting_text(const Record& record, const Symboliser* symbols) {
  if (record.since == 0 && record.address == 0) return " since power-on";
  std::string text;
  if (record.since != 0) text += fmt::format(" since {}", moment_text(record.since));
  if (record.address != 0) text += fmt::format(", by {}", describe_address(record.address, symbols));
  return text;
}

std::string printable_thread_name(const Record& record) {
  std::string text;
  for (unsigned i = 0; i < 16; ++i) {
    const auto byte = static_cast<u8>((i < 8 ? record.address : record.frame) >> 8 * (i % 8));
    if (byte == 0) break;
    text += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '?';
  }
  return text;
}

std::string programmed_text(const Record& record) {
  const auto changes = [&](std::string_view what) {
    return fmt::format("{} goes from {:#04x} to {:#04x}", what, record.other, record.extra);
  };
  const auto counts = [&](std::string_view what) {
    return fmt::format("{} goes from {} to {}", what, record.other, record.extra);
  };
  const auto switches = [&](std::string_view what) {
    return fmt::format("{} is {}", what, record.extra != 0 ? "on" : "off");
  };
  if (record.kind == RecordKind::DeviceProgrammed) {
    const auto which = static_cast<DeviceRegister>(record.detail);
    const std::string_view name = register_name(which, record.pin);
    if (which == DeviceRegister::KeyboardScanning) return switches(name);
    return which == DeviceRegister::PitCount ? counts(name) : changes(name);
  }
  const auto which = static_cast<ControllerRegister>(record.detail);
  const std::string_view name = register_name(which);
  switch (which) {
    case ControllerRegister::Automatic:
    case ControllerRegister::SpecialFullyNested:
    case ControllerRegister::SpecialMask:
      return switches(name);
    case ControllerRegister::Rotation:
      return counts(name);
    case ControllerRegister::Initialised:
      return record.extra != 0 ? "initialisation is complete" : "initialisation begins (ICW1)";
    case ControllerRegister::TimerInitialCount:
      return counts(name);
    case ControllerRegister::MessageEntry:
      return message_entry_words(record);
    default:
      break;
  }
  const std::string words = register_words(which, record.pin, record.extra);
  if (words.empty()) return changes(name);
  return fmt::format("{}{}: {}", name, register_place(which, record.pin), words);
}

}  // namespace vitrine
