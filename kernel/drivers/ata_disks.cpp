#include "kernel/drivers/ata_disks.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernel/core/log.hpp"
#include "kernel/drivers/pci.hpp"
#include "kernel/fs/block_file.hpp"
#include "kernel/fs/devices.hpp"

namespace pulse {

namespace ata = vitrine::ata;

namespace {

constexpr u8 channel_count = 2, disks_per_channel = 2;
constexpr u32 disk_major = 8, minors_per_disk = 16;
constexpr std::string_view names[] = {"sda", "sdb", "sdc", "sdd"};
constexpr u64 sectors_of_28_bits = u64{1} << 28;
constexpr u8 multiword_dma_2 = 0x22;

/// IDENTIFY DEVICE (ATA/ATAPI-6, 8.16.8), by word.
class Identity {
 public:
  explicit Identity(const AtaChannel::Sector& bytes) : bytes_(bytes) {}
  [[nodiscard]] u16 word(u32 number) const {
    return static_cast<u16>(bytes_[2 * number] | bytes_[2 * number + 1] << 8);
  }
  [[nodiscard]] bool has_lba() const { return bit(word(49), 9); }
  [[nodiscard]] bool has_dma() const { return bit(word(49), 8) && bit(word(63), 2); }
  [[nodiscard]] bool has_wide_addresses() const { return (word(83) & 0xC400) == 0x4400; }
  [[nodiscard]] bool has_flush() const { return (word(83) & 0xD000) == 0x5000; }
  [[nodiscard]] u8 most_multiple() const { return static_cast<u8>(word(47)); }
  [[nodiscard]] u64 sectors() const {
    const u64 low = word(60) | u64{word(61)} << 16;
    if (!has_wide_addresses()) return low;
    return word(100) | u64{word(101)} << 16 | u64{word(102)} << 32 | u64{word(103)} << 48;
  }
  /// Words 27 to 46: the first character of each pair is its high byte.
  [[nodiscard]] std::array<char, 41> model() const {
    std::array<char, 41> text{};
    for (u32 i = 0; i < 40; ++i) text[i] = static_cast<char>(bytes_[54 + (i ^ 1)]);
    for (u32 end = 40; end > 0 && (text[end - 1] == ' ' || text[end - 1] == 0); --end) text[end - 1] = 0;
    return text;
  }

 private:
  const AtaChannel::Sector& bytes_;
};

class AtaDisk final : public BlockDevice {
 public:
  /// False: it is none that we know how to use.
  bool attach(AtaChannel& channel, u8 number, std::string_view name, const AtaChannel::Sector& identity,
              bool may_use_dma) {
    const Identity says(identity);
    if (!says.has_lba() || says.sectors() == 0) return false;
    channel_ = &channel;
    number_ = number;
    name_ = name;
    wide_ = says.has_wide_addresses();
    can_flush_ = says.has_flush();
    set_size(says.sectors(), Access::ReadWrite);
    may_use_dma_ = may_use_dma && says.has_dma() && channel.has_bus_master();
    most_multiple_ = std::min<u8>(says.most_multiple(), 16);
    set_up();
    log_info("{}: {}, {} sectors, {}", name, std::string_view(says.model().data()), sectors(),
             uses_dma_ ? "by DMA" : "by the CPU");
    return true;
  }

  [[nodiscard]] Result<void> flush() override {
    if (!can_flush_) return {};
    return told(channel_->command(wide_ ? ata::Command::FlushCacheExt : ata::Command::FlushCache, number_), "flush", 0);
  }

 private:
  using enum ata::Command;
  static constexpr u64 most_pio_bytes = 128 * sector_bytes;

  [[nodiscard]] AtaChannel::Transfer transfer(ata::Command narrow, ata::Command wide, u64 sector, u64 bytes) const {
    const bool is_wide = sector + bytes / sector_bytes > sectors_of_28_bits;
    return {.command = is_wide ? wide : narrow,
            .disk = number_,
            .wide = is_wide,
            .sector = sector,
            .block_sectors = std::max<u32>(multiple_, 1)};
  }
  void set_up() {
    resets_seen_ = channel_->resets();
    uses_dma_ =
        may_use_dma_ && channel_->command(SetFeatures, number_, ata::feature::set_transfer_mode, multiword_dma_2);
    const bool has_multiple = most_multiple_ > 1 && channel_->command(SetMultiple, number_, 0, most_multiple_);
    multiple_ = has_multiple ? most_multiple_ : u8{0};
  }
  void set_up_after_reset() {
    if (channel_->resets() != resets_seen_) set_up();
  }
  Result<void> told(Result<void> result, std::string_view what, u64 sector) const {
    if (!result && !channel_->is_dead(number_)) {
      log_warning("{}: {} failed at sector {} (status {:#x}, error {:#x})", name_, what, sector,
                  channel_->last_status(), channel_->last_error());
    }
    return result;
  }

  [[nodiscard]] Result<void> read_sectors(u64 sector, std::span<u8> into) override {
    set_up_after_reset();
    while (!into.empty()) {
      const std::size_t bytes = std::min<std::size_t>(into.size(), piece_bytes());
      const std::span<u8> piece = into.first(bytes);
      const auto done = uses_dma_       ? channel_->read_by_dma(transfer(ReadDma, ReadDmaExt, sector, bytes), piece)
                        : multiple_ > 0 ? channel_->read(transfer(ReadMultiple, ReadMultipleExt, sector, bytes), piece)
                                        : channel_->read(transfer(ReadSectors, ReadSectorsExt, sector, bytes), piece);
      if (!done) return told(done, "read", sector);
      into = into.subspan(bytes);
      sector += bytes / sector_bytes;
    }
    return {};
  }

  [[nodiscard]] Result<void> write_sectors(u64 sector, std::span<const u8> from) override {
    set_up_after_reset();
    while (!from.empty()) {
      const std::size_t bytes = std::min<std::size_t>(from.size(), piece_bytes());
      const std::span<const u8> piece = from.first(bytes);
      const auto done = uses_dma_ ? channel_->write_by_dma(transfer(WriteDma, WriteDmaExt, sector, bytes), piece)
                        : multiple_ > 0
                            ? channel_->write(transfer(WriteMultiple, WriteMultipleExt, sector, bytes), piece)
                            : channel_->write(transfer(WriteSectors, WriteSectorsExt, sector, bytes), piece);
      if (!done) return told(done, "write", sector);
      from = from.subspan(bytes);
      sector += bytes / sector_bytes;
    }
    return {};
  }
  [[nodiscard]] std::size_t piece_bytes() const { return uses_dma_ ? AtaChannel::most_dma_bytes : most_pio_bytes; }

  AtaChannel* channel_ = nullptr;
  u8 number_ = 0;
  std::string_view name_;
  bool wide_ = false, can_flush_ = false, may_use_dma_ = false, uses_dma_ = false;
  u8 most_multiple_ = 0, multiple_ = 0;  // 0: one sector a block
  u32 resets_seen_ = 0;
};

AtaChannel channels[channel_count];
AtaDisk disks[channel_count * disks_per_channel];

/// The bus master's ports; 0: there is none, or it answers elsewhere than at the ports of a PC.
u16 find_bus_master() {
  constexpr u16 ide_controller = 0x0101;
  constexpr u8 class_register = 0x08, bus_master_bar = 4;
  constexpr u32 has_bus_master = 0x8000, native_mode = 0x0500;
  const auto function = find_pci_class(ide_controller);
  if (!function) return 0;
  const u32 interface = function->read(class_register) & 0xFF00;
  if ((interface & has_bus_master) == 0 || (interface & native_mode) != 0) return 0;
  return function->map_ports(bus_master_bar);
}

}  // namespace

void start_ata_disks(const AtaOptions& options) {
  const u16 master = find_bus_master();
  const AtaChannel::Place places[channel_count] = {
      {"ata0", 0x1F0, 0x3F6, master, 14}, {"ata1", 0x170, 0x376, static_cast<u16>(master != 0 ? master + 8 : 0), 15}};
  for (u8 number = 0; number < channel_count; ++number) {
    AtaChannel& channel = channels[number];
    if (!channel.find(places[number])) continue;
    bool is_started = false;
    for (u8 disk = 0; disk < disks_per_channel; ++disk) {
      AtaChannel::Sector identity;
      if (!channel.identify(disk, identity)) continue;
      if (!is_started) channel.start(options.service);
      is_started = true;
      const u32 place = number * u32{disks_per_channel} + disk;
      if (!disks[place].attach(channel, disk, names[place], identity, options.use_dma)) continue;
      register_block_device({names[place], device_number(disk_major, place * minors_per_disk), &disks[place]});
    }
  }
}

}  // namespace pulse
