#include "observe/check/rules/clobbered_register.hpp"
#include "observe/check/rules/fpu_state_lost.hpp"
#include "observe/check/rules/frame_layout.hpp"
#include "observe/check/rules/misaligned_handler_stack.hpp"
#include "observe/check/rules/red_zone.hpp"
#include "observe/check/rules/rule_lists.hpp"
#include "observe/check/rules/stack_rules.hpp"
#include "observe/check/rules/stale_selector.hpp"
#include "observe/check/rules/wrong_gs.hpp"

namespace vitrine {

namespace {

template <class R>
RuleMaker maker(std::vector<RuleInfo> rules) {
  return {.rules = std::move(rules), .make = [](const RuleContext& context) { return std::make_unique<R>(context); }};
}
/// Each CPU has its own GDT and GS base, and reads back its own stack.
template <class R>
RuleMaker maker_per_cpu(std::vector<RuleInfo> rules) {
  RuleMaker made = maker<R>(std::move(rules));
  made.per_cpu = true;
  return made;
}

}  // namespace

std::vector<RuleMaker> register_rules() {
  return {
      maker<ClobberedRegister>(
          {{.id = "clobbered-register",
            .title = "an interrupt handler returns with other registers than it found",
            .fix = "Save every register that the handler and what it calls may change, all caller-saved ones at least, "
                   "and restore them in the opposite order. In assembly inside C, name what is changed.",
            .needs_live = true}}),
      maker<FrameLayout>(
          {{.id = "frame-layout",
            .title = "IRET does not find the frame that the CPU pushed",
            .fix = "Take the error code off the stack before IRET, for the vectors that push one (8, 10 to 14, 17, 21, "
                   "29, 30) and no others. In 64-bit code, use IRETQ.",
            .needs_live = true}}),
      maker_per_cpu<StaleSelector>(
          {{.id = "stale-selector",
            .title = "a segment register holds a selector that the GDT no longer has",
            .fix = "After LGDT load CS by a far jump or far return, and SS, DS, ES, FS and GS by MOV, "
                   "before the first interrupt or exception can come.",
            .needs_live = true}}),
      maker<StackRules>(
          {{.id = "stale-tss-stack",
            .title = "an interrupt from user mode gets the wrong kernel stack",
            .fix = "Write the top of the new thread's kernel stack to RSP0 (ESP0) of the TSS at every switch, and load "
                   "TR once before the first entry to user mode.",
            .needs_live = true},
           {.id = "stack-collision",
            .title = "an interrupt's frame is pushed over a stack that is in use",
            .fix = "Give each vector that may come inside another one a stack of its own (IST), or keep IF clear while "
                   "such a stack is in use; do not set IF in a handler before its device is quiet.",
            .needs_live = true}}),
      maker_per_cpu<WrongGs>(
          {{.id = "wrong-gs",
            .title = "kernel code runs with the program's GS, or a program with the kernel's",
            .fix = "Execute SWAPGS once on each way in from privilege 3 (test CS in the frame) and once on "
                   "the way back there, never for interrupts of kernel code.",
            .needs_live = true}}),
      maker_per_cpu<RedZone>(
          {{.id = "red-zone",
            .title = "an interrupt overwrites data below the stack pointer that kernel code still needs",
            .fix = "Compile all code that runs at privilege 0 with -mno-red-zone (Rust: disable-redzone in "
                   "the target).",
            .needs_live = true}}),
      maker<FpuStateLost>(
          {{.id = "fpu-state-lost",
            .title = "an interrupt handler returns with other x87 or SSE state than it found",
            .fix = "Compile handlers with -mgeneral-regs-only, or save the state (FXSAVE, XSAVE) before they use these "
                   "registers.",
            .needs_live = true}}),
      maker<MisalignedHandlerStack>(
          {{.id = "misaligned-handler-stack",
            .title = "an interrupt entry calls compiled code with a misaligned stack",
            .fix = "Make RSP a multiple of 16 before the CALL, in the path with an error code and in the one without "
                   "(push one more word, or AND RSP with -16 and keep the old value).",
            .needs_live = true}}),
  };
}

}  // namespace vitrine
