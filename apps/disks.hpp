// The disks of a run: read before it from --disk, written after it where --disk-save says.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "host/file.hpp"
#include "machine/boards/machine.hpp"

namespace vitrine {

class Disks {
 public:
  /// A disk is held in memory.
  static constexpr u64 most_bytes = u64{16} << 30;

  /// Reads the images and makes the files to save to. False: it has complained, and `exit_status` says how.
  [[nodiscard]] bool open(const std::vector<std::string>& images, const std::vector<std::string>& saves,
                          int& exit_status);
  [[nodiscard]] std::array<DiskImage, 4> take_images() { return std::move(images_); }
  /// What is on the machine's disks now. False: it has complained.
  [[nodiscard]] bool save(const Machine& machine);

 private:
  std::array<DiskImage, 4> images_;
  std::vector<ReplacementFile> saves_;
};

}  // namespace vitrine
