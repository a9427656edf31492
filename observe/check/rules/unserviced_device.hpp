// unserviced-device: handlers that never ask the device why it interrupts.
//
// A level-triggered line then stays high, and the interrupt comes again and again; an edge-triggered one stays high and
// makes no second edge, so that it never comes again.
#pragma once

#include <array>
#include <optional>

#include "observe/check/rule.hpp"
#include "observe/check/rules/controller_picture.hpp"

namespace vitrine {

class UnservicedDeviceRule final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  void consume(const Record& record) override;
  [[nodiscard]] RecordKinds record_kinds() const override;
  void looked(const Cpu& cpu) override;
  void finish(const RunEnd& end) override;

 private:
  struct Waiting {
    u64 since = 0;
    WithheldCause cause{};
    u16 device = 0;
  };
  struct Line {
    u64 id = 0;      ///< the request that holds the line high, or did last
    u16 source = 0;  ///< its device
    bool high = false;
    bool attended = false;
    u64 deliveries = 0;  ///< of this request, with no access to a device of the line
    u64 handler = 0;
    u8 vector = 0;
    std::optional<u64> returned_at;  ///< when the handler of this request returned
    std::optional<Waiting> waiting;  ///< the device has more, and can't say so
  };

  void note_delivery(const Record& record);
  void tell_storm(u8 pin, FindingSeverity severity);
  /// The line whose request the device waits for: this one, or another of its own.
  Line* unread_line(u8 pin, u16 source);
  void await(Line& line);
  void tell_silent(u8 pin);
  void judge_waiting(u64 now);
  [[nodiscard]] std::string name_of(u16 source) const;

  std::array<Line, ControllerPicture::lines> lines_{};
  ControllerPicture controllers_{context_.header};
  u64 next_due_ = ~u64{0};
};

}  // namespace vitrine
