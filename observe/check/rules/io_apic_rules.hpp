// ioapic-mismatch, lost-edge, and the parts of enabled-too-early and unremapped-pic that the I/O APIC has: entries that
// don't fit the wires behind them, edges that a masked entry dropped, entries opened before they were complete, and
// lines that come twice.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "observe/apic_picture.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

class IoApicRules final : public Rule {
 public:
  explicit IoApicRules(const RuleContext& context) : Rule(context), apics_(context.header) {}
  static RuleMaker maker();

  [[nodiscard]] RecordKinds record_kinds() const override {
    return record_kinds_of(RecordKind::Raised, RecordKind::Lowered, RecordKind::Attended, RecordKind::LineLost,
                           RecordKind::ControllerProgrammed, RecordKind::MaskChanged, RecordKind::InService,
                           RecordKind::EndOfInterrupt, RecordKind::MessageLost, RecordKind::Acknowledged,
                           RecordKind::Delivered);
  }
  void consume(const Record& record) override;
  void looked(const Cpu& cpu) override;
  void finish(const RunEnd& end) override;

 private:
  static constexpr u64 edge_patience = 100'000'000;  // T_EDGE, ns
  static constexpr u64 writing = 64;                 // instructions from one half of an entry to the other
  static constexpr u64 twice = 1'000'000;            // ns between the two deliveries of one request

  /// An edge that a masked entry dropped; the device still waits.
  struct Dropped {
    u64 id = 0;
    u64 time = 0, instructions = 0;
    u64 masked_by = 0, masked_at = 0;
    u16 source = 0;
    bool reported = false;
  };
  /// An entry that has just been opened.
  struct Opened {
    u64 instructions = 0, time = 0, address = 0;
    u8 cpu = 0;
    bool recent = false;
  };
  /// A request that an 8259 has handed to the CPU.
  struct Taken {
    u64 id = 0, time = 0;
  };

  void programmed(const Record& record);
  void raised(const Record& record);
  void taken(const Record& record);
  void judge_entry(u8 pin, u64 id, FindingSeverity severity);
  void judge_edges(u64 time, bool for_ever);

  ApicPicture apics_;
  std::array<std::optional<Dropped>, ApicPicture::pins> dropped_;
  std::array<Opened, ApicPicture::pins> opened_{};
  std::array<Taken, 16> taken_{};
};

}  // namespace vitrine
