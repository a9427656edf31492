#include "observe/check/rules/wrong_gs.hpp"

#include <fmt/format.h>

#include "observe/names.hpp"

namespace vitrine {

namespace {
u64 gs_base(const Cpu& cpu) { return cpu.state.segments[gs].base; }
}  // namespace

bool WrongGs::holds_user_base(const Cpu& cpu) const {
  return user_base_ && gs_base(cpu) == *user_base_ && cpu.state.kernel_gs_base != *user_base_;
}

void WrongGs::came_from_user(const Cpu& cpu, const Entry& entry) {
  user_base_ = gs_base(cpu);
  entry_ = entry;
  user_base_active_ = holds_user_base(cpu);
}

void WrongGs::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  if (!cpu.state.long_mode() || !within_kernel_phase(cpu, delivery)) return;
  if (delivery.before.privilege == 3) {
    came_from_user(cpu, {.address = cpu.linear_rip(), .request = delivery.request, .vector = delivery.vector});
  }
  frames_.push(cpu, delivery).kept.base = gs_base(cpu);
}

void WrongGs::entered_kernel(const Cpu& cpu, u64 /*instruction*/) {
  if (cpu.state.long_mode()) came_from_user(cpu, {.address = cpu.linear_rip()});
}

void WrongGs::gs_changed(const Cpu& cpu, u64 instruction, CpuProbe::GsChange change) {
  if (change == CpuProbe::GsChange::Swapped) {
    swapped_ = instruction;
    // SWAPGS has put the program's base away: what is active now is the kernel's.
    if (user_base_ && cpu.state.kernel_gs_base == *user_base_ && gs_base(cpu) != *user_base_)
      kernel_base_ = gs_base(cpu);
  }
  user_base_active_ = holds_user_base(cpu);
}

void WrongGs::gs_used(const Cpu& cpu, u64 instruction) {
  if (cpu.cpl != 0 || swapped_ == 0 || !holds_user_base(cpu)) return;
  Finding finding{.rule = "wrong-gs",
                  .severity = FindingSeverity::Error,
                  .address = instruction,
                  .vector = entry_.vector,
                  .id = entry_.request};
  finding.sentence = fmt::format(
      "{} uses GS in the kernel while it holds the program's base ({:#x}), not the kernel's "
      "({:#x}): SWAPGS is missing, or was executed once too often",
      address_mark(instruction), gs_base(cpu), cpu.state.kernel_gs_base);
  finding.evidence = {
      fmt::format("Privilege 3 was left at {} {}.", address_mark(entry_.address),
                  entry_.vector >= 0 ? "by " + vector_name(static_cast<u8>(entry_.vector)) : "by SYSCALL or SYSENTER"),
      fmt::format("The last SWAPGS was at {}.", address_mark(swapped_))};
  context_.findings.report(std::move(finding));
}

void WrongGs::returning(const Cpu& cpu, const ProbedReturn& iret) {
  const auto* frame = frames_.match(cpu, iret);
  leaving_ = frame == nullptr ? 0 : frame->delivery.frame;
}

void WrongGs::returned(const Cpu& cpu, const ProbedReturn& iret) {
  const auto* frame = leaving_ == 0 ? nullptr : frames_.find(leaving_);
  leaving_ = 0;
  if (frame == nullptr) {
    frames_.left_otherwise();
  } else {
    // Privilege 0 was interrupted and goes on with the other half of the pair.
    const bool swapped = frame->kept.base != gs_base(cpu) && frame->kept.base == cpu.state.kernel_gs_base;
    if (swapped_ != 0 && swapped && frame->delivery.before.privilege == 0 && cpu.cpl == 0 &&
        !frames_.other_ran(*frame)) {
      context_.findings.report(
          {.rule = "wrong-gs",
           .severity = FindingSeverity::Error,
           .address = iret.instruction,
           .vector = frame->delivery.vector,
           .id = frame->delivery.request,
           .sentence = fmt::format("{} returns to kernel code with the program's GS base ({:#x}): its handler executed "
                                   "SWAPGS an odd number of times, though it came from privilege 0",
                                   address_mark(iret.instruction), gs_base(cpu)),
           .evidence = {fmt::format("The handler is {}; the last SWAPGS was at {}.", address_mark(frame->handler),
                                    address_mark(swapped_))}});
    }
    frames_.leave(*frame);
  }
  if (cpu.cpl == 3) check_exit(cpu, iret.instruction);
}

void WrongGs::left_kernel(const Cpu& cpu, u64 instruction) {
  frames_.left_otherwise();
  if (cpu.cpl == 3) check_exit(cpu, instruction);
}

void WrongGs::check_exit(const Cpu& cpu, u64 instruction) {
  user_base_active_ = false;  // what privilege 3 does with GS is its own matter
  if (swapped_ == 0 || !kernel_base_ || gs_base(cpu) != *kernel_base_ || kernel_base_ == user_base_ ||
      cpu.state.kernel_gs_base != user_base_)
    return;
  context_.findings.report(
      {.rule = "wrong-gs",
       .severity = FindingSeverity::Error,
       .address = instruction,
       .vector = entry_.vector,
       .id = entry_.request,
       .sentence = fmt::format("{} returns to the program with the kernel's GS base ({:#x}): SWAPGS is missing on the "
                               "way out",
                               address_mark(instruction), gs_base(cpu)),
       .evidence = {fmt::format("The kernel was entered at {}; the last SWAPGS was at {}.",
                                address_mark(entry_.address), address_mark(swapped_))}});
}

}  // namespace vitrine
