#include "machine/devices/ide/ata_drive.hpp"

#include <algorithm>
#include <bit>

namespace vitrine {

namespace {
// SET FEATURES, table 46: transfer modes by class, in the high bits of the count register.
constexpr u8 pio_default = 0x00, pio_default_without_ready = 0x01, pio_modes = 0x08, multiword_modes = 0x20,
             ultra_modes = 0x40;
constexpr u8 last_pio_mode = pio_modes | 4, last_multiword_mode = multiword_modes | 2,
             last_ultra_mode = ultra_modes | 5;

// CHECK POWER MODE, 8.5.
constexpr u8 is_standby = 0x00, is_idle = 0x80, is_active = 0xFF;
constexpr u8 head_bits = 0x0F;
}  // namespace

void AtaDrive::post_signature() {
  state_.error = 1;
  state_.device = 0;
  state_.status = ata::status::ready | ata::status::seek_complete;
  state_.features = {};
  state_.count = {1};
  state_.low = {1};
  state_.mid = state_.high = {};
  state_.interrupting = false;
  if (state_.power == Power::Sleep) state_.power = Power::Standby;
}

void AtaDrive::software_reset() {
  post_signature();
  if (!state_.reverts) return;
  const State defaults;
  state_.multiple = defaults.multiple;
  state_.mode = defaults.mode;
  state_.heads = defaults.heads;
  state_.track = defaults.track;
  state_.write_cache = defaults.write_cache;
  state_.look_ahead = defaults.look_ahead;
}

u8 AtaDrive::read(u64 offset, bool high_order) const {
  const auto half = [&](const Register& value) { return high_order ? value.previous : value.current; };
  switch (offset) {
    case ata::reg::error:
      return state_.error;
    case ata::reg::count:
      return half(state_.count);
    case ata::reg::lba_low:
      return half(state_.low);
    case ata::reg::lba_mid:
      return half(state_.mid);
    case ata::reg::lba_high:
      return half(state_.high);
    case ata::reg::device:
      return state_.device | ata::device::obsolete;
    case ata::reg::status:
      return state_.status;
    default:
      return 0;
  }
}

void AtaDrive::write(u64 offset, u8 value) {
  const auto push = [&](Register& into) { into = {value, into.current}; };
  switch (offset) {
    case ata::reg::features:
      return push(state_.features);
    case ata::reg::count:
      return push(state_.count);
    case ata::reg::lba_low:
      return push(state_.low);
    case ata::reg::lba_mid:
      return push(state_.mid);
    case ata::reg::lba_high:
      return push(state_.high);
    case ata::reg::device:
      state_.device = value & static_cast<u8>(~ata::device::obsolete);
      return;
    default:
      return;
  }
}

void AtaDrive::end(u8 error) {
  state_.error = error;
  state_.status = ata::status::ready | ata::status::seek_complete;
  if (error != 0) state_.status |= ata::status::error;
}

u32 AtaDrive::count(Width width) const {
  if (width == Width::Bits28) return state_.count.current == 0 ? 256 : state_.count.current;
  const u32 both = u32{state_.count.previous} << 8 | state_.count.current;
  return both == 0 ? 65536 : both;
}

std::optional<u64> AtaDrive::address(Width width) const {
  const u64 low = u64{state_.low.current} | u64{state_.mid.current} << 8 | u64{state_.high.current} << 16;
  if (width == Width::Bits48) {
    return low | u64{state_.low.previous} << 24 | u64{state_.mid.previous} << 32 | u64{state_.high.previous} << 40;
  }
  const u64 head = state_.device & head_bits;
  if ((state_.device & ata::device::lba) != 0) return low | head << 24;
  const u64 sector = state_.low.current, cylinder = low >> 8;
  if (sector == 0 || sector > state_.track || head >= state_.heads) return std::nullopt;
  return (cylinder * state_.heads + head) * state_.track + sector - 1;
}

void AtaDrive::set_address(Width width, u64 sector) {
  const auto byte = [](u64 value, unsigned number) { return static_cast<u8>(value >> 8 * number); };
  if (width == Width::Bits48) {
    state_.low = {byte(sector, 0), byte(sector, 3)};
    state_.mid = {byte(sector, 1), byte(sector, 4)};
    state_.high = {byte(sector, 2), byte(sector, 5)};
    return;
  }
  u64 low = sector & 0xFFFFFF;
  auto head = static_cast<u8>(sector >> 24 & head_bits);
  if ((state_.device & ata::device::lba) == 0) {
    const u64 track = sector / state_.track;
    low = (sector % state_.track + 1) | (track / state_.heads & 0xFFFF) << 8;
    head = static_cast<u8>(track % state_.heads);
  }
  state_.low.current = byte(low, 0);
  state_.mid.current = byte(low, 1);
  state_.high.current = byte(low, 2);
  state_.device = static_cast<u8>((state_.device & ~head_bits) | head);
}

u64 AtaDrive::move_to(u64 sector) {
  u64 time = state_.power == Power::Standby ? spin_up : 0;
  state_.power = Power::Active;
  if (sector == state_.head) return time;
  const u64 distance = sector > state_.head ? sector - state_.head : state_.head - sector;
  time += nearest_seek + farthest_seek * distance / sectors();
  state_.head = sector;
  return time;
}

void AtaDrive::read_sectors(u64 sector, std::span<u8> into) {
  image_.read(sector, into);
  state_.head = sector + into.size() / sector_bytes;
}

void AtaDrive::write_sectors(u64 sector, std::span<const u8> from) {
  image_.write(sector, from);
  state_.head = sector + from.size() / sector_bytes;
}

bool AtaDrive::set_mode(u8 value) {
  const auto within = [value](u8 first, u8 last) { return value >= first && value <= last; };
  // A PIO mode leaves the DMA mode as it is (8.46.11).
  if (within(pio_default, pio_default_without_ready) || within(pio_modes, last_pio_mode)) return true;
  if (!within(multiword_modes, last_multiword_mode) && !within(ultra_modes, last_ultra_mode)) return false;
  state_.mode = value;
  return true;
}

bool AtaDrive::set_feature(u8 which, u8 value) {
  switch (which) {
    case ata::feature::set_transfer_mode:
      return set_mode(value);
    case ata::feature::enable_write_cache:
    case ata::feature::disable_write_cache:
      state_.write_cache = which == ata::feature::enable_write_cache;
      return true;
    case ata::feature::enable_look_ahead:
    case ata::feature::disable_look_ahead:
      state_.look_ahead = which == ata::feature::enable_look_ahead;
      return true;
    case ata::feature::keep_after_reset:
    case ata::feature::defaults_after_reset:
      state_.reverts = which == ata::feature::defaults_after_reset;
      return true;
    default:
      return false;
  }
}

bool AtaDrive::execute(ata::Command command) {
  using enum ata::Command;
  const u8 count = state_.count.current;
  switch (command) {
    case SetMultiple: {
      const bool possible = count <= most_multiple && (count == 0 || std::has_single_bit(count));
      state_.multiple = possible ? count : 0;
      return possible;
    }
    case SetFeatures:
      return set_feature(state_.features.current, count);
    case InitializeDeviceParameters:
      if (count == 0) return false;
      state_.track = count;
      state_.heads = static_cast<u8>((state_.device & head_bits) + 1);
      return true;
    case Standby:
    case StandbyImmediate:
      state_.power = Power::Standby;
      return true;
    case Idle:
    case IdleImmediate:
      state_.power = Power::Idle;
      return true;
    case Sleep:
      state_.power = Power::Sleep;
      return true;
    case CheckPowerMode:
      state_.count.current = state_.power == Power::Standby ? is_standby
                             : state_.power == Power::Idle  ? is_idle
                                                            : is_active;
      return true;
    case FlushCache:
    case FlushCacheExt:
      return true;
    default:
      return false;
  }
}

void AtaDrive::exchange(Archive& archive) {
  archive(state_.error, state_.device, state_.status, state_.features, state_.count, state_.low, state_.mid,
          state_.high, state_.interrupting, state_.multiple, state_.mode, state_.heads, state_.track,
          state_.write_cache, state_.look_ahead, state_.reverts, state_.power, state_.head);
  const bool sensible = state_.multiple <= most_multiple &&
                        (state_.multiple == 0 || std::has_single_bit(state_.multiple)) &&
                        state_.mode <= last_ultra_mode && state_.heads != 0 && state_.heads <= 16 &&
                        state_.track != 0 && state_.power <= Power::Sleep && state_.head <= sectors();
  if (!sensible) archive.refuse(Archive::Error::BadValue);
  image_.exchange(archive);
}

}  // namespace vitrine
