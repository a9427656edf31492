// The thermal monitor's registers (SDM vol. 3B §14.8.2, §14.8.5).
#include "base/bits.hpp"
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {

using namespace apic;

namespace {

constexpr u32 hottest = 100;   // TjMax, degrees
constexpr u32 critical = 105;  // where a real one would cut its power soon

// IA32_THERM_STATUS, figure 14-32: a condition, and beside it its log bit.
enum StatusBit : unsigned { hot = 0, prochot = 2, too_hot = 4, threshold1 = 6, threshold2 = 8 };
constexpr u32 conditions = 1u << hot | 1u << prochot | 1u << too_hot | 1u << threshold1 | 1u << threshold2;
constexpr u32 logs = conditions << 1;
constexpr unsigned readout = 16, resolution = 27;
constexpr u64 readout_valid = u64{1} << 31;

// IA32_THERM_INTERRUPT, figure 14-33.
enum EnableBit : unsigned {
  enable_hot = 0,
  enable_cool = 1,
  enable_prochot = 2,
  enable_too_hot = 4,
  enable_threshold1 = 15,
  enable_threshold2 = 23
};
constexpr u64 enables_writable = 0x00FFFF1F;  // with that of FORCEPR#, which nobody drives
constexpr u64 enables_any = 1u << enable_hot | 1u << enable_cool | 1u << enable_prochot | 1u << enable_too_hot |
                            1u << enable_threshold1 | 1u << enable_threshold2;
constexpr u64 modulation_writable = 0x1E;  // figure 14-24, without the extension of CPUID leaf 6
constexpr unsigned target_shift = 16;

}  // namespace

/// The conditions as the temperature is now.
u32 LocalApic::thermal_conditions() const {
  const u32 degrees = temperature_.millidegrees() / 1000;
  const auto reached = [this, degrees](unsigned high, unsigned low) {
    return degrees + bits(state_.thermal.enables, high, low) >= hottest;
  };
  u32 found = 0;
  if (degrees >= hottest) found |= 1u << hot | 1u << prochot;
  if (degrees >= critical) found |= 1u << too_hot;
  if (reached(14, 8)) found |= 1u << threshold1;
  if (reached(22, 16)) found |= 1u << threshold2;
  return found;
}

void LocalApic::sample_temperature() {
  Thermal& thermal = state_.thermal;
  temperature_.advance(now(), pins_.retired());
  const u32 before = thermal.status & conditions;
  const u32 after = thermal_conditions();
  if (before == after) return;
  thermal.status = (thermal.status & ~conditions) | after | (before ^ after) << 1;
  const u32 changed = before ^ after;
  const auto wants = [&thermal](EnableBit enable) { return bit(thermal.enables, enable); };
  const bool raises = (bit(changed, hot) && wants(bit(after, hot) ? enable_hot : enable_cool)) ||
                      (bit(changed, prochot) && bit(after, prochot) && wants(enable_prochot)) ||
                      (bit(changed, too_hot) && bit(after, too_hot) && wants(enable_too_hot)) ||
                      (bit(changed, threshold1) && wants(enable_threshold1)) ||
                      (bit(changed, threshold2) && wants(enable_threshold2));
  if (raises) raise(ApicPin::Thermal);
}

/// Looks again in a while, if it matters. A cold core stays cold until it is interrupted: acknowledge() asks again.
void LocalApic::watch_temperature() {
  Thermal& thermal = state_.thermal;
  if ((thermal.enables & enables_any) == 0) {
    thermal.sampling = false;
    return context_.events.cancel(context_.id, temperature_sampled);
  }
  if (thermal.sampling) return;
  thermal.sampling = true;
  context_.events.reschedule(now() + DieTemperature::step_ns, context_.id, temperature_sampled);
}

LocalInterrupts::MsrResult LocalApic::read_thermal(u32 number, u64& value) {
  switch (number) {
    case msr::clock_modulation:
      value = state_.thermal.modulation;
      return MsrResult::Done;
    case msr::thermal_interrupt:
      value = state_.thermal.enables;
      return MsrResult::Done;
    case msr::thermal_status: {
      sample_temperature();
      const u32 degrees = temperature_.millidegrees() / 1000;
      const u64 below = degrees < hottest ? hottest - degrees : 0;
      value = state_.thermal.status | below << readout | u64{1} << resolution | readout_valid;
      return MsrResult::Done;
    }
    case msr::temperature_target:
      value = u64{hottest} << target_shift;
      return MsrResult::Done;
    default:
      return MsrResult::NotMine;
  }
}

LocalInterrupts::MsrResult LocalApic::write_thermal(u32 number, u64 value) {
  Thermal& thermal = state_.thermal;
  switch (number) {
    case msr::clock_modulation:
      if ((value & ~modulation_writable) != 0) return MsrResult::Refused;
      thermal.modulation = static_cast<u32>(value);
      return MsrResult::Done;
    case msr::thermal_interrupt:
      if ((value & ~enables_writable) != 0) return MsrResult::Refused;
      sample_temperature();
      context_.ledger.append_for(identity_.cpu, {.address = context_.ledger.context.address,
                                                 .other = thermal.enables,
                                                 .extra = value,
                                                 .kind = RecordKind::DeviceProgrammed,
                                                 .pin = static_cast<u8>(ApicPin::Thermal),
                                                 .detail = static_cast<u8>(DeviceRegister::ThermalInterrupt),
                                                 .source = context_.source.value});
      thermal.enables = value;
      // New thresholds are compared with, not crossed.
      thermal.status = (thermal.status & ~conditions) | thermal_conditions();
      watch_temperature();
      return MsrResult::Done;
    case msr::thermal_status:
      // Log bits: a 0 clears. The rest is read-only.
      thermal.status &= static_cast<u32>(value) | ~logs;
      return MsrResult::Done;
    default:
      return MsrResult::NotMine;
  }
}

}  // namespace vitrine
