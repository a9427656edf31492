#include "kernel/arch/x86_64/exceptions.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/exception_table.hpp"
#include "kernel/arch/x86_64/fixups.hpp"
#include "kernel/arch/x86_64/page_fault.hpp"
#include "kernel/core/atomic.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/drivers/pic8259.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

enum Vector : u64 {
  debug = 1,
  double_fault = 8,
  general_protection = 13,
  page_fault = 14,
  x87_error = 16,
  machine_check = 18,
  simd_error = 19,
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
  switch (exception_of(frame.vector).error) {
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

void describe(TextSink& out, const Frame& frame) {
  put_exception(out, frame.vector);
  char buffer[192];
  BufferSink details(buffer);
  explain(details, frame);
  if (!details.text().empty()) format(out, ": {}", details.text());
}

[[noreturn]] void give_up(const Frame& frame) {
  char buffer[256];
  BufferSink text(buffer);
  if (frame.from_user()) text.put("while a program ran: ");
  describe(text, frame);
  panic_at(frame, "{}", text.text());
}

bool lines_come_as_exceptions = false;

/// Of an 8259 whose vectors are the exceptions': the handler that this vector is meant for is a device's.
void give_up_if_interrupt(const Frame& frame) {
  const u64 line = frame.vector - default_8259_vector;
  const bool is_line = frame.vector >= default_8259_vector && line < Pic8259Pair::lines;
  if (!is_line || !Pic8259Pair::is_in_service(static_cast<u8>(line))) return;
  char buffer[80];
  BufferSink name(buffer);
  put_exception(name, frame.vector);
  const bool lacks_code = frame.error == Frame::no_error_code;
  panic_at(frame, "not a {}: IRQ {}{}; the 8259 has it in service, and nobody moved its vectors", name.text(), line,
           lacks_code ? ", no error code" : "");
}

/// What no signal and no panic tells of: which program, where, and what the CPU says.
void log_fault_of_program(const Frame& frame, u32 number) {
  const Thread& thread = current_thread();
  if (number == signal::trap || thread.process->actions->of[number].handler > vitrine::abi::ignore_handler) return;
  char buffer[192];
  BufferSink text(buffer);
  describe(text, frame);
  log(LogLevel::Info, "{} ({}) at {:#x}: {}", static_cast<const char*>(thread.name), thread.number, frame.rip,
      text.text());
}

}  // namespace

void expect_lines_as_exceptions() { lines_come_as_exceptions = true; }

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
  if (lines_come_as_exceptions) give_up_if_interrupt(frame);
  const auto number = signal_of_exception(frame.vector);
  if (!frame.from_user() || !number) {
    // FXRSTOR of what a program wrote: a reserved bit of MXCSR (SDM vol. 1 §10.5.1.2), or no address of such a state.
    if (frame.vector == general_protection && fix_up(frame)) return;
    give_up(frame);
  }
  log_fault_of_program(frame, *number);
  force_signal(*number);
}

}  // namespace pulse
