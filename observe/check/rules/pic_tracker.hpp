// The two 8259s of a PC as the ledger's records tell them: who asks, who is in service, who is in whose way.
//
// Rules keep one each and show it every record. What it says is the state behind the last record that it has seen.
#pragma once

#include <array>
#include <optional>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/check/rule.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

class PicTracker {
 public:
  static constexpr u8 pins = 8;
  static constexpr u8 first = 0, second = 1;  ///< chips
  static constexpr u8 cascade_pin = 2;        ///< of the first one: the second one's output
  static constexpr u8 no_pin = 0xFF;
  /// What it must be shown.
  static constexpr RecordKinds kinds =
      record_kinds_of(RecordKind::Latched, RecordKind::Withdrawn, RecordKind::Acknowledged, RecordKind::InService,
                      RecordKind::EndOfInterrupt, RecordKind::MaskChanged, RecordKind::ControllerProgrammed);

  struct PinState {
    bool requested = false;  // IRR
    u64 pending = 0;
    u64 pending_since = 0;
    bool in_service = false;  // ISR
    u64 serving = 0;          ///< 0 in a set bit: a spurious interrupt of the second chip
    u64 in_service_since = 0;
    u64 masked_since = 0;
    u64 masked_by = 0;  ///< 0: firmware, or power-on
  };
  /// As a PC's firmware leaves it, until records say otherwise.
  struct Chip {
    std::array<PinState, pins> pin{};
    u8 mask = 0;
    u8 vector_base = 0;
    u64 vector_base_by = 0;  ///< 0: firmware
    bool automatic = false;  // AEOI
    bool special_fully_nested = false;
    bool special_mask = false;
    u8 lowest_priority = 7;
    bool initialised = true;
  };
  /// An in-service bit that may be in the way.
  struct Blocker {
    u8 chip = 0;
    u8 pin = 0;
    bool operator==(const Blocker&) const = default;
  };

  explicit PicTracker(const TraceHeader& header);
  void consume(const Record& record);

  /// Which of the two made this record; nothing if another component did.
  [[nodiscard]] std::optional<u8> chip_of(const Record& record) const;
  /// The pin of its chip that a record is about; no_pin if it is about none.
  [[nodiscard]] static u8 pin_of(const Record& record, u8 chip);
  [[nodiscard]] const Chip& chip(u8 which) const { return chips_[which]; }
  [[nodiscard]] const PinState& pin(u8 which, u8 number) const { return chips_[which].pin[number & 7]; }
  [[nodiscard]] bool masked(u8 which, u8 pin) const { return (chips_[which].mask >> pin & 1) != 0; }

  /// The pin that the chip's output is high for.
  [[nodiscard]] std::optional<u8> winner(u8 which) const;
  /// Does this in-service bit hold back an unmasked request on this ISA line, whatever else does?
  [[nodiscard]] bool holds_back(const Blocker& bit, u8 line) const;
  /// Can a request on some line of this chip reach the CPU, as far as masks go?
  [[nodiscard]] bool lets_something_through(u8 which) const;

 private:
  [[nodiscard]] bool requests(u8 which, u8 pin) const;
  [[nodiscard]] bool serves(u8 which, u8 pin) const;
  [[nodiscard]] u8 rank(u8 which, u8 pin) const { return (pin - chips_[which].lowest_priority - 1) & 7; }
  void programmed(const Record& record, Chip& chip);
  void mask_changed(const Record& record, Chip& chip);

  std::array<std::optional<u16>, 2> sources_;
  std::array<Chip, 2> chips_;
};

}  // namespace vitrine
