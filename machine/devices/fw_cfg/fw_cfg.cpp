#include "machine/devices/fw_cfg/fw_cfg.hpp"

#include "base/assert.hpp"

namespace vitrine {

namespace {
constexpr std::string_view signature_text = "QEMU";
constexpr u32 revision_without_dma = 1;
constexpr std::size_t name_bytes = FwCfg::longest_name + 1;

std::vector<u8> little_endian(u64 value, unsigned size) {
  std::vector<u8> bytes;
  bytes.reserve(size);
  for (unsigned i = 0; i < size; ++i) bytes.push_back(static_cast<u8>(value >> 8 * i));
  return bytes;
}
void append_big_endian(std::vector<u8>& bytes, u32 value, unsigned size) {
  for (unsigned i = size; i-- > 0;) bytes.push_back(static_cast<u8>(value >> 8 * i));
}
}  // namespace

FwCfg::FwCfg(DeviceContext, const Setup& setup) {
  VITRINE_ASSERT(setup.files.size() <= most_files);
  items_[signature] = {signature_text.begin(), signature_text.end()};
  items_[revision] = little_endian(revision_without_dma, 4);
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

u64 FwCfg::peek(Region, u64 offset, AccessSize) const {
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
}

void FwCfg::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.selected, state_.position);
}

}  // namespace vitrine
