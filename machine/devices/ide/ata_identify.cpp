// What a drive says of itself: the 256 words of IDENTIFY DEVICE (ATA/ATAPI-6, 8.16.8).
#include <algorithm>
#include <string>
#include <string_view>

#include "machine/devices/ide/ata_drive.hpp"

namespace vitrine {

namespace {

constexpr u64 sectors_of_28_bits = 0x0FFFFFFF;
constexpr u16 standard_heads = 16, standard_track = 63, most_cylinders = 16383;
constexpr u8 ultra_modes = 0x40, multiword_modes = 0x20;

class Words {
 public:
  explicit Words(AtaDrive::Sector& bytes) : bytes_(bytes) {}
  void set(std::size_t number, u64 value) {
    bytes_[2 * number] = static_cast<u8>(value);
    bytes_[2 * number + 1] = static_cast<u8>(value >> 8);
  }
  /// Low word first.
  void set_wide(std::size_t first, std::size_t words, u64 value) {
    for (std::size_t i = 0; i < words; ++i) set(first + i, value >> 16 * i & 0xFFFF);
  }
  /// Padded with spaces; the first character of a pair is the word's high byte.
  void text(std::size_t first, std::size_t words, std::string_view value) {
    for (std::size_t i = 0; i < 2 * words; ++i) {
      bytes_[2 * first + (i ^ 1)] = i < value.size() ? static_cast<u8>(value[i]) : u8{' '};
    }
  }

 private:
  AtaDrive::Sector& bytes_;
};

}  // namespace

u64 AtaDrive::cylinders() const {
  return std::min<u64>(sectors() / (u64{state_.heads} * state_.track), most_cylinders);
}

AtaDrive::Sector AtaDrive::identify() const {
  Sector bytes{};
  Words words(bytes);
  const u64 standard_cylinders = std::min<u64>(sectors() / (u64{standard_heads} * standard_track), most_cylinders);
  words.set(0, 0x0040);  // fixed
  words.set(1, standard_cylinders);
  words.set(3, standard_heads);
  words.set(6, standard_track);
  words.text(10, 10, "VT" + std::string(5, '0') + std::to_string(number_));
  words.text(23, 4, "1.0");
  words.text(27, 20, "VITRINE DISK");
  words.set(47, 0x8000 | most_multiple);
  words.set(49, 0x2F00);  // standby timer as the standard has it, IORDY and its disabling, LBA, DMA
  words.set(50, 0x4000);
  words.set(53, 0x0007);  // words 54-58, 64-70 and 88 are valid
  words.set(54, cylinders());
  words.set(55, state_.heads);
  words.set(56, state_.track);
  words.set_wide(57, 2, cylinders() * state_.heads * state_.track);
  words.set(59, state_.multiple == 0 ? 0 : 0x0100 | state_.multiple);
  words.set_wide(60, 2, std::min(sectors(), sectors_of_28_bits));
  const auto selected = [this](u8 modes) { return (state_.mode & 0xF8) == modes ? 0x0100u << (state_.mode & 7) : 0u; };
  words.set(63, 0x0007 | selected(multiword_modes));
  words.set(64, 0x0003);                                                                 // PIO modes 3 and 4
  for (const std::size_t cycle_time : {65u, 66u, 67u, 68u}) words.set(cycle_time, 120);  // ns
  words.set(80, 0x0078);                                                                 // ATA-3 to ATA/ATAPI-6
  const u16 caches = static_cast<u16>((state_.look_ahead ? 0x0040 : 0) | (state_.write_cache ? 0x0020 : 0));
  words.set(82, 0x0068);  // look-ahead, write cache, power management
  words.set(83, 0x7400);  // FLUSH CACHE (EXT), 48-bit addresses
  words.set(84, 0x4000);
  words.set(85, 0x0008 | caches);
  words.set(86, 0x3400);
  words.set(87, 0x4000);
  words.set(88, 0x003F | selected(ultra_modes));
  words.set(93, 0x6001);  // a cable of 80 conductors; device 0 passed its diagnostics
  words.set_wide(100, 4, sectors());
  bytes[510] = 0xA5;  // word 255: with the checksum behind it, all bytes add up to 0
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  bytes[511] = static_cast<u8>(0x100 - sum);
  return bytes;
}

}  // namespace vitrine
