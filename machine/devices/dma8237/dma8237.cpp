#include "machine/devices/dma8237/dma8237.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {
// Figure 5 of the data sheet: the software command codes. 0..7 are address and count of channels 0..3.
enum Register : unsigned {
  status_or_command = 8,
  request_register = 9,
  single_mask_register = 10,
  mode_register = 11,
  clear_flip_flop = 12,
  temporary_or_master_clear = 13,
  clear_mask_register = 14,
  all_mask_register = 15,
};
void store_half(u16& target, bool high, u8 value) {
  target = high ? static_cast<u16>((target & 0x00FF) | value << 8) : static_cast<u16>((target & 0xFF00) | value);
}
}  // namespace

Dma8237::Dma8237(DeviceContext, std::string_view name, Stride stride) : name_(name), stride_(stride) {}

u8 Dma8237::value_at(unsigned reg) const {
  if (reg < status_or_command) {
    const Channel& channel = state_.channels[reg / 2];
    const u16 value = reg % 2 == 0 ? channel.address : channel.count;
    return static_cast<u8>(state_.high_byte ? value >> 8 : value);
  }
  switch (reg) {
    case status_or_command:
      return state_.status;
    case temporary_or_master_clear:
      return state_.temporary;
    case all_mask_register:
      return static_cast<u8>(state_.mask | 0xF0);  // 82371SB, 2.5.1.9: readable there; the upper bits read as ones
    default:
      return 0xFF;
  }
}

u64 Dma8237::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) value |= u64{value_at(register_at(offset + i))} << 8 * i;
  return value;
}

u64 Dma8237::read(Region, u64 offset, AccessSize size) {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) {
    const unsigned reg = register_at(offset + i);
    value |= u64{value_at(reg)} << 8 * i;
    if (reg < status_or_command) state_.high_byte = !state_.high_byte;
    if (reg == status_or_command) state_.status &= 0xF0;  // reading clears the terminal counts
  }
  return value;
}

void Dma8237::write(Region, u64 offset, AccessSize size, u64 value) {
  for (unsigned i = 0; i < size.value; ++i) write_byte(register_at(offset + i), static_cast<u8>(value >> 8 * i));
}

void Dma8237::write_byte(unsigned reg, u8 value) {
  if (reg < status_or_command) {
    Channel& channel = state_.channels[reg / 2];
    const bool is_address = reg % 2 == 0;
    store_half(is_address ? channel.base_address : channel.base_count, state_.high_byte, value);
    store_half(is_address ? channel.address : channel.count, state_.high_byte, value);
    state_.high_byte = !state_.high_byte;
    return;
  }
  switch (reg) {
    case status_or_command:
      state_.command = value;
      break;
    case request_register:
      state_.request = with_bit(state_.request, value & 3, bit(value, 2));
      break;
    case single_mask_register:
      state_.mask = with_bit(state_.mask, value & 3, bit(value, 2));
      break;
    case mode_register:
      state_.channels[value & 3].mode = static_cast<u8>(value & 0xFC);
      break;
    case clear_flip_flop:
      state_.high_byte = false;
      break;
    case temporary_or_master_clear:  // clears all but addresses, counts and modes, and masks all channels
      state_.command = state_.status = state_.request = state_.temporary = 0;
      state_.high_byte = false;
      state_.mask = 0x0F;
      break;
    case clear_mask_register:
      state_.mask = 0;
      break;
    default:
      state_.mask = value & 0x0F;
      break;
  }
}

void Dma8237::exchange(Archive& archive) {
  archive.section(name(), 1);
  for (Channel& channel : state_.channels) {
    archive(channel.base_address, channel.base_count, channel.address, channel.count, channel.mode);
  }
  archive(state_.command, state_.status, state_.request, state_.mask, state_.temporary, state_.high_byte);
}

}  // namespace vitrine
