// What the tests of all loaders share: load into a small memory, and what must hold after it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "machine/boot/load_guest.hpp"
#include "machine/boot/test_images.hpp"

namespace vitrine::test_images {

struct Files {
  std::vector<u8> image;
  std::vector<u8> initrd;
  std::string command_line = "console=ttyS0";

  [[nodiscard]] GuestFiles guest() const { return {image, "kernel", initrd, "initrd.img", command_line}; }
};

inline LoadedGuest load(TestMemory& memory, const Files& files, const BootOptions& options = {}) {
  auto result = load_guest(files.guest(), memory.map, memory.bus, options);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result.has_value() ? *result : LoadedGuest{};
}

inline BootError load_error(const Files& files, u64 memory_bytes = 64 << 20, const BootOptions& options = {}) {
  TestMemory memory(memory_bytes);
  auto result = load_guest(files.guest(), memory.map, memory.bus, options);
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? BootError{} : result.error();
}

inline void expect_flat_protected_mode(const BootState& state) {
  EXPECT_EQ(state.mode, BootState::Mode::Protected32);
  EXPECT_EQ(state.cr0, 0x11u);
  EXPECT_EQ(state.cr4, 0u);
  EXPECT_EQ(state.efer, 0u);
  EXPECT_EQ(state.rflags, 2u);
  EXPECT_EQ(state.cs, (BootSegment{0x10, 0, 0xFFFFFFFF, 0xC09B}));
  for (const BootSegment& segment : {state.ds, state.es, state.fs, state.gs, state.ss}) {
    EXPECT_EQ(segment, (BootSegment{0x18, 0, 0xFFFFFFFF, 0xC093}));
  }
  EXPECT_EQ(state.tr.base, 0u);
  EXPECT_EQ(state.tr.limit, 0x67u);
}

// What was loaded must be in RAM, and no two parts may share a byte.
inline void expect_segments_apart(const LoadedGuest& guest) {
  for (std::size_t index = 1; index < guest.segments.size(); ++index) {
    const LoadedSegment& before = guest.segments[index - 1];
    EXPECT_LE(before.start + before.size, guest.segments[index].start) << before.what;
  }
}

}  // namespace vitrine::test_images
