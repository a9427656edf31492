#include "machine/cpu/descriptor.hpp"

#include "machine/cpu/system.hpp"

namespace vitrine {

bool refuse(Cpu& cpu, u8 fault_vector, u16 selector, FailedCheck check) {
  cpu.raise(fault_vector, selector & 0xFFFCu, check);
  return false;
}

bool refuse_lookup(Cpu& cpu, u16 selector, u8 fault_vector, Lookup lookup) {
  return lookup == Lookup::PastLimit && refuse(cpu, fault_vector, selector, FailedCheck::SelectorPastLimit);
}

Lookup widen_descriptor(Cpu& cpu, u16 selector, Descriptor& descriptor) {
  const bool local = (selector & 4) != 0;
  const u32 limit = local ? cpu.state.ldtr.limit : cpu.state.gdtr.limit;
  if ((selector & 0xFFF8u) + 15 > limit) return Lookup::PastLimit;
  u64 second = 0;
  if (!cpu.read_system(descriptor.address + 8, &second, 8)) return Lookup::Fault;
  descriptor.upper = static_cast<u32>(second);
  return (second >> 40 & 0x1F) == 0 ? Lookup::Found : Lookup::PastLimit;
}

Segment make_real_segment(const Segment& old, u16 selector) {
  // Limit, granularity and size stay: that is what "big real mode" lives on (SDM vol. 3A §9.9.2).
  Segment segment = old;
  segment.selector = selector;
  segment.base = static_cast<u64>(selector) << 4;
  segment.attributes = static_cast<u16>((old.attributes & 0xF000) | 0x0093);
  segment.usable = true;
  return segment;
}

Segment make_v86_segment(u16 selector) {
  return {.selector = selector,
          .base = static_cast<u64>(selector) << 4,
          .limit = 0xFFFF,
          .attributes = 0x00F3,
          .usable = true};
}

Segment make_null_segment(const Segment& old, u16 selector) {
  return {.selector = selector, .base = 0, .limit = old.limit, .attributes = old.attributes, .usable = false};
}

Segment make_null_stack(u8 privilege, u16 selector) {
  return {.selector = selector,
          .base = 0,
          .limit = 0xFFFFFFFF,
          .attributes = static_cast<u16>(0xC093 | privilege << 5),
          .usable = false};
}

bool prepare_stack(Cpu& cpu, u16 selector, u8 privilege, u8 bad_vector, Segment& segment) {
  if (null_selector(selector)) return refuse(cpu, bad_vector, 0, FailedCheck::StackSelector);
  Descriptor descriptor;
  if (!require_descriptor(cpu, selector, bad_vector, descriptor)) return false;
  if (rpl_of(selector) != privilege || !descriptor.writable_data() || descriptor.dpl() != privilege) {
    return refuse(cpu, bad_vector, selector, FailedCheck::StackSelector);
  }
  if (!descriptor.present()) return refuse(cpu, vector::stack_fault, selector, FailedCheck::SegmentNotPresent);
  if (!mark_accessed(cpu, descriptor)) return false;
  segment = make_segment(selector, descriptor);
  return true;
}

bool prepare_segment(Cpu& cpu, SegmentIndex index, u16 selector, Segment& segment) {
  if (!cpu.state.protected_mode()) {
    segment = make_real_segment(cpu.state.segments[index], selector);
    return true;
  }
  if (cpu.state.v86()) {
    segment = make_v86_segment(selector);
    return true;
  }
  if (index == ss) {
    // A null SS is legal in 64-bit mode below privilege 3 (SDM vol. 2, MOV).
    if (null_selector(selector) && cpu.mode.is64() && cpu.cpl != 3 && rpl_of(selector) == cpu.cpl) {
      segment = make_null_stack(cpu.cpl, selector);
      return true;
    }
    return prepare_stack(cpu, selector, cpu.cpl, vector::general_protection, segment);
  }
  if (null_selector(selector)) {
    segment = make_null_segment(cpu.state.segments[index], selector);
    return true;
  }
  Descriptor descriptor;
  if (!require_descriptor(cpu, selector, vector::general_protection, descriptor)) return false;
  if (!descriptor.readable()) return refuse(cpu, vector::general_protection, selector, FailedCheck::SegmentType);
  const bool privileged = !(descriptor.code() && descriptor.conforming());
  if (privileged && (rpl_of(selector) > descriptor.dpl() || cpu.cpl > descriptor.dpl())) {
    return refuse(cpu, vector::general_protection, selector, FailedCheck::BadPrivilege);
  }
  if (!descriptor.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  if (!mark_accessed(cpu, descriptor)) return false;
  segment = make_segment(selector, descriptor);
  return true;
}

bool check_code_same_privilege(Cpu& cpu, u16 selector, const Descriptor& descriptor, u8 requested) {
  if (!descriptor.code()) return refuse(cpu, vector::general_protection, selector, FailedCheck::NotCode);
  // Both L and D set is reserved (SDM vol. 3A §5.2.1).
  if (cpu.state.long_mode() && descriptor.long_mode() && descriptor.big()) {
    return refuse(cpu, vector::general_protection, selector, FailedCheck::BadLongMode);
  }
  const bool fits =
      descriptor.conforming() ? descriptor.dpl() <= cpu.cpl : requested <= cpu.cpl && descriptor.dpl() == cpu.cpl;
  if (!fits) return refuse(cpu, vector::general_protection, selector, FailedCheck::BadPrivilege);
  if (!descriptor.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  return true;
}

bool refuse_target(Cpu& cpu, const Descriptor& code, u64 target) {
  const bool code64 = cpu.state.long_mode() && code.long_mode();
  cpu.raise(vector::general_protection, 0, code64 ? FailedCheck::NonCanonical : FailedCheck::SegmentLimit,
            code64 ? target : code.base() + target);
  return false;
}

}  // namespace vitrine
