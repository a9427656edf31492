#include "machine/devices/imcr/imcr.hpp"

#include <utility>

namespace vitrine {

namespace {
constexpr u64 select_offset = 0, data_offset = 1;
}

Imcr::Imcr(DeviceContext context, LineDriver processor, LineDriver lint0)
    : context_(context), processor_(processor), lint0_(lint0) {}

void Imcr::reset() {
  state_ = {.intr = state_.intr, .request = state_.request};
  update();
}

u64 Imcr::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u64 i = 0; i < size.value; ++i) {
    const u64 at = offset + i;
    const bool here = at == data_offset && state_.select == imcr_register;
    value |= u64{here ? state_.mode : u8{0xFF}} << 8 * i;  // unverified: the selection can't be read back
  }
  return value;
}

void Imcr::write(Region, u64 offset, AccessSize size, u64 value) {
  for (u64 i = 0; i < size.value; ++i) write_byte(offset + i, static_cast<u8>(value >> 8 * i));
}

void Imcr::write_byte(u64 offset, u8 value) {
  if (offset == select_offset) state_.select = value;
  if (offset != data_offset || state_.select != imcr_register) return;
  const u8 old = std::exchange(state_.mode, static_cast<u8>(value & through_apic));
  if (old == state_.mode) return;
  context_.ledger.append({.address = context_.ledger.context.address,
                          .other = old,
                          .extra = state_.mode,
                          .kind = RecordKind::ControllerProgrammed,
                          .detail = static_cast<u8>(ControllerRegister::Imcr),
                          .source = context_.source.value});
  update();
}

void Imcr::line_changed(Pin, Level level, RequestId request) {
  state_.intr = level == Level::High;
  state_.request = state_.intr ? request : RequestId{};
  update();
}

void Imcr::update() {
  const LineDriver& open = is_through_apic() ? lint0_ : processor_;
  const LineDriver& closed = is_through_apic() ? processor_ : lint0_;
  closed.carry(Level::Low, RequestId{});
  open.carry(state_.intr ? Level::High : Level::Low, state_.request);
}

void Imcr::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.select, state_.mode, state_.intr, state_.request);
  if ((state_.mode & ~through_apic) != 0) archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
