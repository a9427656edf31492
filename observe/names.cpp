#include "observe/names.hpp"

#include <fmt/format.h>

#include <array>

#include "observe/symboliser.hpp"

namespace vitrine {

namespace {

struct ExceptionName {
  std::string_view mnemonic, name;
};
// Intel SDM volume 3A, table 6-1 "Protected-Mode Exceptions and Interrupts"; 28..30 from AMD APM volume 2, table 8-1.
constexpr std::array<ExceptionName, 32> exception_names = {{
    {"#DE", "divide error"},
    {"#DB", "debug exception"},
    {"NMI", "non-maskable interrupt"},
    {"#BP", "breakpoint"},
    {"#OF", "overflow"},
    {"#BR", "bound range exceeded"},
    {"#UD", "invalid opcode"},
    {"#NM", "device not available"},
    {"#DF", "double fault"},
    {"", "coprocessor segment overrun"},
    {"#TS", "invalid TSS"},
    {"#NP", "segment not present"},
    {"#SS", "stack fault"},
    {"#GP", "general protection"},
    {"#PF", "page fault"},
    {"", "reserved vector 15"},
    {"#MF", "x87 floating-point error"},
    {"#AC", "alignment check"},
    {"#MC", "machine check"},
    {"#XM", "SIMD floating-point error"},
    {"#VE", "virtualization exception"},
    {"#CP", "control protection"},
    {"", "reserved vector 22"},
    {"", "reserved vector 23"},
    {"", "reserved vector 24"},
    {"", "reserved vector 25"},
    {"", "reserved vector 26"},
    {"", "reserved vector 27"},
    {"#HV", "hypervisor injection"},
    {"#VC", "VMM communication"},
    {"#SX", "security exception"},
    {"", "reserved vector 31"},
}};

constexpr std::array<std::string_view, 36> kind_names = {"unknown",
                                                         "raised",
                                                         "lowered",
                                                         "latched",
                                                         "merged",
                                                         "blocked",
                                                         "withdrawn",
                                                         "acknowledged",
                                                         "spurious",
                                                         "delivered",
                                                         "eoi",
                                                         "returned",
                                                         "exception",
                                                         "delivery-failed",
                                                         "triple-fault",
                                                         "halted",
                                                         "woken",
                                                         "interrupts-off",
                                                         "line-lost",
                                                         "mask-changed",
                                                         "in-service",
                                                         "guest-exit",
                                                         "withheld",
                                                         "device-programmed",
                                                         "controller-programmed",
                                                         "attended",
                                                         "thread-runs",
                                                         "thread-woken",
                                                         "thread-blocked",
                                                         "thread-exited",
                                                         "thread-named",
                                                         "message-sent",
                                                         "message-lost",
                                                         "copied",
                                                         "cpu-started",
                                                         "cpu-reset"};

struct Words {
  std::string_view name, clause;
};
constexpr std::array<Words, 16> obstacle_words = {{
    {"none", "nothing stands in its way"},
    {"masked", "its mask bit is set"},
    {"in-service", "one of the same or higher priority is in service and has not had its EOI"},
    {"interrupt-flag", "interrupts are off (IF=0)"},
    {"interrupt-shadow", "the CPU is in the shadow of STI or MOV SS"},
    {"cascade-masked", "the primary controller masks its cascade input"},
    {"not-initialised", "the controller has not been initialised"},
    {"nmi-in-progress", "an NMI handler has not executed IRET"},
    {"higher-pending", "another pending request has a higher priority"},
    {"priority-too-low", "its vector's priority is not above the processor's (PPR)"},
    {"apic-disabled", "the local APIC is switched off"},
    {"entry-masked", "its entry is masked"},
    {"remote-irr", "the I/O APIC has sent it before and no EOI has come back (remote IRR)"},
    {"function-masked", "MSI is not enabled, or masked for the whole function"},
    {"bus-master-off", "the device may not write to memory (PCI command register, bus master)"},
    {"not-connected", "its line leads elsewhere"},
}};

constexpr std::array<Words, 24> check_words = {{
    {"none", "no check failed"},
    {"gate-not-present", "the gate is not present"},
    {"vector-past-limit", "the vector lies past the limit of the IDT"},
    {"bad-gate-type", "the IDT entry is not a gate"},
    {"dpl-too-low", "the gate's DPL forbids software interrupts from this privilege level"},
    {"selector-null", "the selector is null"},
    {"selector-past-limit", "the selector lies past the limit of its descriptor table"},
    {"not-code", "the selector is not that of a code segment"},
    {"segment-not-present", "the segment is not present"},
    {"bad-privilege", "the privilege levels don't fit"},
    {"stack-selector", "the stack segment can't be used"},
    {"stack-not-mapped", "the stack is not mapped"},
    {"non-canonical", "the address is not canonical"},
    {"page-not-present", "the page is not present"},
    {"page-protection", "the page forbids this access"},
    {"page-reserved-bit", "a reserved bit is set in a paging entry"},
    {"segment-limit", "the access lies past the segment's limit"},
    {"segment-type", "the segment's type forbids this access"},
    {"bad-tss", "the task state segment can't be used"},
    {"privileged", "the instruction is privileged"},
    {"bad-long-mode", "the gate's code segment is not a 64-bit one"},
    {"reserved-value", "a reserved bit is set"},
    {"undefined", "the instruction is undefined"},
    {"alignment", "the operand is not aligned"},
}};

template <std::size_t N>
const Words& words_of(const std::array<Words, N>& table, u8 number) {
  static constexpr Words unknown = {"unknown", "the reason is unknown"};
  return number < N ? table[number] : unknown;
}

}  // namespace

std::string vector_name(u8 vector) {
  return vector < 32 ? std::string(exception_names[vector].name) : fmt::format("vector {:#04x}", vector);
}
std::string_view vector_mnemonic(u8 vector) { return vector < 32 ? exception_names[vector].mnemonic : ""; }

std::string_view kind_name(RecordKind kind) {
  const auto index = static_cast<u8>(kind);
  return index < kind_names.size() ? kind_names[index] : kind_names[0];
}
std::string_view obstacle_name(Obstacle obstacle) { return words_of(obstacle_words, static_cast<u8>(obstacle)).name; }
std::string_view obstacle_clause(Obstacle obstacle) {
  return words_of(obstacle_words, static_cast<u8>(obstacle)).clause;
}
std::string_view spurious_clause(SpuriousCause cause) {
  switch (cause) {
    case SpuriousCause::NothingRequested:
      return "nothing had been requested";
    case SpuriousCause::InputFell:
      return "the input fell before the acknowledge";
    case SpuriousCause::Masked:
      return "the request was masked before the acknowledge";
    case SpuriousCause::Outranked:
      return "priorities changed before the acknowledge";
    case SpuriousCause::NotInitialised:
      return "the controller is not initialised";
  }
  return "the cause is unknown";
}
std::string_view check_clause(FailedCheck check) { return words_of(check_words, static_cast<u8>(check)).clause; }
std::string_view check_name(FailedCheck check) { return words_of(check_words, static_cast<u8>(check)).name; }

std::string_view delivery_name(DeliveryKind kind) {
  switch (kind) {
    case DeliveryKind::External:
      return "external";
    case DeliveryKind::Nmi:
      return "nmi";
    case DeliveryKind::Fault:
      return "fault";
    case DeliveryKind::Trap:
      return "trap";
    case DeliveryKind::Abort:
      return "abort";
    case DeliveryKind::Software:
      return "software";
  }
  return "unknown";
}

std::string count_text(u64 count) {
  std::string text = fmt::format("{}", count);
  for (std::size_t left = text.size(); left > 3;) {
    left -= 3;
    text.insert(left, 1, ',');
  }
  return text;
}

std::string duration_text(u64 nanoseconds) {
  struct Unit {
    u64 size;
    std::string_view name;
  };
  static constexpr std::array<Unit, 3> units = {{{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}}};
  for (const auto& [size, name] : units) {
    if (nanoseconds < size) continue;
    const u64 whole = nanoseconds / size;
    const u64 thousandths = nanoseconds % size / (size / 1000);
    if (whole < 10) return fmt::format("{}.{:03} {}", whole, thousandths, name);
    if (whole < 100) return fmt::format("{}.{:02} {}", whole, thousandths / 10, name);
    if (whole < 1000) return fmt::format("{}.{} {}", whole, thousandths / 100, name);
    return fmt::format("{} {}", count_text(whole), name);
  }
  return fmt::format("{} ns", nanoseconds);
}

std::string moment_text(u64 nanoseconds) {
  return fmt::format("{}.{:09}", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000);
}

std::string counted(u64 count, std::string_view noun) {
  return fmt::format("{} {}{}", count_text(count), noun, count == 1 ? "" : "s");
}

std::string describe_address(u64 address, const Symboliser* symbols) {
  std::string name = symbols != nullptr ? symbols->describe(address) : std::string();
  return name.empty() ? fmt::format("{:#x}", address) : fmt::format("{:#x} {}", address, name);
}

}  // namespace vitrine
