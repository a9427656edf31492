#include "kernel/arch/x86_64/exceptions.hpp"

#include <string_view>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/page_fault.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

enum class ErrorCode : u8 { None, Selector, PageFault };

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
    {"#DF", "double fault", ErrorCode::Selector},
    {"", "coprocessor segment overrun"},
    {"#TS", "invalid TSS", ErrorCode::Selector},
    {"#NP", "segment not present", ErrorCode::Selector},
    {"#SS", "stack-segment fault", ErrorCode::Selector},
    {"#GP", "general protection", ErrorCode::Selector},
    {"#PF", "page fault", ErrorCode::PageFault},
    {},
    {"#MF", "x87 floating-point error"},
    {"#AC", "alignment check", ErrorCode::Selector},
    {"#MC", "machine check"},
    {"#XM", "SIMD floating-point exception"},
    {"#VE", "virtualization exception"},
    {"#CP", "control protection", ErrorCode::Selector},
    {},
    {},
    {},
    {},
    {},
    {},
    {"#HV", "hypervisor injection"},
    {"#VC", "VMM communication", ErrorCode::Selector},
    {"#SX", "security exception", ErrorCode::Selector},
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

[[noreturn]] void give_up(const Frame& frame) {
  const Exception& exception = exceptions[frame.vector];
  char buffer[192];
  BufferSink text(buffer);
  switch (exception.error) {
    case ErrorCode::None:
      break;
    case ErrorCode::Selector:
      explain_selector_error(text, frame.error);
      break;
    case ErrorCode::PageFault:
      explain_page_fault(text, frame.error);
      break;
  }
  constexpr u64 double_fault = 8;
  if (frame.vector == double_fault && is_stack_guard(read_cr2())) text.put("; a kernel stack is used up");
  panic_at(frame, "{} ({}, vector {}) {}", exception.name, exception.mnemonic, frame.vector, text.text());
}

}  // namespace

void handle_exception(Frame& frame) {
  constexpr u64 page_fault = 14;
  if (frame.vector == page_fault) {
    if (!handle_page_fault(frame)) give_up(frame);
    return;
  }
  if (!frame.from_user()) give_up(frame);
  force_signal(signal_of(frame.vector));
}

}  // namespace pulse
