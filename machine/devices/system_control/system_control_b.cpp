#include "machine/devices/system_control/system_control_b.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr u8 writable = 0b0000'1111;
constexpr unsigned gate_bit = 0;
constexpr unsigned speaker_bit = 1;
constexpr unsigned system_error_off_bit = 2;
constexpr unsigned io_check_off_bit = 3;
constexpr unsigned refresh_bit = 4;
constexpr unsigned output_bit = 5;
constexpr unsigned io_check_bit = 6;
constexpr unsigned system_error_bit = 7;
constexpr u8 statuses = 1 << io_check_bit | 1 << system_error_bit;

constexpr ClockRatio refresh_clock{1'193'182};
constexpr u64 clocks_per_refresh = 18;

constexpr u8 nmi_pin = static_cast<u8>(ApicPin::Lint1);  // in records, of every board
}  // namespace

void SystemControlB::reset() {
  lower();
  state_ = State{};
  update();
}

u64 SystemControlB::peek(Region, u64 offset, AccessSize size) const {
  if (offset != 0) return ~u64{0} >> (64 - 8 * size.value);
  u8 value = static_cast<u8>(state_.control | state_.status);
  value = with_bit(value, refresh_bit, refresh_clock.counts_at(context_.clock.now()) / clocks_per_refresh % 2 == 1);
  value = with_bit(value, output_bit, channel_.output() == Level::High);
  return value;
}

void SystemControlB::write(Region, u64 offset, AccessSize, u64 value) {
  if (offset != 0) return;
  const u8 before = state_.control;
  state_.control = static_cast<u8>(value) & writable;
  state_.control_settings.note(before, state_.control, {context_.ledger.context.address, context_.clock.now()});
  if (bit(state_.control, io_check_off_bit)) state_.status = with_bit(state_.status, io_check_bit, false);
  if (bit(state_.control, system_error_off_bit)) state_.status = with_bit(state_.status, system_error_bit, false);
  update();
}

void SystemControlB::line_changed(Pin, Level level, RequestId) {
  state_.masked = level == Level::High;
  state_.mask_set = {context_.ledger.context.address, context_.clock.now()};
  update();
}

Level SystemControlB::speaker() const {
  return bit(state_.control, speaker_bit) && channel_.output() == Level::High ? Level::High : Level::Low;
}

SystemControlB::NmiSource SystemControlB::cause() const {
  if (bit(state_.status, io_check_bit)) return NmiSource::IoCheck;
  return bit(state_.status, system_error_bit) ? NmiSource::SystemError : NmiSource::None;
}

void SystemControlB::ask_for_nmi(NmiSource source) {
  if (source == NmiSource::None || source > NmiSource::Button) return;
  if (source == NmiSource::Button) {
    if (state_.masked) return withheld(source, WithheldCause::OutputGateOff, state_.mask_set);
    if (state_.raised) return;
    raise(source);
    return lower();
  }
  const bool is_check = source == NmiSource::IoCheck;
  const unsigned off = is_check ? io_check_off_bit : system_error_off_bit;
  if (bit(state_.control, off)) {
    return withheld(source, WithheldCause::InterruptEnableOff, state_.control_settings.of(off));
  }
  state_.status = with_bit(state_.status, is_check ? io_check_bit : system_error_bit, true);
  update();
}

void SystemControlB::withheld(NmiSource source, WithheldCause cause, const Setting& setting) {
  const Withholding now{cause, setting};
  Withholding& told = state_.told[static_cast<std::size_t>(source)];
  if (told == now) return;
  told = now;
  context_.ledger.append({.address = setting.by,
                          .since = setting.since.value,
                          .extra = static_cast<u64>(source),
                          .kind = RecordKind::Withheld,
                          .pin = nmi_pin,
                          .detail = static_cast<u8>(cause),
                          .source = context_.source.value});
}

void SystemControlB::raise(NmiSource source) {
  state_.raised = true;
  const RequestId request = context_.ledger.next_request();
  context_.ledger.append({.id = request.value,
                          .kind = RecordKind::Raised,
                          .pin = nmi_pin,
                          .detail = static_cast<u8>(source),
                          .source = context_.source.value});
  nmi_.carry(Level::High, request);
}

void SystemControlB::lower() {
  state_.raised = false;
  nmi_.carry(Level::Low, RequestId{});
}

void SystemControlB::update() {
  channel_.set_gate(bit(state_.control, gate_bit) ? Level::High : Level::Low);
  const bool asks = state_.status != 0;
  if (asks && state_.masked) withheld(cause(), WithheldCause::OutputGateOff, state_.mask_set);
  const bool wanted = asks && !state_.masked;
  if (wanted == state_.raised) return;
  if (wanted) {
    raise(cause());
  } else {
    lower();
  }
}

void SystemControlB::exchange(Archive& archive) {
  archive.section("system_control_b", 2);
  archive(state_.control, state_.status, state_.masked, state_.raised);
  archive(state_.control_settings, state_.mask_set, state_.told);
  if (!archive.loading()) return;
  const bool wanted = state_.status != 0 && !state_.masked;
  if ((state_.control & ~writable) != 0 || (state_.status & ~statuses) != 0 || wanted != state_.raised) {
    archive.refuse(Archive::Error::BadValue);
  }
}

}  // namespace vitrine
