// /proc: what the kernel knows, as files (proc(5)). The text of a file is made when it is opened.
#pragma once

#include "kernel/core/format.hpp"
#include "kernel/core/process.hpp"
#include "kernel/fs/node.hpp"

namespace pulse {

/// The root directory of the one /proc.
[[nodiscard]] Ref<Node> make_procfs();

/// An empty /sys, so that scripts which mount one go on.
[[nodiscard]] Ref<Node> make_sysfs();

struct SystemEntry {
  std::string_view name;
  void (*write)(TextSink& out);
  u32 permissions = 0444;
};
/// Files of /proc itself (proc_system.cpp).
[[nodiscard]] std::span<const SystemEntry> system_entries();

struct ProcessEntry {
  std::string_view name;
  void (*write)(TextSink& out, const Process& process);
  u32 permissions = 0444;
};
/// Files of /proc/PID (proc_process.cpp).
[[nodiscard]] std::span<const ProcessEntry> process_entries();

}  // namespace pulse
