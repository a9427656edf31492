// Pulse on its machines: how it is started there, and how what it says is compared.
#pragma once

#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace vitrine::tests {

inline const std::string guests = GUESTS_FOLDER;

inline bool qemu_is_there() { return std::filesystem::exists("/usr/bin/qemu-system-x86_64"); }

/// What follows the mark of this test's scripts. Not where a command that prints the mark is echoed: there it stands
/// behind a quote. (The echo of what is typed ahead may stand before it.)
inline std::vector<std::string> marked(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    const std::size_t mark = line.find("=> ");
    if (mark == std::string::npos || line.find_first_of("\"'") < mark) continue;
    lines.push_back(line.substr(mark));
  }
  return lines;
}

inline std::vector<std::string> vitrine_words(const std::string& parameters, const std::string& longest) {
  return {VITRINE_COMMAND, "run",  PULSE_KERNEL, "--append", parameters, "--initrd", guests + "/initramfs.cpio",
          "--max-time",    longest};
}

inline std::vector<std::string> qemu_words(const std::string& parameters) {
  return {"qemu-system-x86_64",
          "-kernel",
          PULSE_KERNEL,
          "-append",
          parameters,
          "-initrd",
          guests + "/initramfs.cpio",
          "-display",
          "none",
          "-serial",
          "stdio",
          "-no-reboot",
          "-device",
          "isa-debug-exit,iobase=0xf4,iosize=4"};
}

/// Up to three tries: on a busy host QEMU hands over what is typed so late that its echo gets between the output.
inline Result run_until_marked(const std::vector<std::string>& words, const How& how,
                               const std::vector<std::string>& expected) {
  Result result;
  for (int i = 0; i < 3 && marked(result.out) != expected; ++i) result = run(words, how);
  return result;
}

/// A cpio archive ("newc") of one executable file, to be put behind another.
inline std::string archive_of(const std::string& name, const std::string& contents) {
  const auto member = [](const std::string& path, unsigned mode, const std::string& bytes) {
    char header[111];
    std::snprintf(header, sizeof header, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1U, mode, 0U,
                  0U, 1U, 0U, bytes.size(), 0U, 0U, 0U, 0U, path.size() + 1, 0U);
    std::string text = header + path + '\0';
    text.resize((text.size() + 3) / 4 * 4);
    text += bytes;
    text.resize((text.size() + 3) / 4 * 4);
    return text;
  };
  return member(name, 0100755, contents) + member("TRAILER!!!", 0, "");
}

constexpr int ended_well = 1;  // port 0xF4: (0 << 1) | 1

}  // namespace vitrine::tests
