#include "kernel/arch/x86_64/exception_table.hpp"

#include "abi/linux_signal.hpp"

namespace pulse {

namespace {

constexpr Exception reserved{"", "reserved exception"};

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
    reserved,
    {"#MF", "x87 floating-point error"},
    {"#AC", "alignment check", ErrorCode::Zero},
    {"#MC", "machine check"},
    {"#XM", "SIMD floating-point exception"},
    {"#VE", "virtualization exception"},
    {"#CP", "control protection", ErrorCode::ControlProtection},
    reserved,
    reserved,
    reserved,
    reserved,
    reserved,
    reserved,
    {"#HV", "hypervisor injection"},
    {"#VC", "VMM communication", ErrorCode::Other},
    {"#SX", "security exception", ErrorCode::Other},
    reserved,
};

}  // namespace

const Exception& exception_of(u64 vector) { return exceptions[vector % std::size(exceptions)]; }

void put_exception(TextSink& out, u64 vector) {
  const Exception& exception = exception_of(vector);
  format(out, "{} ({}{}vector {})", exception.name, exception.mnemonic, exception.mnemonic.empty() ? "" : ", ", vector);
}

std::optional<u32> signal_of_exception(u64 vector) {
  namespace signal = vitrine::abi::signal;
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
    case 4:
    case 5:
    case 7:
    case 10:
    case 13:
    case 14:
    case 21:
      return signal::segmentation;
    default:
      return std::nullopt;
  }
}

}  // namespace pulse
