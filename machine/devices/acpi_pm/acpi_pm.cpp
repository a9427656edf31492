#include "machine/devices/acpi_pm/acpi_pm.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr u16 status_bits = AcpiPm::timer_bit | AcpiPm::global_lock_bit | AcpiPm::power_button_bit |
                            AcpiPm::sleep_button_bit | AcpiPm::rtc_bit | AcpiPm::wake_bit;
constexpr u16 enable_bits =
    AcpiPm::timer_bit | AcpiPm::global_lock_bit | AcpiPm::power_button_bit | AcpiPm::sleep_button_bit | AcpiPm::rtc_bit;
// SCI_EN, BRLD_EN_BM, SLP_TYP. GBL_RLS and SLP_EN act when written and read as zero.
constexpr u16 control_stored = 0x1C03;
// 82371AB, 7.2.5: thermal, USB, ring, LID. Without wires their status bits stay clear.
constexpr u16 general_enable_bits = 0x0F01;
constexpr unsigned power_button_position = 8;
constexpr u8 with_low(u16 value) { return static_cast<u8>(value); }
constexpr u8 with_high(u16 value) { return static_cast<u8>(value >> 8); }
constexpr u16 merge(u16 old, u64 byte_index, u8 value) {
  return byte_index == 0 ? static_cast<u16>((old & 0xFF00) | value) : static_cast<u16>((old & 0x00FF) | value << 8);
}
}  // namespace

AcpiPm::AcpiPm(DeviceContext context, LineDriver sci, MachineControl& control, const Strapping& strapping)
    : context_(context),
      sci_(sci),
      records_(context, sci),
      control_(control),
      strapping_(strapping),
      config_({.vendor = 0x8086, .device = 0x7113, .revision = 0x03, .class_code = 0x068000}) {
  config_.define(0x06, AccessSize(2), 0x0280, 0);
  config_.define(0x3C, AccessSize(1), 9, 0xFF);                       // 82371AB, 7.1.10: interrupt line
  config_.define(0x3D, AccessSize(1), 1, 0);                          // 7.1.11: INTA#
  config_.define(0x40, AccessSize(4), strapping.base.value | 1u, 0);  // 7.1.12: PMBA
  config_.define(0x80, AccessSize(1), 1, 0);                          // 7.1.27: PMREGMISC, decode enabled
  config_.define(0xD2, AccessSize(1), 0, 0);                          // 7.1.31: SMBus host off
  state_.timer_half_acknowledged = timer_half();
  update();
}

u64 AcpiPm::timer_half() const { return timer_clock.counts_at(context_.clock.now()) >> top_bit(); }

u16 AcpiPm::status() const {
  const bool carried = timer_half() != state_.timer_half_acknowledged;
  return static_cast<u16>(state_.latched_status | (carried ? timer_bit : 0));
}

AcpiPm::Cause AcpiPm::cause() const {
  const auto active = static_cast<u16>(status() & state_.enable);
  if ((active & power_button_bit) != 0) return Cause::PowerButton;
  if ((active & sleep_button_bit) != 0) return Cause::SleepButton;
  if ((active & timer_bit) != 0) return Cause::Timer;
  if ((active & rtc_bit) != 0) return Cause::Rtc;
  if ((active & global_lock_bit) != 0) return Cause::GlobalLock;
  return (state_.general_status & state_.general_enable) != 0 ? Cause::GeneralPurpose : Cause::None;
}

// Only what the outside did: the timer wraps by itself, and its status bit means nothing to most guests.
void AcpiPm::report_withheld() {
  if (cause() != Cause::None && (state_.control & sci_enable_bit) == 0) {
    const auto active = static_cast<u8>(cause());
    records_.withheld(state_.told[active], {WithheldCause::OutputGateOff, state_.sci_switched}, active);
  }
  const bool pressed = (state_.latched_status & power_button_bit & ~state_.enable) != 0;
  const auto button = static_cast<u8>(Cause::PowerButton);
  if (pressed) {
    records_.withheld(state_.told[button],
                      {WithheldCause::InterruptEnableOff, state_.enable_settings.of(power_button_position)}, button);
  }
  // Of the gate, only while nothing at all is behind it: which of several causes is told may change from time to time.
  const bool gated = cause() != Cause::None && (state_.control & sci_enable_bit) == 0;
  for (u8 each = 0; each < state_.told.size(); ++each) {
    if (!gated && !(pressed && each == button)) records_.not_withheld(state_.told[each], each);
  }
}

void AcpiPm::update() {
  report_withheld();
  const bool wanted = (state_.control & sci_enable_bit) != 0 && cause() != Cause::None;
  sci_.set(wanted ? Level::High : Level::Low, static_cast<u8>(cause()));
  const bool waits_for_carry = (state_.enable & timer_bit) != 0 && (status() & timer_bit) == 0;
  if (!waits_for_carry) return context_.events.cancel(context_.id, timer_carry);
  const u64 next_half = (state_.timer_half_acknowledged + 1) << top_bit();
  context_.events.reschedule(timer_clock.tick_of(next_half), context_.id, timer_carry);
}

void AcpiPm::reset() {
  state_ = State{};
  state_.timer_half_acknowledged = timer_half();  // the timer itself never stops
  config_.reset();
  update();
}

void AcpiPm::event(u16, u64) { update(); }

void AcpiPm::press_power_button() {
  state_.latched_status |= power_button_bit;
  update();
}

u8 AcpiPm::byte(u64 offset) const {
  switch (offset) {
    case pm1_status:
      return with_low(status());
    case pm1_status + 1:
      return with_high(status());
    case pm1_enable:
      return with_low(state_.enable);
    case pm1_enable + 1:
      return with_high(state_.enable);
    case pm1_control:
      return with_low(state_.control);
    case pm1_control + 1:
      return with_high(state_.control);
    case general_status:
      return with_low(state_.general_status);
    case general_status + 1:
      return with_high(state_.general_status);
    case general_enable:
      return with_low(state_.general_enable);
    case general_enable + 1:
      return with_high(state_.general_enable);
    default:
      break;
  }
  if (offset >= pm_timer && offset < pm_timer + 4) {
    const u64 count =
        timer_clock.counts_at(context_.clock.now()) & ((u64{1} << static_cast<unsigned>(strapping_.width)) - 1);
    return static_cast<u8>(count >> 8 * (offset - pm_timer));
  }
  return 0;
}

u64 AcpiPm::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) value |= u64{byte(offset + i)} << 8 * i;
  return value;
}

void AcpiPm::set_byte(u64 offset, u8 value) {
  switch (offset) {
    case pm1_status:
    case pm1_status + 1: {
      const auto clears = static_cast<u16>(merge(0, offset - pm1_status, value) & status_bits);
      state_.latched_status = static_cast<u16>(state_.latched_status & ~clears);
      if ((clears & timer_bit) != 0) state_.timer_half_acknowledged = timer_half();
      break;
    }
    case pm1_enable:
    case pm1_enable + 1:
      state_.enable = static_cast<u16>(merge(state_.enable, offset - pm1_enable, value) & enable_bits);
      break;
    case pm1_control:
    case pm1_control + 1: {
      const u16 written = merge(state_.control, offset - pm1_control, value);
      state_.control = static_cast<u16>(written & control_stored);
      if ((written & sleep_enable_bit) != 0 && bits(written, 12, 10) == strapping_.soft_off_sleep_type) {
        control_.request_exit(ExitKind::PowerOff, 0);
      }
      break;
    }
    case general_status:
    case general_status + 1:
      state_.general_status = static_cast<u16>(state_.general_status & ~merge(0, offset - general_status, value));
      break;
    case general_enable:
    case general_enable + 1:
      state_.general_enable =
          static_cast<u16>(merge(state_.general_enable, offset - general_enable, value) & general_enable_bits);
      break;
    default:
      break;
  }
}

void AcpiPm::write(Region, u64 offset, AccessSize size, u64 value) {
  const u16 enable = state_.enable;
  const u16 control = state_.control;
  for (unsigned i = 0; i < size.value; ++i) set_byte(offset + i, static_cast<u8>(value >> 8 * i));
  const Setting here = records_.here();
  state_.enable_settings.note(enable, state_.enable, here);
  records_.programmed(DeviceRegister::PowerManagementEnable, enable, state_.enable, here.by);
  if (((control ^ state_.control) & sci_enable_bit) != 0) state_.sci_switched = here;
  update();
}

void AcpiPm::exchange(Archive& archive) {
  archive.section(name(), 2);
  archive(state_.latched_status, state_.enable, state_.control, state_.general_status, state_.general_enable,
          state_.timer_half_acknowledged, state_.enable_settings, state_.sci_switched, state_.told, config_);
}

}  // namespace vitrine
