#include "observe/export/timeline_place.hpp"

#include "observe/apic_fields.hpp"

namespace vitrine {

TimelinePlace timeline_place(const Record& record) {
  switch (record.kind) {
    case RecordKind::Raised:
    case RecordKind::Lowered:
    case RecordKind::Withheld:
    case RecordKind::DeviceProgrammed:
    case RecordKind::Attended:
      return TimelinePlace::Device;
    case RecordKind::Latched:
    case RecordKind::Merged:
    case RecordKind::Withdrawn:
    case RecordKind::Acknowledged:
    case RecordKind::Spurious:
    case RecordKind::InService:
    case RecordKind::EndOfInterrupt:
    case RecordKind::LineLost:
    case RecordKind::MaskChanged:
    case RecordKind::ControllerProgrammed:
    case RecordKind::Copied:
      return TimelinePlace::Controller;
    case RecordKind::MessageSent:
    case RecordKind::MessageLost:
      return record.pin == static_cast<u8>(ApicPin::Message) ? TimelinePlace::Device : TimelinePlace::Controller;
    case RecordKind::Blocked:
      switch (static_cast<Obstacle>(record.detail)) {
        case Obstacle::InterruptFlag:
        case Obstacle::InterruptShadow:
        case Obstacle::NmiInProgress:
          return TimelinePlace::Cpu;
        default:
          return TimelinePlace::Controller;
      }
    case RecordKind::Delivered:
    case RecordKind::Returned:
    case RecordKind::Exception:
    case RecordKind::DeliveryFailed:
    case RecordKind::TripleFault:
    case RecordKind::Halted:
    case RecordKind::Woken:
    case RecordKind::InterruptsOff:
    case RecordKind::GuestExit:
    case RecordKind::CpuStarted:
    case RecordKind::CpuReset:
      return TimelinePlace::Cpu;
    case RecordKind::ThreadRuns:
    case RecordKind::ThreadWoken:
    case RecordKind::ThreadBlocked:
    case RecordKind::ThreadExited:
    case RecordKind::ThreadNamed:
      return TimelinePlace::Thread;
  }
  return TimelinePlace::Nowhere;
}

}  // namespace vitrine
