#include "machine/core/interrupt_line.hpp"

#include <utility>

#include "base/assert.hpp"
#include "base/bits.hpp"

namespace vitrine {

void LineDriver::set(Level level, u8 detail) const {
  if (line_ != nullptr) line_->vote(index_, level, detail, RequestId{});
}

void LineDriver::end_pulse() const {
  if (line_ != nullptr) line_->vote(index_, Level::Low, 0, RequestId{}, InterruptLine::Fall::PulseOver);
}

void LineDriver::carry(Level level, RequestId request) const {
  if (line_ == nullptr) return;
  if (line_->is_private_wire()) return line_->carry(level, request);
  line_->vote(index_, level, 0, request);
}

Level LineDriver::level() const { return line_ != nullptr && bit(line_->votes_, index_) ? Level::High : Level::Low; }

u8 LineDriver::number() const { return line_ != nullptr ? line_->number() : InterruptLine::no_number; }

void LineDriver::attended(u64 where) const {
  if (line_ == nullptr) return;
  InterruptLine::Driver& driver = line_->drivers_[index_];
  if (driver.unattended == RequestId{}) return;
  Ledger& ledger = *line_->ledger_;
  ledger.append({.id = std::exchange(driver.unattended, RequestId{}).value,
                 .address = ledger.context.address,
                 .extra = where,
                 .kind = RecordKind::Attended,
                 .pin = line_->number_,
                 .source = driver.source.value});
}

LineDriver InterruptLine::add_driver(SourceId source) {
  VITRINE_ASSERT(drivers_.size() < 32);
  drivers_.push_back({source});
  return LineDriver(*this, static_cast<u8>(drivers_.size() - 1));
}

void InterruptLine::connect(Device& listener, Pin pin) {
  listeners_.push_back({&listener, pin});
  if (level() == Level::High) listener.line_changed(pin, Level::High, request_);
}

void InterruptLine::tell(Level level) {
  for (const Listener& listener : listeners_) listener.device->line_changed(listener.pin, level, request_);
}

void InterruptLine::carry(Level level, RequestId request) {
  const bool high = level == Level::High;
  if (!high) request = RequestId{};
  if (high == (votes_ != 0) && request == request_) return;
  votes_ = high ? 1 : 0;
  request_ = request;
  carried_ = high;
  tell(level);
}

void InterruptLine::vote(u8 index, Level level, u8 detail, RequestId carried, Fall fall) {
  const bool high = level == Level::High;
  if (bit(votes_, index) == high) {
    // A controller's output stays high while another request takes the first one's place.
    const bool alone = votes_ == u32{1} << index;
    if (!high || !alone || number_ != no_number || carried == request_) return;
    request_ = carried;
    return tell(Level::High);
  }
  const bool was_high = votes_ != 0;
  votes_ = with_bit(votes_, index, high);
  if (high) {
    const bool is_new = number_ != no_number && carried == RequestId{};
    const RequestId id = is_new ? ledger_->next_request() : carried;
    if (is_new) {
      drivers_[index].unattended = id;
      ledger_->append({.id = id.value,
                       .kind = RecordKind::Raised,
                       .pin = number_,
                       .detail = detail,
                       .source = drivers_[index].source.value});
    }
    if (!was_high) {
      request_ = id;
      carried_ = !is_new;
    } else if (number_ != no_number) {
      ledger_->append({.id = id.value,
                       .other = request_.value,
                       .kind = RecordKind::Merged,
                       .pin = number_,
                       .source = drivers_[index].source.value});
    }
  }
  const bool is_high = votes_ != 0;
  if (was_high == is_high) return;
  if (!is_high) {
    if (number_ != no_number && !carried_) {
      ledger_->append(
          {.id = request_.value, .kind = RecordKind::Lowered, .pin = number_, .source = drivers_[index].source.value});
    }
    if (fall == Fall::CauseGone) request_ = RequestId{};
  }
  tell(level);
  if (is_high) return;
  request_ = RequestId{};
  carried_ = false;
}

}  // namespace vitrine
