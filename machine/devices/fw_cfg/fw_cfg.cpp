#include "machine/devices/fw_cfg/fw_cfg.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.hpp"

namespace vitrine {

namespace {
constexpr std::string_view signature_text = "QEMU";
constexpr std::string_view dma_signature = "QEMU CFG";
constexpr u32 revision_with_dma = 3;
// The control word of a DMA access.
constexpr u32 dma_error = 1u << 0, dma_read = 1u << 1, dma_skip = 1u << 2, dma_select = 1u << 3, dma_write = 1u << 4;
constexpr std::size_t dma_access_bytes = 16;
constexpr std::size_t name_bytes = FwCfg::longest_name + 1;

std::vector<u8> little_endian(u64 value, unsigned size) {
  std::vector<u8> bytes;
  bytes.reserve(size);
  for (unsigned i = 0; i < size; ++i) bytes.push_back(static_cast<u8>(value >> 8 * i));
  return bytes;
}
u64 from_big_endian(std::span<const u8> bytes) {
  u64 value = 0;
  for (const u8 byte : bytes) value = value << 8 | byte;
  return value;
}
u32 swapped(u64 value) { return __builtin_bswap32(static_cast<u32>(value)); }
void append_big_endian(std::vector<u8>& bytes, u32 value, unsigned size) {
  for (unsigned i = size; i-- > 0;) bytes.push_back(static_cast<u8>(value >> 8 * i));
}
}  // namespace

FwCfg::FwCfg(DeviceContext, const Setup& setup, MemoryBus& memory) : memory_(memory) {
  VITRINE_ASSERT(setup.files.size() <= most_files);
  items_[signature] = {signature_text.begin(), signature_text.end()};
  items_[revision] = little_endian(revision_with_dma, 4);
  items_[memory_size] = little_endian(setup.memory_bytes, 8);
  items_[cpu_count] = items_[most_cpus] = little_endian(setup.cpus, 2);
  std::vector<u8> directory;
  append_big_endian(directory, static_cast<u32>(setup.files.size()), 4);
  u16 number = first_file;
  for (const Setup::File& file : setup.files) {
    VITRINE_ASSERT(file.name.size() <= longest_name);
    append_big_endian(directory, static_cast<u32>(file.bytes.size()), 4);
    append_big_endian(directory, number, 2);
    append_big_endian(directory, 0, 2);
    directory.insert(directory.end(), file.name.begin(), file.name.end());
    directory.insert(directory.end(), name_bytes - file.name.size(), 0);
    items_[number++] = file.bytes;
  }
  items_[file_directory] = std::move(directory);
}

std::span<const u8> FwCfg::item() const {
  const auto found = items_.find(state_.selected);
  return found == items_.end() ? std::span<const u8>{} : std::span<const u8>(found->second);
}

u64 FwCfg::peek(Region, u64 offset, AccessSize size) const {
  if (offset >= dma_offset) {
    u64 value = 0;
    for (u64 i = 0; i < size.value; ++i) {
      const u64 at = offset - dma_offset + i;
      if (at < dma_signature.size()) value |= u64{static_cast<u8>(dma_signature[at])} << 8 * i;
    }
    return value;
  }
  if (offset != data_offset) return 0;
  const std::span<const u8> bytes = item();
  return state_.position < bytes.size() ? bytes[state_.position] : 0;
}

u64 FwCfg::read(Region region, u64 offset, AccessSize size) {
  const u64 value = peek(region, offset, size);
  if (offset == data_offset && state_.position < item().size()) ++state_.position;
  return value;
}

void FwCfg::write(Region, u64 offset, AccessSize size, u64 value) {
  if (offset == select_offset && size.value == 2) state_ = {.selected = static_cast<u16>(value)};
  if (offset < dma_offset) return;
  if (offset == dma_offset && size.value == 4) state_.dma_address_high = swapped(value);
  if (offset == dma_offset + 4 && size.value == 4) {
    start_dma(PhysicalAddress(u64{std::exchange(state_.dma_address_high, 0)} << 32 | swapped(value)));
  }
}

void FwCfg::start_dma(PhysicalAddress access) {
  std::array<u8, dma_access_bytes> words;  // NOLINT(cppcoreguidelines-pro-type-member-init): read_block() fills it
  if (!memory_.read_block(access, words)) return;
  const std::span<const u8> all(words);
  const auto control = static_cast<u32>(from_big_endian(all.first(4)));
  const auto length = static_cast<u32>(from_big_endian(all.subspan(4, 4)));
  const bool done = transfer(control, length, PhysicalAddress(from_big_endian(all.subspan(8))));
  const std::array<u8, 4> answer = {0, 0, 0, static_cast<u8>(done ? 0 : dma_error)};
  [[maybe_unused]] const bool written = memory_.write_block(access, answer);
}

bool FwCfg::transfer(u32 control, u32 length, PhysicalAddress address) {
  if ((control & dma_select) != 0) state_ = {.selected = static_cast<u16>(control >> 16)};
  const std::span<const u8> bytes = item();
  const std::size_t left = bytes.size() - std::min<std::size_t>(state_.position, bytes.size());
  const auto from_item = static_cast<u32>(std::min<std::size_t>(length, left));
  if ((control & dma_read) != 0) {
    if (length > most_dma_bytes) return false;
    std::vector<u8> block(length);  // zeroes behind the item's end
    std::ranges::copy(bytes.subspan(bytes.size() - left, from_item), block.begin());
    if (!memory_.write_block(address, block)) return false;
  } else if ((control & dma_write) != 0) {
    return false;
  } else if ((control & dma_skip) == 0) {
    return true;
  }
  state_.position += from_item;
  return true;
}

void FwCfg::exchange(Archive& archive) {
  archive.section(name(), 2);
  archive(state_.selected, state_.position, state_.dma_address_high);
}

}  // namespace vitrine
