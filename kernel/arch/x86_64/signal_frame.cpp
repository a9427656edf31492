#include "kernel/arch/x86_64/signal_frame.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/floating_point.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/signals.hpp"
#include "kernel/core/user_memory.hpp"

namespace pulse {

namespace {

using vitrine::abi::SignalContext;
using vitrine::abi::SignalFrame;
using vitrine::abi::SignalInformation;

constexpr u64 red_zone = 128;
/// What a program may change by sigreturn: the status flags, TF, DF, AC.
constexpr u64 user_flags = 0x40DD5;

SignalContext registers_of(const Frame& f) {
  return {f.r8,
          f.r9,
          f.r10,
          f.r11,
          f.r12,
          f.r13,
          f.r14,
          f.r15,
          f.rdi,
          f.rsi,
          f.rbp,
          f.rbx,
          f.rdx,
          f.rax,
          f.rcx,
          f.rsp,
          f.rip,
          f.flags,
          static_cast<u16>(f.cs),
          0,
          0,
          static_cast<u16>(f.ss),
          f.error,
          f.vector,
          0,
          read_cr2(),
          0,
          {}};
}

}  // namespace

bool push_signal_frame(Frame& frame, Thread& thread, const vitrine::abi::SignalAction& action,
                       const SignalInformation& information) {
  if (action.handler >= USER_END) return false;  // IRET would refuse it in the kernel
  u64 stack = frame.rsp - red_zone;
  const bool use_other_stack = (action.flags & vitrine::abi::signal_flag::on_stack) != 0 &&
                               thread.signal_stack.size != 0 && !is_on_signal_stack(thread, frame.rsp);
  if (use_other_stack) stack = thread.signal_stack.address + thread.signal_stack.size;
  stack = (stack - sizeof(FloatingPoint)) & ~u64{63};
  const u64 floating_point = stack;
  save_floating_point(*thread.floating_point);
  // As if the handler had been called: the return address is on top of an aligned stack.
  stack = ((stack - sizeof(SignalFrame)) & ~u64{15}) - 8;
  SignalFrame saved{};
  saved.restorer = action.restorer;
  saved.context.stack = thread.signal_stack;
  saved.context.registers = registers_of(frame);
  saved.context.registers.floating_point = floating_point;
  saved.context.mask = thread.saved_mask_valid ? thread.saved_mask : thread.signal_mask;
  saved.information = information;
  if (!copy_to_user(floating_point, thread.floating_point, sizeof(FloatingPoint)) || !write_user(stack, saved))
    return false;
  thread.saved_mask_valid = false;
  frame.rdi = static_cast<u64>(information.signal);
  frame.rsi = stack + __builtin_offsetof(SignalFrame, information);
  frame.rdx = stack + __builtin_offsetof(SignalFrame, context);
  frame.rax = 0;
  frame.rsp = stack;
  frame.rip = action.handler;
  frame.flags &= ~(flag::direction | flag::trap);
  return true;
}

bool pop_signal_frame(Frame& frame, Thread& thread) {
  constexpr std::size_t registers_at = __builtin_offsetof(SignalFrame, context.registers);
  struct {
    SignalContext registers;
    u64 mask;  // which is what follows them in UserContext
  } saved;
  static_assert(sizeof saved == sizeof(SignalFrame) - registers_at - sizeof(SignalInformation));
  if (!copy_from_user(&saved, frame.rsp - 8 + registers_at, sizeof saved)) return false;
  const SignalContext& r = saved.registers;
  if (r.rip >= USER_END) return false;  // IRET would refuse it in the kernel
  if (r.floating_point == 0) {          // Linux begins anew then
    reset_floating_point(*thread.floating_point);
    load_floating_point(*thread.floating_point);
  } else if (!load_user_floating_point(r.floating_point)) {
    return false;
  }
  frame.r15 = r.r15;
  frame.r14 = r.r14;
  frame.r13 = r.r13;
  frame.r12 = r.r12;
  frame.r11 = r.r11;
  frame.r10 = r.r10;
  frame.r9 = r.r9;
  frame.r8 = r.r8;
  frame.rdi = r.rdi;
  frame.rsi = r.rsi;
  frame.rbp = r.rbp;
  frame.rdx = r.rdx;
  frame.rcx = r.rcx;
  frame.rbx = r.rbx;
  frame.rax = r.rax;
  frame.vector = 0;
  frame.error = 0;
  frame.rip = r.rip;
  frame.cs = USER_CODE;
  frame.flags = (frame.flags & ~user_flags) | (r.flags & user_flags);
  frame.rsp = r.rsp;
  frame.ss = USER_DATA;
  thread.signal_mask = saved.mask & ~unblockable_signals;
  return true;
}

}  // namespace pulse
