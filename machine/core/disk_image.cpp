#include "machine/core/disk_image.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"

namespace vitrine {

DiskImage::DiskImage(std::shared_ptr<const Bytes> original)
    : original_(std::move(original)), sectors_(original_->size() / sector_bytes) {}

void DiskImage::read(u64 sector, std::span<u8> into) const {
  VITRINE_ASSERT(sector <= sectors_ && into.size() <= (sectors_ - sector) * sector_bytes);
  for (u64 at = sector * sector_bytes; !into.empty();) {
    const u64 place = at % chunk_bytes;
    const std::size_t count = std::min<std::size_t>(into.size(), chunk_bytes - place);
    const auto found = written_.find(at / chunk_bytes);
    std::memcpy(into.data(), found != written_.end() ? found->second.data() + place : original_->data() + at, count);
    into = into.subspan(count);
    at += count;
  }
}

DiskImage::Chunk DiskImage::original_chunk(u64 number) const {
  Chunk chunk{};
  const u64 at = number * chunk_bytes;
  std::memcpy(chunk.data(), original_->data() + at, std::min<std::size_t>(chunk_bytes, original_->size() - at));
  return chunk;
}

void DiskImage::write(u64 sector, std::span<const u8> from) {
  VITRINE_ASSERT(sector <= sectors_ && from.size() <= (sectors_ - sector) * sector_bytes);
  for (u64 at = sector * sector_bytes; !from.empty();) {
    const u64 number = at / chunk_bytes, place = at % chunk_bytes;
    const std::size_t count = std::min<std::size_t>(from.size(), chunk_bytes - place);
    auto found = written_.find(number);
    if (found == written_.end()) found = written_.emplace(number, original_chunk(number)).first;
    std::memcpy(found->second.data() + place, from.data(), count);
    from = from.subspan(count);
    at += count;
  }
}

// FNV-1a over words: it tells one image from another, nothing more.
u64 DiskImage::digest() {
  if (digest_ != 0 || original_ == nullptr) return digest_;
  u64 hash = 0xCBF29CE484222325u;
  for (u64 at = 0; at < sectors_ * sector_bytes; at += sizeof(u64)) {
    u64 word = 0;
    std::memcpy(&word, original_->data() + at, sizeof word);
    hash = (hash ^ word) * 0x100000001B3u;
    hash ^= hash >> 32;
  }
  digest_ = hash | 1;
  return digest_;
}

void DiskImage::exchange(Archive& archive) {
  u64 sectors = sectors_, original = digest(), count = written_.size();
  archive(sectors, original, count);
  if (!archive.loading()) {
    for (auto& [number, chunk] : written_) {
      u64 key = number;
      archive(key);
      archive.raw(chunk.data(), chunk.size());
    }
    return;
  }
  written_.clear();
  if (sectors != sectors_ || original != digest() || count > chunks()) return archive.refuse(Archive::Error::BadValue);
  u64 least = 0;
  for (; count > 0 && archive.ok(); --count) {
    u64 number = 0;
    archive(number);
    if (!archive.ok() || number < least || number >= chunks()) return archive.refuse(Archive::Error::BadValue);
    archive.raw(written_[number].data(), chunk_bytes);
    least = number + 1;
  }
}

}  // namespace vitrine
