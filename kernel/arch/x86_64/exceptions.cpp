#include "kernel/arch/x86_64/exceptions.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/fixups.hpp"
#include "kernel/arch/x86_64/page_fault.hpp"
#include "kernel/core/atomic.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

/// What the CPU pushes with it. Zero: always 0.
enum class ErrorCode : u8 { None, Zero, Selector, PageFault, ControlProtection, Other };

enum Vector : u64 {
  debug = 1,
  double_fault = 8,
  general_protection = 13,
  page_fault = 14,
  x87_error = 16,
  machine_check = 18,
  simd_error = 19,
};

struct Exception {
  std::string_view mnemonic, name;
  ErrorCode error = ErrorCode::None;
};
// SDM vol. 3A table 6-1. Empty: reserved.
constexpr Exception exceptions[32] = {
    {"#DE", "divide error"},
    {"#DB", "debug exception"},
    {"NMI", "non-maskable interrupt"},
    {"#BP", "breakpoint"},
    {"#OF", "overflow"},
    {"#BR", "bound range exceeded"},
    {"#UD", "undefined opcode"},
    {"#NM", "no math coprocessor"},
    {"#DF", "double fault", ErrorCode::Zero},
    {"", "coprocessor segment overrun"},
    {"#TS", "invalid TSS", ErrorCode::Selector},
    {"#NP", "segment not present", ErrorCode::Selector},
    {"#SS", "stack-segment fault", ErrorCode::Selector},
    {"#GP", "general protection", ErrorCode::Selector},
    {"#PF", "page fault", ErrorCode::PageFault},
    {},
    {"#MF", "x87 floating-point error"},
    {"#AC", "alignment check", ErrorCode::Zero},
    {"#MC", "machine check"},
    {"#XM", "SIMD floating-point exception"},
    {"#VE", "virtualization exception"},
    {"#CP", "control protection", ErrorCode::ControlProtection},
    {},
    {},
    {},
    {},
    {},
    {},
    {"#HV", "hypervisor injection"},
    {"#VC", "VMM communication", ErrorCode::Other},
    {"#SX", "security exception", ErrorCode::Other},
    {},
};

/// SDM vol. 3A §6.13.
void explain_selector_error(TextSink& out, u64 error) {
  if (error == 0) return out.put("error code 0: no selector is to blame");
  const std::string_view table = bit(error, 1) ? "IDT" : bit(error, 2) ? "LDT" : "GDT";
  format(out, "error code {:#x}: entry {} of the {}{}", error, error >> 3, table,
         bit(error, 0) ? ", while an interrupt was delivered" : "");
}

/// SDM vol. 3A §4.7.
void explain_page_fault(TextSink& out, u64 error) {
  format(out, "{} {} address {:#x}, which {}{}", bit(error, 2) ? "a program's" : "the kernel's",
         bit(error, 4)   ? "instruction fetch from"
         : bit(error, 1) ? "write to"
                         : "read of",
         read_cr2(), bit(error, 0) ? "its page forbids" : "no page maps",
         bit(error, 3) ? "; a paging entry has a reserved bit set" : "");
}

/// What a program gets for it (Linux, arch/x86/kernel/traps.c has the same).
u32 signal_of(u64 vector) {
  switch (vector) {
    case 0:
    case 16:
    case 19:
      return signal::arithmetic;
    case 1:
    case 3:
      return signal::trap;
    case 6:
      return signal::illegal;
    case 11:
    case 12:
    case 17:
      return signal::bus;
    default:
      return signal::segmentation;
  }
}

/// SDM vol. 3B §18.2.3 (DR6).
void explain_debug_status(TextSink& out) {
  const u64 status = read_dr6();
  for (unsigned i = 0; i < 4; ++i) {
    if (bit(status, i)) format(out, "breakpoint {} was met; ", i);
  }
  if (bit(status, 13)) out.put("an instruction touched a debug register; ");
  if (bit(status, 14)) out.put("single step; ");
  if (bit(status, 15)) out.put("task switch; ");
  format(out, "DR6 {:#x}", status);
}

/// The six exceptions of x87 and SSE have the same places in both (SDM vol. 1 §8.1.3.3, §10.2.3).
void explain_arithmetic(TextSink& out, std::string_view name, u64 status, u64 masks) {
  static constexpr std::string_view names[6] = {"invalid operation", "denormal operand", "division by zero",
                                                "overflow",          "underflow",        "inexact result"};
  for (unsigned i = 0; i < 6; ++i) {
    if (bit(status, i) && !bit(masks, i)) format(out, "{}; ", names[i]);
  }
  format(out, "{} {:#x}", name, status);
}

/// SDM vol. 3A §6.15, "control protection".
void explain_control_protection(TextSink& out, u64 error) {
  static constexpr std::string_view names[] = {"reserved",          "near RET", "far RET or IRET",
                                               "missing ENDBRANCH", "RSTORSSP", "SETSSBSY"};
  const u64 kind = error & 0x7FFF;
  format(out, "error code {:#x}: {}", error, names[kind < std::size(names) ? kind : 0]);
}

void explain(TextSink& text, const Frame& frame) {
  switch (exceptions[frame.vector].error) {
    case ErrorCode::None:
    case ErrorCode::Zero:
      break;
    case ErrorCode::Selector:
      explain_selector_error(text, frame.error);
      break;
    case ErrorCode::PageFault:
      explain_page_fault(text, frame.error);
      break;
    case ErrorCode::ControlProtection:
      explain_control_protection(text, frame.error);
      break;
    case ErrorCode::Other:
      format(text, "error code {:#x}", frame.error);
      break;
  }
  switch (frame.vector) {
    case debug:
      return explain_debug_status(text);
    case double_fault:
      if (is_stack_guard(read_cr2())) text.put("a kernel stack is used up");
      return;
    case x87_error:
      return explain_arithmetic(text, "FSW", read_x87_status(), read_x87_control());
    case machine_check:
      return format(text, "IA32_MCG_STATUS {:#x}", read_msr(msr::machine_check_status));
    case simd_error:
      return explain_arithmetic(text, "MXCSR", read_mxcsr(), read_mxcsr() >> 7);
    default:
      return;
  }
}

constexpr u32 nmi_came = 0x100;
Atomic<u32> nmi_reasons{0};  // and port 61h as it was then

[[noreturn]] void give_up(const Frame& frame) {
  const Exception& exception = exceptions[frame.vector];
  char buffer[192];
  BufferSink text(buffer);
  explain(text, frame);
  panic_at(frame, "{} ({}, vector {}){}{}", exception.name, exception.mnemonic, frame.vector,
           text.text().empty() ? "" : ": ", text.text());
}

}  // namespace

std::string_view exception_mnemonic(u64 vector) { return exceptions[vector].mnemonic; }
std::string_view exception_name(u64 vector) { return exceptions[vector].name; }

void note_nmi() {
  constexpr u16 control_port = 0x61;  // what pulled it (IBM PC/AT: RAM parity, I/O channel)
  nmi_reasons.fetch_or(nmi_came | in8(control_port));
}

void tell_of_nmi() {
  constexpr u8 memory_error = 0x80, channel_error = 0x40;
  const u32 reasons = nmi_reasons.load() != 0 ? nmi_reasons.exchange(0) : 0;
  if (reasons == 0) return;
  log_warning("NMI: {}", (reasons & memory_error) != 0    ? "a parity error in RAM"
                         : (reasons & channel_error) != 0 ? "an error on the I/O channel"
                                                          : "nobody says why");
}

void handle_exception(Frame& frame) {
  if (frame.vector == page_fault) {
    if (!handle_page_fault(frame)) give_up(frame);
    return;
  }
  if (!frame.from_user()) {
    // FXRSTOR of what a program wrote: a reserved bit of MXCSR (SDM vol. 1 §10.5.1.2), or no address of such a state.
    if (frame.vector == general_protection && fix_up(frame)) return;
    give_up(frame);
  }
  force_signal(signal_of(frame.vector));
}

}  // namespace pulse
