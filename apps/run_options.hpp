// What `vitrine run` was asked for, checked and converted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/check_options.hpp"
#include "base/types.hpp"
#include "machine/boards/board_wiring.hpp"
#include "machine/core/outside.hpp"
#include "machine/devices/local_apic/die_temperature.hpp"

namespace vitrine {

/// One key that goes down or up, a movement of the mouse, or a pause.
struct KeyStroke {
  u64 scan_codes = 0;         ///< as InputKind::KeyScan wants them; 0: none
  u64 pause = 0;              ///< guest nanoseconds
  std::optional<u64> motion;  ///< as InputKind::MouseMotion wants it
  bool operator==(const KeyStroke&) const = default;
};

struct RunOptions {
  std::string guest;
  std::string initrd;
  std::string command_line;
  u64 memory_bytes = 0;
  BoardKind board = BoardKind::Pc;
  unsigned cpus = 1;
  bool x2apic = true;
  u64 slice = 0;
  u64 schedule_seed = 0;
  u64 rtc_unix_seconds = 0;
  u64 seed = 0;
  bool real_serial_speed = false;
  DieTemperature::Cooling cooling;
  std::vector<std::string> disks;       ///< images
  std::vector<std::string> disk_saves;  ///< where they go when the run ends

  std::string serial;         ///< stdio, none, file:PATH
  std::string debug_console;  ///< port 0xE9; the same words
  std::vector<KeyStroke> keys;
  std::vector<Input> timed_inputs;  ///< ascending by time
  std::string until;
  u64 max_time = ~u64{0};  ///< virtual nanoseconds
  u64 max_instructions = ~u64{0};
  bool reboot = false;
  bool screen = false;

  CheckWords check;
  bool report = false;
  std::string report_file;  ///< empty: standard error, JSON standard output
  bool json = false;
  std::string trace_file;
  std::vector<std::string> symbols;
  bool live = false;
  bool threads = true;  ///< of a Linux guest: watch its scheduler while something observes
};

/// Runs the guest, and reports. Returns the exit status.
int run_guest(const RunOptions& options);

}  // namespace vitrine
