// For tests: what a machine with APICs would write into the ledger. Included by *_test.cpp files only.
#pragma once

#include <functional>
#include <utility>

#include "machine/core/interrupt_message.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// Two CPUs, both kinds of controllers, a few devices. `Sink` has consume(const Record&) or a span of records.
class ApicStory {
 public:
  enum Source : u16 { cpu0, cpu1, pic0, pic1, ioapic0, lapic0, lapic1, pit, com1, card };
  static TraceHeader header() {
    return {.sources = {"cpu0", "cpu1", "pic0", "pic1", "ioapic0", "lapic0", "lapic1", "pit", "com1", "card"},
            .guest = "test"};
  }
  static constexpr u64 handler = 0x4000, iret = 0x4020, eoi_at = 0x4010, culprit = 0x5000, idle = 0x6000;

  explicit ApicStory(std::function<void(const Record&)> sink) : sink_(std::move(sink)) {}

  ApicStory& at(u64 time) {
    time_ = time;
    return *this;
  }
  ApicStory& add(Record record) {
    record.time = record.instructions = time_;
    sink_(record);
    return *this;
  }
  ApicStory& raise(u64 id, u8 line, u16 source = com1, u8 cause = 2) {
    return add({.id = id, .kind = RecordKind::Raised, .pin = line, .detail = cause, .source = source});
  }
  ApicStory& lower(u64 id, u8 line, u16 source = com1) {
    return add({.id = id, .kind = RecordKind::Lowered, .pin = line, .source = source});
  }
  /// The 8259, which is masked, sees it too.
  ApicStory& seen_by_8259(u64 id, u8 line) {
    add({.id = id, .kind = RecordKind::Latched, .pin = line, .source = pic0});
    return add({.id = id,
                .kind = RecordKind::Blocked,
                .pin = line,
                .detail = static_cast<u8>(Obstacle::Masked),
                .source = pic0});
  }
  ApicStory& sent(u64 id, u8 pin, u8 vector, u32 destination, u16 source = ioapic0, u64 bits = 0,
                  MessageMode mode = MessageMode::Fixed) {
    return add({.id = id,
                .extra = destination | bits | u64{1} << message_extra::receivers,
                .kind = RecordKind::MessageSent,
                .vector = vector,
                .pin = pin,
                .detail = static_cast<u8>(mode),
                .source = source});
  }
  ApicStory& io_apic(u64 id, u8 pin, u8 vector, u8 cpu) {
    add({.id = id, .kind = RecordKind::Latched, .vector = vector, .pin = pin, .source = ioapic0});
    return sent(id, pin, vector, cpu).accept(id, vector, cpu);
  }
  ApicStory& remote_irr(u64 id, u8 pin, u8 vector) {
    return add({.id = id, .kind = RecordKind::InService, .vector = vector, .pin = pin, .source = ioapic0});
  }
  ApicStory& accept(u64 id, u8 vector, u8 cpu) {
    return add({.id = id, .kind = RecordKind::Latched, .vector = vector, .source = lapic(cpu), .cpu = cpu});
  }
  ApicStory& take(u64 id, u8 vector, u8 cpu) {
    add({.id = id, .kind = RecordKind::Acknowledged, .vector = vector, .source = lapic(cpu), .cpu = cpu});
    add({.id = id, .kind = RecordKind::InService, .vector = vector, .source = lapic(cpu), .cpu = cpu});
    return add({.id = id,
                .address = handler,
                .other = idle,
                .frame = 0x9000 + u64{cpu} * 0x1000,
                .kind = RecordKind::Delivered,
                .vector = vector,
                .detail = static_cast<u8>(DeliveryKind::External),
                .source = cpu,
                .cpu = cpu});
  }
  ApicStory& eoi(u64 id, u8 vector, u8 cpu) {
    return add({.id = id,
                .address = eoi_at,
                .kind = RecordKind::EndOfInterrupt,
                .vector = vector,
                .source = lapic(cpu),
                .cpu = cpu});
  }
  ApicStory& io_eoi(u64 id, u8 pin, u8 vector) {
    return add({.id = id,
                .address = eoi_at,
                .kind = RecordKind::EndOfInterrupt,
                .vector = vector,
                .pin = pin,
                .detail = static_cast<u8>(EndKind::Specific),
                .source = ioapic0});
  }
  ApicStory& leave(u64 id, u8 vector, u8 cpu) {
    return add({.id = id,
                .address = iret,
                .frame = 0x9000 + u64{cpu} * 0x1000,
                .kind = RecordKind::Returned,
                .vector = vector,
                .source = cpu,
                .cpu = cpu});
  }
  ApicStory& whole(u64 id, u8 vector, u8 cpu) {
    return take(id, vector, cpu).eoi(id, vector, cpu).leave(id, vector, cpu);
  }
  /// A local APIC's own: raised, in IRR.
  ApicStory& local(u64 id, ApicPin pin, u8 vector, u8 cpu) {
    add({.id = id, .kind = RecordKind::Raised, .pin = static_cast<u8>(pin), .source = lapic(cpu), .cpu = cpu});
    return accept(id, vector, cpu);
  }
  ApicStory& copied(u64 id, u64 original, u8 vector, u8 cpu, u16 source) {
    return add(
        {.id = id, .other = original, .kind = RecordKind::Copied, .vector = vector, .source = source, .cpu = cpu});
  }
  ApicStory& lost(u64 id, u8 pin, u8 vector, u32 destination, MessageLoss loss, u16 source) {
    return add({.id = id,
                .address = culprit,
                .extra = destination,
                .kind = RecordKind::MessageLost,
                .vector = vector,
                .pin = pin,
                .detail = static_cast<u8>(loss),
                .source = source});
  }
  ApicStory& entry(u8 pin, u64 old, u64 now, u64 address = culprit) {
    add({.address = address,
         .other = old,
         .extra = now,
         .kind = RecordKind::ControllerProgrammed,
         .pin = pin,
         .detail = static_cast<u8>(ControllerRegister::RedirectionEntry),
         .source = ioapic0});
    if ((old >> 16 & 1) == (now >> 16 & 1)) return *this;
    return add({.address = address,
                .other = old >> 16 & 1,
                .extra = now >> 16 & 1,
                .kind = RecordKind::MaskChanged,
                .pin = pin,
                .source = ioapic0});
  }
  ApicStory& apic(u8 cpu, ControllerRegister which, u64 value, u8 pin = 0, u64 old = 0, u64 address = culprit) {
    return add({.address = address,
                .other = old,
                .extra = value,
                .kind = RecordKind::ControllerProgrammed,
                .pin = pin,
                .detail = static_cast<u8>(which),
                .source = lapic(cpu),
                .cpu = cpu});
  }
  ApicStory& mask_8259(u8 chip, u8 from, u8 to) {
    return add({.address = culprit,
                .other = from,
                .extra = to,
                .kind = RecordKind::MaskChanged,
                .pin = static_cast<u8>(8 * chip),
                .source = static_cast<u16>(pic0 + chip)});
  }
  static constexpr u16 lapic(u8 cpu) { return static_cast<u16>(lapic0 + cpu); }
  [[nodiscard]] u64 now() const { return time_; }

 private:
  std::function<void(const Record&)> sink_;
  u64 time_ = 0;
};

}  // namespace vitrine
