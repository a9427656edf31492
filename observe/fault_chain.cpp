#include "observe/fault_chain.hpp"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <string_view>

#include "observe/names.hpp"

namespace vitrine {

namespace {

std::string vector_text(u8 vector) {
  const std::string_view mnemonic = vector_mnemonic(vector);
  return mnemonic.empty() ? vector_name(vector) : fmt::format("{} ({})", mnemonic, vector_name(vector));
}

/// Error codes that name a selector: SDM volume 3A, 6.13 "Error Code".
bool error_code_names_selector(u8 vector) { return vector >= 10 && vector <= 13; }

std::string error_code_text(const ExceptionStep& step) {
  if (!step.has_error_code) return {};
  const u32 code = step.error_code;
  std::string text = fmt::format(", error code {:#06x}", code);
  if (step.vector == 14) {
    text += fmt::format(" ({} of a {} page by {} code)",
                        (code & 16) != 0  ? "fetch"
                        : (code & 2) != 0 ? "write"
                                          : "read",
                        (code & 1) != 0 ? "present" : "not-present", (code & 4) != 0 ? "user" : "kernel");
  } else if (error_code_names_selector(step.vector) && code != 0) {
    if ((code & 2) != 0) {
      text += fmt::format(" (IDT entry {:#04x})", code >> 3);
    } else {
      text += fmt::format(" ({} selector {:#06x})", (code & 4) != 0 ? "LDT" : "GDT", code & ~3u);
    }
  }
  return text;
}

/// The failed check with what it looked at.
std::string check_text(const ExceptionStep& step) {
  std::string text(check_clause(step.check));
  switch (step.check) {
    case FailedCheck::SelectorNull:
    case FailedCheck::SelectorPastLimit:
    case FailedCheck::NotCode:
    case FailedCheck::SegmentNotPresent:
    case FailedCheck::BadPrivilege:
    case FailedCheck::StackSelector:
    case FailedCheck::TssBad:
    case FailedCheck::BadLongMode:
      return text + fmt::format(" (selector {:#06x})", step.selector);
    case FailedCheck::StackNotMapped:
    case FailedCheck::NonCanonical:
    case FailedCheck::PageNotPresent:
    case FailedCheck::PageProtection:
    case FailedCheck::PageReservedBit:
    case FailedCheck::SegmentLimit:
      return text + fmt::format(" (linear address {:#x})", step.linear_address);
    default:
      return text;
  }
}

std::string_view mode_text(RegisterDump::Mode mode) {
  switch (mode) {
    case RegisterDump::Mode::Real16:
      return "real mode";
    case RegisterDump::Mode::Protected16:
      return "16-bit protected mode";
    case RegisterDump::Mode::Protected32:
      return "32-bit protected mode";
    case RegisterDump::Mode::Long64:
      return "64-bit mode";
  }
  return "";
}

struct FlagName {
  unsigned bit;
  std::string_view name;
};

template <std::size_t N>
std::string flags_text(u64 value, const FlagName (&names)[N]) {
  std::string text;
  for (const auto& [bit, name] : names) {
    if ((value >> bit & 1) != 0) text += fmt::format("{}{}", text.empty() ? "" : " ", name);
  }
  return text.empty() ? "-" : text;
}

constexpr FlagName cr0_names[] = {{31, "PG"}, {18, "AM"}, {16, "WP"}, {5, "NE"},
                                  {3, "TS"},  {2, "EM"},  {1, "MP"},  {0, "PE"}};
constexpr FlagName cr4_names[] = {{21, "SMAP"},       {20, "SMEP"},  {18, "OSXSAVE"}, {17, "PCIDE"}, {16, "FSGSBASE"},
                                  {10, "OSXMMEXCPT"}, {9, "OSFXSR"}, {7, "PGE"},      {5, "PAE"},    {4, "PSE"}};
constexpr FlagName efer_names[] = {{11, "NXE"}, {10, "LMA"}, {8, "LME"}, {0, "SCE"}};
constexpr FlagName rflags_names[] = {{17, "VM"}, {16, "RF"}, {14, "NT"}, {11, "OF"}, {10, "DF"}, {9, "IF"},
                                     {8, "TF"},  {7, "SF"},  {6, "ZF"},  {4, "AF"},  {2, "PF"},  {0, "CF"}};

/// What was on its way when a step's exception came up.
std::string delivered_text(const ExceptionStep& step) {
  std::string name = vector_text(step.delivering_vector);
  switch (step.delivering_kind) {
    case DeliveryKind::External:
      // The third mission document's warning: an 8259 that was never remapped sends the vectors of exceptions.
      return step.delivering_vector < 32
                 ? fmt::format("a device's interrupt as vector {:#04x} (which is also {}: are the 8259s remapped?)",
                               step.delivering_vector, name)
                 : fmt::format("a device's interrupt as vector {:#04x}", step.delivering_vector);
    case DeliveryKind::Software:
      // INT3 and INTO are exceptions in all but their delivery.
      if (step.delivering_vector == 3 || step.delivering_vector == 4) return name;
      return fmt::format("INT {:#04x}", step.delivering_vector);
    default:
      return name;
  }
}

}  // namespace

std::string exception_sentence(const ExceptionStep& step, const Symboliser* symbols) {
  std::string text;
  if (step.during_delivery) text += fmt::format("delivering {} failed: ", delivered_text(step));
  text += vector_text(step.vector) + error_code_text(step);
  if (step.check != FailedCheck::None) text += ": " + check_text(step);
  if (step.vector == 14) text += fmt::format(", CR2 {:#x}", step.cr2);
  if (!step.during_delivery || step.delivering_kind == DeliveryKind::External)
    text += fmt::format(", at {:04x}:{}", step.cs, describe_address(step.rip, symbols));
  text += fmt::format(", stack {:04x}:{:#x}", step.ss, step.rsp);
  return text;
}

std::string register_text(const RegisterDump& r) {
  static constexpr std::string_view names64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                 "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
  static constexpr std::string_view names32[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
  const bool wide = r.mode == RegisterDump::Mode::Long64;
  std::string out = fmt::format("  {}, CPL {}\n", mode_text(r.mode), r.privilege);
  for (u32 i = 0; i < (wide ? 16u : 8u); ++i) {
    out += "  ";
    out += wide ? fmt::format("{} {:016x}", names64[i], r.general[i])
                : fmt::format("{} {:08x}", names32[i], static_cast<u32>(r.general[i]));
    if (i % 4 == 3) out += "\n";
  }
  out += wide ? fmt::format("  rip {:016x}", r.rip) : fmt::format("  eip {:08x}", static_cast<u32>(r.rip));
  out += fmt::format("  flags {:08x} ({})\n", static_cast<u32>(r.rflags), flags_text(r.rflags, rflags_names));
  out += fmt::format("  cs {:04x}  ss {:04x}  ds {:04x}  es {:04x}  fs {:04x}  gs {:04x}  tr {:04x}  ldtr {:04x}\n",
                     r.cs, r.ss, r.ds, r.es, r.fs, r.gs, r.tr, r.ldtr);
  if (r.fs_base != 0 || r.gs_base != 0)
    out += fmt::format("  fs base {:016x}  gs base {:016x}\n", r.fs_base, r.gs_base);
  out += fmt::format("  cr0 {:08x} ({})  cr2 {:016x}\n", static_cast<u32>(r.cr0), flags_text(r.cr0, cr0_names), r.cr2);
  out += fmt::format("  cr3 {:016x}  cr4 {:08x} ({})  efer {:08x} ({})\n", r.cr3, static_cast<u32>(r.cr4),
                     flags_text(r.cr4, cr4_names), static_cast<u32>(r.efer), flags_text(r.efer, efer_names));
  out += fmt::format("  idt {:016x} limit {:04x}  gdt {:016x} limit {:04x}\n", r.idt_base, r.idt_limit, r.gdt_base,
                     r.gdt_limit);
  return out;
}

std::string code_text(const RegisterDump& registers, std::size_t most, const Symboliser* symbols) {
  if (registers.code.empty()) return "  (the code there can't be read)\n";
  ZydisMachineMode mode = ZYDIS_MACHINE_MODE_REAL_16;
  if (registers.mode == RegisterDump::Mode::Protected16) mode = ZYDIS_MACHINE_MODE_LEGACY_16;
  if (registers.mode == RegisterDump::Mode::Protected32) mode = ZYDIS_MACHINE_MODE_LEGACY_32;
  if (registers.mode == RegisterDump::Mode::Long64) mode = ZYDIS_MACHINE_MODE_LONG_64;
  std::string out;
  std::size_t position = 0;
  for (std::size_t i = 0; i < most && position < registers.code.size(); ++i) {
    const u64 address = registers.linear_rip + position;
    ZydisDisassembledInstruction instruction;
    const bool good = ZYAN_SUCCESS(ZydisDisassembleIntel(mode, address, registers.code.data() + position,
                                                         registers.code.size() - position, &instruction));
    // The bytes were cut off at some length: only the first line may say that it can't be decoded.
    if (!good && i != 0) break;
    const std::size_t length = good ? instruction.info.length : 1;
    std::string bytes;
    for (std::size_t k = 0; k < length; ++k) bytes += fmt::format("{:02x} ", registers.code[position + k]);
    const std::string name = i == 0 && symbols != nullptr ? symbols->describe(address) : std::string();
    out += fmt::format("  {} {:#x}  {:<30} {}{}\n", i == 0 ? ">" : " ", address, bytes,
                       good ? instruction.text : "(bad)", name.empty() ? "" : fmt::format("    ; {}", name));
    position += length;
  }
  return out;
}

std::string explain_triple_fault(const FaultChain& chain, const RegisterDump& registers, const Symboliser* symbols) {
  // SDM vol. 3B §15.3.1.2.
  const bool by_machine_check = chain.count == 1 && chain.steps[0].vector == 18 && !chain.steps[0].during_delivery;
  std::string out = by_machine_check
                        ? "Shutdown: a machine check came while CR4.MCE was clear or another one was in progress.\n"
                        : "Triple fault: the CPU could not deliver a double fault, and shut down.\n";
  if (chain.count != 0) out += "The exceptions that led to it, oldest first:\n";
  for (u32 i = 0; i < chain.count && i < FaultChain::capacity; ++i) {
    out += fmt::format("  {}. {} s: {}.\n", i + 1, moment_text(chain.steps[i].time),
                       exception_sentence(chain.steps[i], symbols));
  }
  out += "Registers:\n" + register_text(registers);
  out += "Code:\n" + code_text(registers, 4, symbols);
  return out;
}

}  // namespace vitrine
