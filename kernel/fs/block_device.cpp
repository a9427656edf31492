#include "kernel/fs/block_device.hpp"

namespace pulse {

bool BlockDevice::claim() {
  BlockDevice& disk = whole();
  if (is_claimed_ || claimed_parts_ > 0 || disk.is_claimed_) return false;
  is_claimed_ = true;
  if (&disk != this) ++disk.claimed_parts_;
  return true;
}

void BlockDevice::give_up_claim() {
  is_claimed_ = false;
  if (&whole() != this) --whole().claimed_parts_;
}

Result<void> BlockDevice::check(u64 sector, u64 bytes) const {
  if (bytes % sector_bytes != 0) return fail(Errno::Invalid);
  if (sector > sectors_ || bytes / sector_bytes > sectors_ - sector) return fail(Errno::Invalid);
  return {};
}

Result<void> BlockDevice::read(u64 sector, std::span<u8> into) {
  if (const Result<void> ok = check(sector, into.size()); !ok) return ok;
  if (into.empty()) return {};
  return read_sectors(sector, into);
}

Result<void> BlockDevice::write(u64 sector, std::span<const u8> from) {
  if (const Result<void> ok = check(sector, from.size()); !ok) return ok;
  if (!writable_) return fail(Errno::ReadOnly);
  if (from.empty()) return {};
  return write_sectors(sector, from);
}

}  // namespace pulse
