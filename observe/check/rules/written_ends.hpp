// eoi-wrong-bit, eoi-without-service: an EOI that does not end what its handler serves.
#pragma once

#include <array>
#include <string>

#include "observe/check/rule.hpp"
#include "observe/check/rules/pic_tracker.hpp"

namespace vitrine {

class WrittenEnds final : public Rule {
 public:
  explicit WrittenEnds(const RuleContext& context) : Rule(context), pics_(context.header) {}

  [[nodiscard]] RecordKinds record_kinds() const override {
    return PicTracker::kinds | record_kinds_of(RecordKind::Delivered);
  }
  void consume(const Record& record) override;

 private:
  /// What is remembered of requests that were ended, by chip and line.
  struct Past {
    u64 id = 0;
    u64 ended_by = 0;         // the instruction of the EOI
    bool by_another = false;  // and that was meant for another request: what comes of it is no mistake of its own
  };

  void ended(const Record& record, u8 chip);
  void wrong_bit(const Record& record, u8 chip, u8 pin, const LiveFrame& handler, int line);
  void without_service(const Record& record, u8 chip, const LiveFrame* handler, int line);

  PicTracker pics_;
  std::array<std::array<Past, 16>, 2> past_;
};

}  // namespace vitrine
