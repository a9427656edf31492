// What the two 8259s let through, as the ledger's records tell it.
//
// Firmware's programming may lie before the records: a chip says nothing until the guest has given it a vector base and
// a mask.
#pragma once

#include <array>
#include <optional>

#include "observe/check/rule.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

class ControllerPicture {
 public:
  explicit ControllerPicture(const TraceHeader& header);
  void consume(const Record& record);

  /// The vector of IRQ `line` (0..15) if the guest has set it.
  [[nodiscard]] std::optional<u8> vector_of(u8 line) const;
  /// The line's own mask bit is clear, the cascade's too, and both chips have had their ICWs.
  [[nodiscard]] bool open(u8 line) const;
  /// The instruction that cleared the line's mask bit last, and when; 0: not known.
  [[nodiscard]] u64 opened_by(u8 line) const { return lines_[line].by; }
  /// Lines that the last MaskChanged opened (bit n: IRQ n), those behind the cascade too.
  [[nodiscard]] u16 just_opened() const { return just_opened_; }

  static constexpr u8 lines = 16, cascade = 2, pins = 8;
  static constexpr RecordKinds kinds = record_kinds_of(RecordKind::MaskChanged, RecordKind::ControllerProgrammed);

 private:
  struct Chip {
    std::optional<u8> base;
    std::optional<u8> mask;
    bool initialised = true;
  };
  struct Line {
    u64 by = 0;
  };
  [[nodiscard]] bool chip_open(u8 line) const;

  std::vector<u16> sources_;  // of the 8259s
  std::array<Chip, 2> chips_;
  std::array<Line, lines> lines_{};
  u16 just_opened_ = 0;
};

}  // namespace vitrine
