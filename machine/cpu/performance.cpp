#include "machine/cpu/performance.hpp"

#include <algorithm>

#include "base/bits.hpp"

namespace vitrine {

namespace {

namespace msr {
constexpr u32 general_first = 0xC1, select_first = 0x186, fixed_first = 0x309, fixed_control = 0x38D,
              global_status = 0x38E, global_control = 0x38F, global_overflow_control = 0x390;
}

constexpr u64 counter_mask = (u64{1} << PerformanceMonitor::width) - 1;

// IA32_PERFEVTSELx (figure 18-1). Bit 21 is of version 3. E (18) and PC (19) are kept and have no effect: there are no
// edges between cycles of one instruction each, and no pins.
constexpr unsigned select_user = 16, select_system = 17, select_interrupts = 20, select_enabled = 22,
                   select_inverts = 23;
constexpr u64 select_writable = 0xFFDFFFFF;

/// A counter's place in the global registers.
constexpr unsigned global_bit(unsigned counter) {
  return counter < PerformanceMonitor::general ? counter : 32 + counter - PerformanceMonitor::general;
}
constexpr u64 global_bits = ((u64{1} << PerformanceMonitor::general) - 1) | ((u64{1} << PerformanceMonitor::fixed) - 1)
                                                                                << 32;
constexpr u64 global_status_bits = u64{3} << 62;  // OvfBuf, CondChgd: never set, can be cleared

/// IA32_FIXED_CTR_CTRL (figure 18-2): four bits a counter; the third of them is of version 3.
constexpr unsigned fixed_bits = 4, fixed_system = 0, fixed_user = 1, fixed_interrupts = 3;
constexpr u64 fixed_control_writable = 0xBBB;

/// Which counter a register number names, from `first` on.
constexpr bool in(u32 number, u32 first, unsigned count) { return number >= first && number < first + count; }

}  // namespace

PerformanceMonitor::Setting PerformanceMonitor::setting(unsigned counter) const {
  using Event = Setting::Event;
  if (!bit(enabled_, global_bit(counter))) return {};
  if (counter >= general) {
    const unsigned which = counter - general;
    const u64 control = fixed_control_ >> fixed_bits * which;
    return {.event = which == 0 ? Event::Instructions : Event::Cycles,
            .system = bit(control, fixed_system),
            .user = bit(control, fixed_user),
            .interrupts = bit(control, fixed_interrupts)};
  }
  const u64 select = select_[counter];
  if (!bit(select, select_enabled)) return {};
  Setting found{.system = bit(select, select_system),
                .user = bit(select, select_user),
                .interrupts = bit(select, select_interrupts)};
  switch (select & 0xFFFF) {  // unit mask and event (table 18-1)
    case 0x003C:
    case 0x013C:
      found.event = Event::Cycles;
      break;
    case 0x00C0:
      found.event = Event::Instructions;
      break;
    default:
      return {};
  }
  // With a counter mask, cycles are counted in which the event came so often; with INV, those in which it did not.
  // It comes once a cycle at most.
  const auto at_least = bits(select, 31, 24);
  const bool inverts = bit(select, select_inverts);
  if (at_least > 1) {
    found.event = inverts ? Event::Cycles : Event::None;
  } else if (at_least == 1 && inverts) {
    found.event = found.event == Event::Instructions ? Event::IdleCycles : Event::None;
  }
  return found;
}

void PerformanceMonitor::settings_changed() {
  active_ = false;
  for (unsigned i = 0; i < counters; ++i) {
    settings_[i] = setting(i);
    if (!settings_[i].system && !settings_[i].user) settings_[i].event = Setting::Event::None;
    active_ |= settings_[i].event != Setting::Event::None;
  }
}

/// What it has counted since `since_`.
u64 PerformanceMonitor::counted(unsigned counter, const Progress& now) const {
  const Setting& set = settings_[counter];
  if (!(now.user ? set.user : set.system)) return 0;
  const u64 cycles = now.cycles - since_.cycles;
  const u64 idle = now.not_retired - since_.not_retired;
  switch (set.event) {
    case Setting::Event::Cycles:
      return cycles;
    case Setting::Event::Instructions:
      return cycles - idle;
    case Setting::Event::IdleCycles:
      return idle;
    case Setting::Event::None:
      break;
  }
  return 0;
}

u64 PerformanceMonitor::value_at(unsigned counter, const Progress& now) const {
  return (values_[counter] + counted(counter, now)) & counter_mask;
}

bool PerformanceMonitor::count(const Progress& now) {
  bool interrupts = false;
  for (unsigned i = 0; i < counters; ++i) {
    const u64 sum = values_[i] + counted(i, now);
    values_[i] = sum & counter_mask;
    if (sum <= counter_mask) continue;
    overflowed_ |= u64{1} << global_bit(i);
    interrupts |= settings_[i].interrupts;
  }
  since_ = now;
  return interrupts;
}

u64 PerformanceMonitor::cycles_to_overflow(const Progress& now) const {
  u64 least = ~u64{0};
  for (unsigned i = 0; i < counters; ++i) {
    const Setting& set = settings_[i];
    if (set.event == Setting::Event::None) continue;
    const u64 sum = values_[i] + counted(i, now);
    if (sum > counter_mask) return 0;
    if (now.user ? set.user : set.system) least = std::min(least, counter_mask + 1 - sum);
  }
  return least;
}

bool PerformanceMonitor::owns(u32 number) {
  return in(number, msr::general_first, general) || in(number, msr::fixed_first, fixed) ||
         in(number, msr::select_first, general) || in(number, msr::fixed_control, 4);
}

PerformanceMonitor::Answer PerformanceMonitor::read(u32 number, const Progress& now, u64& value) const {
  if (in(number, msr::general_first, general)) {
    value = value_at(number - msr::general_first, now);
  } else if (in(number, msr::fixed_first, fixed)) {
    value = value_at(general + number - msr::fixed_first, now);
  } else if (in(number, msr::select_first, general)) {
    value = select_[number - msr::select_first];
  } else if (number == msr::fixed_control) {
    value = fixed_control_;
  } else if (number == msr::global_status) {
    value = overflowed_;
  } else if (number == msr::global_control) {
    value = enabled_;
  } else if (number == msr::global_overflow_control) {
    value = 0;
  } else {
    return Answer::NotMine;
  }
  return Answer::Done;
}

PerformanceMonitor::Answer PerformanceMonitor::write(u32 number, u64 value) {
  const auto refused = [value](u64 writable) { return (value & ~writable) != 0; };
  if (in(number, msr::general_first, general)) {
    // §18.2.1.1, "full-width writes" are not there: 32 bits, sign-extended.
    values_[number - msr::general_first] =
        static_cast<u64>(static_cast<i64>(static_cast<i32>(static_cast<u32>(value)))) & counter_mask;
  } else if (in(number, msr::fixed_first, fixed)) {
    if (refused(counter_mask)) return Answer::Refused;
    values_[general + number - msr::fixed_first] = value;
  } else if (in(number, msr::select_first, general)) {
    if (refused(select_writable)) return Answer::Refused;
    select_[number - msr::select_first] = value;
  } else if (number == msr::fixed_control) {
    if (refused(fixed_control_writable)) return Answer::Refused;
    fixed_control_ = value;
  } else if (number == msr::global_control) {
    if (refused(global_bits)) return Answer::Refused;
    enabled_ = value;
  } else if (number == msr::global_overflow_control) {
    if (refused(global_bits | global_status_bits)) return Answer::Refused;
    overflowed_ &= ~value;
  } else {
    return number == msr::global_status ? Answer::Refused : Answer::NotMine;  // it is read-only
  }
  settings_changed();
  return Answer::Done;
}

bool PerformanceMonitor::read_counter(u32 index, const Progress& now, u64& value) const {
  const bool is_fixed = bit(index, 30);
  const u32 which = index & ~(u32{1} << 30);
  if (which >= (is_fixed ? fixed : general)) return false;
  value = value_at(is_fixed ? general + which : which, now);
  return true;
}

void PerformanceMonitor::exchange(Archive& archive) {
  archive(select_, values_, fixed_control_, enabled_, overflowed_, since_.cycles, since_.not_retired);
  if (!archive.loading()) return;
  const bool legal = std::ranges::all_of(select_, [](u64 each) { return (each & ~select_writable) == 0; }) &&
                     std::ranges::all_of(values_, [](u64 each) { return each <= counter_mask; }) &&
                     (fixed_control_ & ~fixed_control_writable) == 0 && (enabled_ & ~global_bits) == 0;
  if (!legal) {
    archive.refuse(Archive::Error::BadValue);
    *this = PerformanceMonitor{};
  }
  settings_changed();
}

}  // namespace vitrine
