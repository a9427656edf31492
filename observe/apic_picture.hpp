// The APICs of a machine as the ledger's records tell them: entries, priorities, who is in service, which CPUs run.
//
// What it says is the state behind the last record that it has seen. Bounded memory.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/apic_fields.hpp"
#include "observe/small_map.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// How the board's wires want the I/O APIC's entries (machine/boards/board_wiring.cpp; the MADT says the same).
struct WantedEntry {
  bool level = false;
  bool active_low = false;
};
/// Of an I/O APIC's pin on a PC: ISA lines are edges and active high, the SCI a level, PCI's lines levels and active
/// low. Empty: a line that boards route differently.
[[nodiscard]] std::optional<WantedEntry> wanted_entry(u8 pin);
/// The I/O APIC's pin of a line: IRQ 0 is on pin 2.
[[nodiscard]] constexpr u8 io_apic_pin(u8 line) { return line == 0 ? 2 : line; }

class ApicPicture {
 public:
  static constexpr u8 pins = 24;
  static constexpr std::size_t most_lost = 16;

  /// A register's value, and who wrote it. Time 0, address 0: as power-on or the firmware left it.
  struct Setting {
    u64 value = 0;
    u64 time = 0;
    u64 address = 0;
  };
  struct Pin {
    VectorEntry entry{u64{1} << 16};
    Setting written;      ///< the last write of the entry; value: as `entry`
    Setting masked;       ///< the last change of its mask bit
    bool opened = false;  ///< the guest has had it open
    bool remote_irr = false;
    u64 serving = 0;  ///< id
    u64 serving_since = 0;
  };
  struct IoApic {
    u16 source = 0;
    std::array<Pin, pins> pin;
    /// The guest has opened an entry that has a vector of its own: lines come this way now.
    bool in_use = false;
  };
  struct Serving {
    u64 id = 0;
    u64 since = 0;
  };
  struct Local {
    u16 source = 0;
    u8 cpu = 0;
    Setting spurious_vector, task_priority, base;
    std::map<u8, Setting> local_vector;  ///< by ApicPin
    SmallMap<u8, Serving> in_service;    ///< by vector
    std::optional<Record> last_end;
    bool waits_for_startup = false;  ///< its CPU has had no SIPI since power-on or INIT
    std::optional<Record> reset;     ///< INIT
    std::optional<Record> started;   ///< its last SIPI
    [[nodiscard]] bool enabled() const {
      return (spurious_vector.value & apic_register::software_enable) != 0 &&
             (base.value & apic_register::global_enable) != 0;
    }
    [[nodiscard]] std::optional<u8> highest_in_service() const {
      return in_service.empty() ? std::nullopt : std::optional(in_service.rbegin()->first);
    }
  };

  explicit ApicPicture(const TraceHeader& header);
  void consume(const Record& record) {
    if (concerns_apics(record.kind)) follow(record);
  }

  /// Null: the machine has none.
  [[nodiscard]] const IoApic* io_apic() const { return io_apic_ ? &*io_apic_ : nullptr; }
  [[nodiscard]] bool io_apic_in_use() const { return io_apic_ && io_apic_->in_use; }
  [[nodiscard]] const std::vector<Local>& locals() const { return locals_; }
  /// Null if the source is no local APIC, or the CPU has none.
  [[nodiscard]] const Local* local(u16 source) const;
  [[nodiscard]] const Local* local_of(u8 cpu) const;
  /// IMCR: does the 8259 go straight to the first CPU?
  [[nodiscard]] const std::optional<Setting>& imcr() const { return imcr_; }
  /// The last messages that nobody took, oldest first.
  [[nodiscard]] const std::vector<Record>& lost() const { return lost_; }

 private:
  [[nodiscard]] static constexpr bool concerns_apics(RecordKind kind) {
    using enum RecordKind;
    return kind == InService || kind == EndOfInterrupt || kind == ControllerProgrammed || kind == MaskChanged ||
           kind == MessageLost || kind == CpuStarted || kind == CpuReset;
  }
  [[nodiscard]] Local* local_at(u16 source) {
    return source < place_.size() && place_[source] != none ? &locals_[place_[source]] : nullptr;
  }
  void follow(const Record& record);
  void cpu_record(const Record& record);
  void lost(const Record& record);
  void io_apic_record(const Record& record);
  void service_record(const Record& record);
  static void programmed(Local& local, const Record& record);

  std::optional<IoApic> io_apic_;
  std::vector<Local> locals_;
  static constexpr u16 none = 0xFFFF;
  std::vector<u16> place_;  // in locals_, by source
  std::optional<Setting> imcr_;
  std::vector<Record> lost_;
};

}  // namespace vitrine
