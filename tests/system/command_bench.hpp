// For tests of the command: it runs in a folder of its own, on kernels of a few instructions. Included by *_test.cpp
// files only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/process.hpp"

namespace vitrine::tests {

class Command : public testing::Test {
 protected:
  static Result run(std::vector<std::string> arguments, const How& how = {}) {
    arguments.insert(arguments.begin(), VITRINE_COMMAND);
    return vitrine::tests::run(arguments, how);
  }

  [[nodiscard]] std::filesystem::path file(const std::string& name, const std::string& contents) const {
    return folder_.file(name, contents);
  }

  [[nodiscard]] std::ptrdiff_t files_in_folder() const {
    return std::distance(std::filesystem::directory_iterator(folder_.path), std::filesystem::directory_iterator());
  }

  Folder folder_;
};

inline void append(std::string& code, std::initializer_list<int> bytes) {
  for (const int byte : bytes) code += static_cast<char>(byte);
}

/// A Multiboot kernel (address fields, flag 16) at 1 MiB: header, then `code`, 32-bit.
inline std::string multiboot(const std::string& code) {
  constexpr std::uint32_t base = 0x100000;
  const std::uint32_t flags = 1u << 16;
  const std::uint32_t magic = 0x1BADB002;
  const std::uint32_t words[] = {magic, flags, 0u - magic - flags, base, base, 0, 0, base + 32};
  std::string image(reinterpret_cast<const char*>(words), sizeof words);
  return image + code;
}

/// mov dx, port; then each character to it. At most 16 characters.
inline std::string print(std::string_view text, int port = 0x3F8) {
  std::string code;
  // The 16550 takes 16 characters at once only with its FIFO on: out 0x3FA, 1.
  append(code, {0x66, 0xBA, 0xFA, 0x03, 0xB0, 0x01, 0xEE});
  append(code, {0x66, 0xBA, port & 0xFF, port >> 8});
  for (const char character : text) append(code, {0xB0, character, 0xEE});
  return code;
}

inline const std::string halt_forever("\xFA\xF4\xEB\xFD", 4);  // cli; hlt; jmp to hlt
inline const std::string loop_forever("\xEB\xFE", 2);          // jmp $
inline const std::string wait_20_ms("\xB9\x00\x2D\x31\x01\xE2\xFE",
                                    7);                         // mov ecx, 20000000; loop $: the FIFO runs empty
inline const std::string write_f4("\xB0\x10\xE6\xF4\xEB\xFE");  // mov al, 0x10; out 0xF4, al
// lidt [esp] of zeroes, then int3: no gate can be read.
inline const std::string triple_fault("\xBC\x00\x00\x20\x00\x6A\x00\x6A\x00\x0F\x01\x1C\x24\xCC", 14);
inline const std::string reset("\xB0\xFE\xE6\x64\xEB\xFE", 6);  // the 8042's pulse on the reset line

/// One line that names the program, nothing else.
inline void expect_one_line(const Result& result) {
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with("vitrine: ")) << result.err;
}

}  // namespace vitrine::tests
