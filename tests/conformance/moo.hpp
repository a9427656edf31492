// Reads MOO files, the form in which SingleStepTests publish what they captured from processors ("MOO File Format
// Specification, Version 1.1"): 16-bit registers and memory before and after one instruction.
#pragma once

#include <array>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/types.hpp"

namespace vitrine::conformance {

namespace moo {
/// In the file's order.
enum Register : u8 { ax, bx, cx, dx, cs, ss, ds, es, sp, bp, si, di, ip, flags, register_count };
}  // namespace moo

struct MooState {
  std::array<u16, moo::register_count> registers{};
  std::vector<std::pair<u32, u8>> memory;  ///< address and value of each byte that the instruction meets
};

struct MooTest {
  std::string name;
  std::vector<u8> bytes;  ///< the instruction
  MooState before;
  MooState after;  ///< registers: all of them; memory: what has changed
};

/// All tests of a file; an error is one sentence. `path` ends in .MOO.gz.
[[nodiscard]] std::expected<std::vector<MooTest>, std::string> read_moo(const std::filesystem::path& path);

}  // namespace vitrine::conformance
