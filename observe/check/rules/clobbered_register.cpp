#include "observe/check/rules/clobbered_register.hpp"

#include <fmt/format.h>

#include "observe/check/code_walk.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr SegmentIndex data_segments[] = {ds, es, fs, gs};
constexpr const char* data_segment_names[] = {"DS", "ES", "FS", "GS"};

KeptRegisters registers_of(const Cpu& cpu) {
  const CpuState& state = cpu.state;
  KeptRegisters kept;
  for (u8 slot = 0; slot < 16; ++slot) kept.general[slot] = state.gpr[slot];
  for (unsigned i = 0; i < 4; ++i) kept.selectors[i] = state.segments[data_segments[i]].selector;
  kept.fs_base = state.segments[fs].base;
  kept.gs_base = state.segments[gs].base;
  return kept;
}

}  // namespace

void ClobberedRegister::entered(const Cpu& cpu, Frame& frame) {
  if (asynchronous(frame.delivery.kind)) frame.kept = registers_of(cpu);
}

std::vector<ClobberedRegister::Change> ClobberedRegister::changes(const Cpu& cpu, const KeptRegisters& before) {
  const KeptRegisters after = registers_of(cpu);
  const bool wide = cpu.mode.is64();
  const u64 mask = wide ? ~u64{0} : 0xFFFFFFFF;
  std::vector<Change> found;
  for (u8 slot = 0; slot < (wide ? 16 : 8); ++slot) {
    if (slot == rsp || ((before.general[slot] ^ after.general[slot]) & mask) == 0) continue;
    found.push_back({.name = general_register_name(slot, wide),
                     .before = before.general[slot] & mask,
                     .after = after.general[slot] & mask,
                     .general = slot});
  }
  if (wide) {
    // DS and ES mean nothing to 64-bit code, FS and GS only their bases (SDM vol. 3A §3.4.4).
    if (before.fs_base != after.fs_base)
      found.push_back({.name = "the FS base", .before = before.fs_base, .after = after.fs_base});
    // A GS base that was swapped away is a matter for wrong-gs.
    if (before.gs_base != after.gs_base && before.gs_base != cpu.state.kernel_gs_base)
      found.push_back({.name = "the GS base", .before = before.gs_base, .after = after.gs_base});
    return found;
  }
  for (unsigned i = 0; i < 4; ++i) {
    if (before.selectors[i] == after.selectors[i]) continue;
    found.push_back({.name = data_segment_names[i], .before = before.selectors[i], .after = after.selectors[i]});
  }
  return found;
}

void ClobberedRegister::given_back(const Cpu& cpu, const ProbedReturn& iret, Frame& frame) {
  const ProbedDelivery& delivery = frame.delivery;
  // The flags need no comparison: they come from the frame, where a change is an edit. 16-bit handlers belong to
  // firmware.
  if (!asynchronous(delivery.kind) || delivery.slot_size == 2) return;
  const std::vector<Change> changed = changes(cpu, frame.kept);
  if (changed.empty()) return;

  const Change& first = changed.front();
  std::optional<u64> writer;
  if (first.general) {
    const GuestCode code(cpu, handler_code_size());
    writer = last_on_the_way(code, frame.handler, iret.instruction, [&](const GuestInstruction& instruction) {
      return instruction.writes_general(*first.general);
    });
  }
  const std::string handler = address_mark(frame.handler);
  const std::string vector = vector_name(delivery.vector);
  const std::string rest = fmt::format("the code that was interrupted at {} had {:#x} there and gets {:#x} back",
                                       address_mark(delivery.instruction), first.before, first.after);
  Finding finding{.rule = "clobbered-register",
                  .severity = other_ran(frame) ? FindingSeverity::Warning : FindingSeverity::Error,
                  .address = writer.value_or(frame.handler),
                  .vector = delivery.vector,
                  .id = delivery.request};
  finding.sentence =
      writer ? fmt::format("{} changes {} in the handler of {} ({}) and nobody restores it: {}", address_mark(*writer),
                           first.name, vector, handler, rest)
             : fmt::format("the handler of {} ({}) returns with {} changed: {}", vector, handler, first.name, rest);
  for (std::size_t i = 1; i < changed.size(); ++i) {
    finding.evidence.push_back(fmt::format("{} is changed too: {:#x} before, {:#x} after.", changed[i].name,
                                           changed[i].before, changed[i].after));
  }
  finding.evidence.push_back(
      fmt::format("The IRET at {} goes back to the interrupted instruction; the frame is as the "
                  "CPU pushed it.",
                  address_mark(iret.instruction)));
  if (other_ran(frame)) {
    finding.evidence.emplace_back(
        "Other code was returned to in between, so something may have written the saved registers on purpose (a "
        "debugger, for example).");
  }
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
