// Where every interrupt stands at one moment of a record stream: lines, controllers, devices, vectors, CPUs.
//
// Bounded memory; cheap enough to follow every run.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/apic_picture.hpp"
#include "observe/life/life.hpp"
#include "observe/trace_file.hpp"
#include "observe/why/line_states.hpp"

namespace vitrine {

/// Who set something, and when. Address 0: nobody but the firmware, or power-on.
struct SetBy {
  u64 time = 0;
  u64 address = 0;
};

/// An 8259.
struct ControllerState {
  static constexpr u8 pins = 8;
  struct PinState {
    SetBy masked;
    u64 serving = 0;      ///< id in service
    bool opened = false;  ///< the guest has cleared its mask bit, which ICW1 does too, of its own will
    bool in_service = false;
    u64 in_service_since = 0;
  };
  u16 source = 0;
  u8 first_line = 0;
  u8 mask = 0;  ///< IMR
  bool initialised = true;
  SetBy initialised_by;  ///< or who began and did not end it
  u8 vector_base = 0;
  SetBy vector_base_by;
  bool automatic_end = false;  ///< AEOI
  bool special_mask = false;
  u8 lowest_priority = 7;
  std::array<PinState, pins> pin;
  std::optional<Record> last_end;  ///< the last EOI of the guest's
};

/// A device on one of its lines.
struct DeviceState {
  u16 source = 0;
  u8 line = 0;
  u64 raised = 0, last_raised = 0;
  std::optional<Record> withheld;   ///< stands now
  std::map<u8, Record> programmed;  ///< by DeviceRegister, the last one
};

struct VectorState {
  u64 external = 0, exceptions = 0, software = 0, raised = 0, failed = 0, returned = 0;
  u32 lines = 0;  ///< a bit for each line that came with it
  std::optional<Record> last_delivered;
  std::optional<Record> last_failed;
};

/// What a device writes as its message: a vector, as the guest has set it.
struct MessageSetting {
  u16 source = 0;
  u8 entry = 0;
  u8 vector = 0;
  bool masked = false;
  SetBy by;
};

struct CpuNow {
  std::optional<Record> halted;  ///< set while it sleeps
  std::optional<Record> shutdown;
  std::optional<Record> last;  ///< the last record of this CPU that has an address
};

class InterruptState {
 public:
  explicit InterruptState(const TraceHeader& header);
  void consume(std::span<const Record> records);
  void consume(const Record& record) { consume(std::span(&record, 1)); }

  [[nodiscard]] const LifeTracker& lives() const { return lives_; }
  [[nodiscard]] const TraceHeader& header() const { return header_; }
  [[nodiscard]] const ApicPicture& apics() const { return apics_; }
  /// Null if nothing is known of it. `source` tells apart what is no line: two CPUs' timers.
  [[nodiscard]] const LineState* line(u8 pin, u16 source = 0) const { return lines_.find(pin, source); }
  /// All that are known.
  [[nodiscard]] std::vector<const LineState*> lines() const { return lines_.all(); }
  [[nodiscard]] const VectorState* vector(u8 vector) const { return vectors_[vector] ? &*vectors_[vector] : nullptr; }
  [[nodiscard]] const std::vector<ControllerState>& controllers() const { return controllers_; }
  [[nodiscard]] const ControllerState* controller_of(u8 line) const;
  [[nodiscard]] const ControllerState* controller(u16 source) const;
  /// In the order of their first record.
  [[nodiscard]] const std::vector<DeviceState>& devices() const { return devices_; }
  [[nodiscard]] const DeviceState* device(u16 source, u8 line) const;
  [[nodiscard]] const CpuNow& cpu(u8 cpu) const { return cpus_[cpu]; }
  [[nodiscard]] const std::vector<MessageSetting>& messages() const { return messages_; }
  /// The last record of each of the HPET's registers: its general configuration, and its timers'.
  [[nodiscard]] const std::vector<Record>& hpet() const { return hpet_; }
  /// Lives that wait, by id.
  [[nodiscard]] std::vector<const Life*> pending() const;
  /// Only those that came on this line, or at this pin of `source`.
  [[nodiscard]] std::vector<const Life*> pending_on(u8 pin, u16 source) const;
  [[nodiscard]] std::string source_name(u16 source) const;
  [[nodiscard]] u64 now() const { return now_; }

 private:
  /// Of the line that the request came on; null if it came on none.
  LineState* line_of_request(u64 id) {
    const Life* life = id != 0 ? lives_.find(id) : nullptr;
    const Record* from = life != nullptr ? life->origin() : nullptr;
    if (from == nullptr || from->kind == RecordKind::Latched) return nullptr;
    return &lines_.of(from->pin, from->source);
  }
  ControllerState* controller_mutable(u16 source);
  void line_record(const Record& record);
  void raised(const Record& record);
  void device_record(const Record& record);
  void delivered(const Record& record);
  void returned(const Record& record);
  void delivery_failed(const Record& record);
  void cpu_record(const Record& record);
  DeviceState& device_state(u16 source, u8 line);
  VectorState& vector_state(u8 vector);
  void controller_record(const Record& record);
  void programmed_elsewhere(const Record& record);
  void count_end(const Record& record);
  void count_sent(const Record& record);

  TraceHeader header_;
  LifeTracker lives_;
  ApicPicture apics_;
  LineStates lines_;
  std::vector<ControllerState> controllers_;
  std::vector<DeviceState> devices_;
  std::array<std::optional<VectorState>, 256> vectors_;
  std::vector<CpuNow> cpus_ = std::vector<CpuNow>(256);
  std::vector<MessageSetting> messages_;
  std::vector<Record> hpet_;
  u64 now_ = 0;
};

}  // namespace vitrine
