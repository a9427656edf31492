#include "apps/disks.hpp"

#include <algorithm>
#include <memory>

#include "apps/status.hpp"

namespace vitrine {

namespace {

constexpr u64 piece_sectors = 2048;

bool read_disk(const std::string& path, DiskImage& into, int& exit_status) {
  auto contents = read_file(path, Disks::most_bytes);
  if (!contents) {
    const FileError& error = contents.error();
    const bool too_large = error.kind == FileError::Kind::TooLarge;
    exit_status = complain(too_large ? status::not_a_guest : status::no_input,
                           too_large ? fmt::format("the disk '{}' is larger than {} GiB, the most that a disk may have",
                                                   path, Disks::most_bytes >> 30)
                                     : fmt::format("can't read the disk '{}': {}", path, error.clause));
    return false;
  }
  const u64 rest = contents->size() % DiskImage::sector_bytes;
  if (contents->empty() || rest != 0) {
    const std::string what =
        contents->empty()
            ? std::string("is empty; `truncate -s 16M FILE` makes an image of 16 MiB")
            : fmt::format("has {} bytes, which are no whole sectors of {}", contents->size(), DiskImage::sector_bytes);
    exit_status = complain(status::not_a_guest, fmt::format("the disk '{}' {}", path, what));
    return false;
  }
  into = DiskImage(std::make_shared<const DiskImage::Bytes>(std::move(*contents)));
  return true;
}

}  // namespace

bool Disks::open(const std::vector<std::string>& images, const std::vector<std::string>& saves, int& exit_status) {
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (!read_disk(images[i], images_[i], exit_status)) return false;
  }
  for (const std::string& path : saves) {
    auto file = ReplacementFile::create(path);
    if (!file) {
      exit_status = complain(status::no_input, fmt::format("--disk-save: can't write '{}': {}", path, file.error()));
      return false;
    }
    saves_.push_back(std::move(*file));
  }
  return true;
}

bool Disks::save(const Machine& machine) {
  bool all = true;
  for (unsigned number = 0; number < saves_.size(); ++number) {
    const DiskImage& disk = machine.disk(number);
    ReplacementFile& file = saves_[number];
    std::vector<u8> piece;
    for (u64 sector = 0; sector < disk.sectors(); sector += piece_sectors) {
      piece.resize(static_cast<std::size_t>(std::min(piece_sectors, disk.sectors() - sector)) *
                   DiskImage::sector_bytes);
      disk.read(sector, piece);
      file.write(piece);
    }
    if (const auto done = file.finish(); !done) {
      complain(status::internal, fmt::format("--disk-save: can't write '{}': {}", file.path(), done.error()));
      all = false;
    }
  }
  return all;
}

}  // namespace vitrine
