#include "observe/message_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "observe/apic_fields.hpp"

namespace vitrine {

namespace {

struct PinWords {
  ApicPin pin;
  std::string_view name, raised;
};
constexpr std::array pin_words = {
    PinWords{ApicPin::Timer, "local timer", "its timer interrupt"},
    PinWords{ApicPin::Thermal, "thermal sensor", "its thermal interrupt"},
    PinWords{ApicPin::Performance, "performance counter", "its performance-counter interrupt"},
    PinWords{ApicPin::Lint0, "LINT0", "LINT0"},
    PinWords{ApicPin::Lint1, "LINT1", "LINT1 (NMI)"},
    PinWords{ApicPin::Error, "APIC error", "its error interrupt"},
    PinWords{ApicPin::Cmci, "CMCI", "its corrected-error interrupt (CMCI)"},
    PinWords{ApicPin::Interprocessor, "IPI", "an IPI"},
    PinWords{ApicPin::Message, "MSI", "an MSI"},
};

const PinWords* words_of(u8 pin) {
  for (const PinWords& each : pin_words) {
    if (static_cast<u8>(each.pin) == pin) return &each;
  }
  return nullptr;
}

bool is_message(u8 pin) { return pin == interprocessor_pin || pin == static_cast<u8>(ApicPin::Message); }

constexpr std::array<std::string_view, 8> mode_names = {"fixed", "lowest-priority", "smi",   "reserved", "nmi",
                                                        "init",  "start-up",        "extint"};

struct LossWords {
  std::string_view name, clause;
};
constexpr std::array<LossWords, 11> loss_words = {{
    {"unknown", "the reason is unknown"},
    {"no-receiver", "no local APIC has that address"},
    {"receiver-disabled", "the local APIC that has that address is switched off"},
    {"illegal-vector", "vectors below 16 can't be sent"},
    {"not-waiting", "that CPU does not wait for a start-up message"},
    {"reserved-mode", "that delivery mode is reserved there"},
    {"unsupported", "this machine has no system-management mode"},
    {"no-address", "the address is neither one of interrupts (FEEx_xxxxh) nor RAM"},
    {"waits-for-start-up", "that CPU waits for a start-up message, and takes no NMI before"},
    {"de-assert", "a level that is not asserted asks for nothing"},
    {"shorthand", "what a CPU sends to itself by a shorthand must have delivery mode fixed"},
}};

const LossWords& words_of(MessageLoss loss) {
  const auto index = static_cast<std::size_t>(loss);
  return index < loss_words.size() ? loss_words[index] : loss_words[0];
}

std::string_view shorthand_words(u64 extra) {
  constexpr std::array<std::string_view, 4> words = {"", "itself", "all CPUs", "all other CPUs"};
  return words[extra >> message_extra::shorthand & 3];
}

std::string destination_words(u32 destination, bool logical, bool wide) {
  if (!logical && destination == (wide ? 0xFFFFFFFF : 0xFF)) return "all CPUs";
  return logical ? fmt::format("logical id {:#04x}", destination) : fmt::format("APIC id {}", destination);
}

/// What is sent: "vector 0x24", "NMI", "start-up for 0x9a000".
std::string content_words(MessageMode mode, u8 vector, bool asserted) {
  switch (mode) {
    case MessageMode::Fixed:
    case MessageMode::LowestPriority:
      return fmt::format("vector {:#04x}", vector);
    case MessageMode::Smi:
      return "SMI";
    case MessageMode::Reserved:
      return fmt::format("reserved mode 3, vector {:#04x}", vector);
    case MessageMode::Nmi:
      return "NMI";
    case MessageMode::Init:
      return asserted ? "INIT" : "INIT de-assert";
    case MessageMode::StartUp:
      return fmt::format("start-up for {:#x}", u32{vector} << 12);
    case MessageMode::ExtInt:
      return "the 8259's vector (ExtINT)";
  }
  return "a message";
}

/// MessageLost has no mode: its detail is the loss.
std::string lost_content(MessageLoss loss, u8 vector) {
  switch (loss) {
    case MessageLoss::NotWaiting:
      return content_words(MessageMode::StartUp, vector, true);
    case MessageLoss::WaitsForStartUp:
      return content_words(MessageMode::Nmi, vector, true);
    case MessageLoss::Unsupported:
      return content_words(MessageMode::Smi, vector, true);
    default:
      return vector != 0 ? content_words(MessageMode::Fixed, vector, true) : "a message";
  }
}

std::string route_words(MessageMode mode, std::string destination) {
  return mode == MessageMode::LowestPriority ? "the least busy of " + destination : std::move(destination);
}

std::string entry_words(const VectorEntry& entry) {
  return fmt::format("{} to {}, {}, active {}, {}{}", content_words(entry.mode(), entry.vector(), true),
                     route_words(entry.mode(), destination_words(entry.destination(), entry.logical(), false)),
                     entry.level() ? "level" : "edge", entry.active_low() ? "low" : "high",
                     entry.masked() ? "masked" : "open", entry.remote_irr() ? ", remote IRR set" : "");
}

std::string local_entry_words(u8 pin, const VectorEntry& entry) {
  std::string text = content_words(entry.mode(), entry.vector(), true);
  if (pin == static_cast<u8>(ApicPin::Timer)) {
    constexpr std::array<std::string_view, 4> modes = {"one-shot", "periodic", "TSC deadline", "reserved mode"};
    text = fmt::format("vector {:#04x}, {}", entry.vector(), modes[entry.timer_mode()]);
  } else if (pin == static_cast<u8>(ApicPin::Error)) {
    text = fmt::format("vector {:#04x}", entry.vector());
  } else if (pin == static_cast<u8>(ApicPin::Lint0) || pin == static_cast<u8>(ApicPin::Lint1)) {
    text += fmt::format(", {}, active {}", entry.level() ? "level" : "edge", entry.active_low() ? "low" : "high");
  }
  return text + (entry.masked() ? ", masked" : ", open");
}

std::string spurious_words(u64 value) {
  return fmt::format("APIC {}, spurious vector {:#04x}{}", (value & apic_register::software_enable) != 0 ? "on" : "off",
                     static_cast<u8>(value),
                     (value & apic_register::suppress_broadcast) != 0 ? ", EOIs not told to I/O APICs" : "");
}

std::string base_words(u64 value) {
  if ((value & apic_register::global_enable) == 0) return "APIC off";
  return fmt::format("APIC on at {:#x}{}", value & ~u64{0xFFF},
                     (value & apic_register::x2apic_enable) != 0 ? ", x2APIC" : "");
}

/// IA-PC HPET 1.0a, 2.3.8.
std::string hpet_timer_words(u64 value) {
  const bool on = (value >> 2 & 1) != 0;
  const bool by_message = (value >> 14 & 1) != 0;
  return fmt::format("interrupt {}, {}, {}, {}", on ? "on" : "off", (value >> 3 & 1) != 0 ? "periodic" : "one-shot",
                     (value >> 1 & 1) != 0 ? "level" : "edge",
                     by_message ? std::string("by message") : fmt::format("to I/O APIC pin {}", value >> 9 & 0x1F));
}

std::string route_of_pirq(u64 value) {
  constexpr u64 off = 0x80;
  return (value & off) != 0 ? "to no IRQ" : fmt::format("to IRQ {}", value & 15);
}

}  // namespace

std::string pin_name(u8 pin) {
  if (pin < first_pci_line) return fmt::format("IRQ {}", pin);
  if (pin < first_pci_line + 8) return fmt::format("PIRQ {}", static_cast<char>('A' + pin - first_pci_line));
  const PinWords* words = words_of(pin);
  return words != nullptr ? std::string(words->name) : fmt::format("line {}", pin);
}

std::string pin_name(u8 pin, const TraceHeader& header) {
  constexpr u8 first_line_past_four_pirqs = first_pci_line + 4;
  const bool four_pirqs = std::ranges::find(header.options, TraceOption{"board", "pc"}) != header.options.end();
  return four_pirqs && pin >= first_line_past_four_pirqs && pin < first_pci_line + 8
             ? fmt::format("I/O APIC pin {}", pin)
             : pin_name(pin);
}

std::string raise_clause(u8 pin, const TraceHeader& header) {
  const PinWords* words = words_of(pin);
  if (words == nullptr) return "raises " + pin_name(pin, header);
  return fmt::format("{} {}", is_message(pin) ? "sends" : "raises", words->raised);
}

std::string raise_infinitive(u8 pin, const TraceHeader& header) {
  const PinWords* words = words_of(pin);
  if (words == nullptr) return "raise " + pin_name(pin, header);
  return fmt::format("{} {}", is_message(pin) ? "send" : "raise", words->raised);
}

std::string_view mode_name(MessageMode mode) { return mode_names[static_cast<std::size_t>(mode) & 7]; }

std::string destination_text(const Record& record) {
  const std::string_view shorthand = shorthand_words(record.extra);
  if (!shorthand.empty()) return std::string(shorthand);
  return destination_words(static_cast<u32>(record.extra), (record.extra & message_extra::logical) != 0,
                           (record.extra & message_extra::wide) != 0);
}

std::string message_text(const Record& record) {
  const auto mode = static_cast<MessageMode>(record.detail);
  const bool asserted = (record.extra & message_extra::deassert) == 0;
  std::string to = destination_text(record);
  if (record.kind == RecordKind::MessageLost) {
    return fmt::format("{} to {}", lost_content(static_cast<MessageLoss>(record.detail), record.vector), to);
  }
  return fmt::format("{} to {}", content_words(mode, record.vector, asserted), route_words(mode, std::move(to)));
}

std::string_view loss_name(MessageLoss loss) { return words_of(loss).name; }
std::string_view loss_clause(MessageLoss loss) { return words_of(loss).clause; }

std::string register_words(ControllerRegister which, u8 pin, u64 value) {
  switch (which) {
    case ControllerRegister::RedirectionEntry:
      return entry_words({value});
    case ControllerRegister::LocalVector:
      return local_entry_words(pin, {value});
    case ControllerRegister::SpuriousVector:
      return spurious_words(value);
    case ControllerRegister::ApicBase:
      return base_words(value);
    case ControllerRegister::Imcr:
      return (value & 1) != 0 ? "interrupts go through the APICs" : "the 8259 goes straight to the CPU";
    case ControllerRegister::PirqRoute:
      return route_of_pirq(value);
    case ControllerRegister::HpetTimer:
      return hpet_timer_words(value);
    case ControllerRegister::HpetControl:
      return fmt::format("the counter {}{}", (value & 1) != 0 ? "runs" : "stands still",
                         (value & 2) != 0 ? ", legacy replacement" : "");
    default:
      return {};
  }
}

}  // namespace vitrine
