// The ledger: the one stream of typed records from which report, why, sanitizer, trace and digest derive.
//
// Every interrupt request gets an id when it is raised; the id travels with it through line, controller,
// CPU and handler. Ids are handed out whether or not anybody observes, so observing changes nothing.
// Not observed, an append is one test of a flag.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/clock.hpp"

namespace vitrine {

/// Identifies one interrupt request for its whole life. 0: no request.
using RequestId = Quantity<struct RequestTag, u64>;
/// Identifies a component that appears in the ledger (a device, a controller, a CPU). Index into Ledger::sources().
using SourceId = Quantity<struct SourceTag, u16>;

/// What a record says. The fields that each kind uses stand beside it; all others are 0.
/// `source` is always the component that emits the record. Values are part of the trace format: append only.
enum class RecordKind : u8 {
  Raised = 1,  ///< a device's cause drives its line high. id; pin: IRQ line number (0..15); detail: cause (device's own
               ///< enum)
  Lowered = 2,  ///< the line went low. id of the request that it carried; pin
  Latched = 3,  ///< a controller set the request bit. id; pin
  Merged =
      4,  ///< raised while an earlier request was still pending, which goes on for both. id; pin; other: id of the
          ///< pending one. Also when the earlier one's pulse had ended before anybody took it (the PIT's next period)
  Blocked = 5,       ///< a pending request can't proceed. id; pin; detail: Obstacle; address: instruction that set the
                     ///< obstacle; since: when it was set; other: id in service, if that is the obstacle
  Withdrawn = 6,     ///< the request bit went away before acknowledge. id; pin
  Acknowledged = 7,  ///< the controller handed its vector to the CPU. id; pin; vector; detail: AcknowledgeKind
  Spurious = 8,      ///< acknowledge found nothing. id 0; pin 7 or 15; vector; detail: SpuriousCause; other: id of the
                     ///< request that was there before, if any; address: instruction that took it away; since: when
  Delivered = 9,     ///< the CPU entered through the IDT. id; vector; detail: DeliveryKind; address: handler's first
                     ///< instruction (linear); other: interrupted instruction; frame: linear address of the saved
                     ///< instruction pointer; extra: error code if any, bit 32 set when one was pushed, bits 33 and 34:
                     ///< delivered_mode.hpp
  EndOfInterrupt =
      10,          ///< EOI reached a controller. id that it ended (0: none was in service); pin; address: instruction
  Returned = 11,   ///< IRET left the frame of `id`. vector; address: instruction of the IRET; frame: as in Delivered,
                   ///< even if the guest has moved it
  Exception = 12,  ///< a fault, trap or abort was raised. vector; address: instruction; extra: error code (bit 32:
                   ///< has one); other: CR2 for a page fault. A Delivered with the same id follows unless it failed
  DeliveryFailed = 13,  ///< the check that refused a delivery. id; vector; detail: FailedCheck; extra: error code
  TripleFault = 14,     ///< the CPU shut down. address: instruction
  Halted = 15,          ///< HLT. address; detail: 1 if IF was set
  Woken = 16,           ///< HLT ended. id: the request that ended it; since: when it began
  InterruptsOff = 17,   ///< a stretch with IF=0 of notable_interrupts_off or more has ended. since: its begin;
                        ///< address: the instruction that cleared IF; other: the instruction that set it. Address 0:
                        ///< the stretch from power-on
  LineLost = 18,        ///< an edge that no controller can remember (masked I/O APIC pin). id; pin
  MaskChanged = 19,     ///< a controller's mask. extra: new mask; other: old mask; address: instruction
  InService = 20,       ///< the in-service bit was set. id; pin
  GuestExit = 21,       ///< the guest asked for the end. extra: value
  Withheld = 22,  ///< a device has cause for an interrupt, and something of its own keeps the line low. id 0; pin:
                  ///< IRQ line number; detail: WithheldCause; address: the instruction that made it so (0: it is
                  ///< so since power-on or reset); since: when that was; extra: the device's cause, as
                  ///< Raised::detail would be
  DeviceProgrammed = 23,      ///< a register that decides about a device's interrupts changed. pin: IRQ line number;
                              ///< detail: DeviceRegister; extra: new value; other: old value; address: instruction
  ControllerProgrammed = 24,  ///< an interrupt controller's mode changed. pin: the board's number of its first pin;
                              ///< detail: ControllerRegister; extra: new value; other: old value; address: instruction
  Attended = 25,  ///< the guest accessed the device that raised `id`, the first time since then. id; pin; address:
                  ///< instruction; extra: port or physical address; source: the device
  // What the guest says of its threads (docs/annotations.md), or what is derived from a scheduler that we know.
  ThreadRuns = 26,   ///< a CPU goes on with another thread. other: its number; since: when it was last woken (0: not
                     ///< known); address: instruction
  ThreadWoken = 27,  ///< a thread can run again. id: the request in whose handler it was woken (0: in none); other: its
                     ///< number; address: instruction
  ThreadBlocked = 28,  ///< the running thread will wait. other: its number; address: instruction
  ThreadExited = 29,   ///< other: its number
  ThreadNamed = 30,    ///< other: its number; address, frame: the first 16 bytes of its name, little-endian, 0-filled
};

/// Stretches with IF=0 of at least this many nanoseconds are in the ledger (RecordKind::InterruptsOff).
inline constexpr u64 notable_interrupts_off = 1000;

/// What keeps a device from raising its line (RecordKind::Withheld::detail). Append only.
enum class WithheldCause : u8 {
  None = 0,
  InterruptEnableOff = 1,  ///< its own interrupt-enable bit is clear
  OutputGateOff = 2,       ///< a gate behind that bit is closed (a UART's OUT2)
  BufferNotRead = 3,       ///< what it said before was never read, so that its line can't rise again
  FlagNotRead = 4,         ///< the flag that it set before was never read (RTC register C)
  PortDisabled = 5,        ///< the port, or the device behind it, is switched off (8042 clock lines, 0xF5)
  NotProgrammed = 6,       ///< it has no mode yet, or waits for the rest of a count
};

/// Which register (RecordKind::DeviceProgrammed::detail). Append only.
enum class DeviceRegister : u8 {
  PitMode = 1,   ///< control word of a counter
  PitCount = 2,  ///< initial count; 0x10000 for 0
  RtcB = 3,      ///< register B (PIE, AIE, UIE)
  RtcA = 4,      ///< register A (rate)
  UartInterruptEnable = 5,
  UartModemControl = 6,       ///< OUT2, loopback
  KeyboardController = 7,     ///< the 8042's configuration byte
  KeyboardScanning = 8,       ///< 1: the device sends, 0: it was told to be quiet
  PowerManagementEnable = 9,  ///< ACPI PM1_EN
  ParallelControl = 10,
};

/// Which register of a controller (RecordKind::ControllerProgrammed::detail). Append only.
enum class ControllerRegister : u8 {
  VectorBase = 1,  ///< 8259: ICW2
  Automatic = 2,   ///< 8259: ICW4, AEOI (1) or not (0)
  SpecialFullyNested = 3,
  SpecialMask = 4,
  EdgeLevel = 5,    ///< ELCR: a bit for each pin
  Rotation = 6,     ///< lowest-priority pin
  Initialised = 7,  ///< ICW1 begins (0) or the last ICW was written (1)
};

/// Why a pending request can't proceed (RecordKind::Blocked::detail). Append only.
enum class Obstacle : u8 {
  None = 0,
  Masked = 1,           ///< its mask bit is set
  InServiceHigher = 2,  ///< one of the same or higher priority is in service (no EOI yet)
  InterruptFlag = 3,    ///< IF=0
  InterruptShadow = 4,  ///< the instruction after STI or MOV SS
  CascadeMasked = 5,    ///< the primary masks the pin that the secondary drives
  NotInitialised = 6,   ///< the controller has not had its ICWs
  NmiInProgress = 7,    ///< NMIs wait for IRET
  HigherPending = 8,    ///< another pending request of higher priority goes first
};

/// How a controller gave a request away (RecordKind::Acknowledged::detail). Append only.
enum class AcknowledgeKind : u8 {
  Vector = 0,       ///< the CPU's INTA cycle
  Poll = 1,         ///< a poll command; no vector, no delivery follows
  NoSecondary = 2,  ///< no chip answered on the cascade lines: the vector is what a floating bus reads
};

/// Why an acknowledge found no request (RecordKind::Spurious::detail). Append only.
enum class SpuriousCause : u8 {
  NothingRequested = 0,  ///< the controller had not asked for anything
  InputFell = 1,         ///< the input went low before the acknowledge
  Masked = 2,            ///< its mask bit was set before the acknowledge
  Outranked = 3,         ///< priorities, in-service bits or a poll changed before the acknowledge
  NotInitialised = 4,    ///< the controller was initialised again, or never was
};

/// What ended an in-service bit (RecordKind::EndOfInterrupt::detail). Append only.
enum class EndKind : u8 {
  NonSpecific = 0,
  Specific = 1,
  Automatic = 2,    ///< AEOI: the acknowledge itself
  Initialised = 3,  ///< ICW1
};

/// How a vector got to the CPU (RecordKind::Delivered::detail). Append only.
enum class DeliveryKind : u8 { External = 1, Nmi = 2, Fault = 3, Trap = 4, Abort = 5, Software = 6 };

/// One fact about one moment. Plain data; its layout is the trace format's (little-endian, no padding).
struct Record {
  u64 time = 0;          ///< virtual nanoseconds
  u64 instructions = 0;  ///< instructions retired by the CPU so far
  u64 id = 0;            ///< RequestId
  u64 address = 0;       ///< linear address of an instruction
  u64 other = 0;
  u64 frame = 0;
  u64 since = 0;  ///< virtual nanoseconds
  u64 extra = 0;
  RecordKind kind{};
  u8 vector = 0;
  u8 pin = 0;
  u8 detail = 0;
  u16 source = 0;
  u8 cpu = 0;
  u8 privilege = 0;  ///< CPL at that moment, for records of the CPU
};
static_assert(sizeof(Record) == 72);

/// Who reads the ledger. Called in order, in batches; must not touch the machine.
class LedgerSink {
 public:
  virtual ~LedgerSink() = default;
  virtual void consume(std::span<const Record> records) = 0;
};

/// The instruction that the machine is executing, as far as a device may know it: who wrote this register?
struct InstructionContext {
  u64 address = 0;       ///< linear address of the instruction
  u64 instructions = 0;  ///< retired before it
  u8 cpu = 0;
};

class Ledger {
 public:
  explicit Ledger(const Clock& clock) : clock_(&clock) {}

  /// Names a component; names are unique per machine. Order of registration is part of the trace.
  SourceId register_source(std::string_view name);
  [[nodiscard]] const std::vector<std::string>& sources() const { return sources_; }

  /// A new request's id. Always counts, observed or not.
  RequestId next_request() { return RequestId(++last_request_); }

  [[nodiscard]] bool observed() const { return observed_; }
  /// Adds a reader (not owned). From now on records are kept.
  void attach(LedgerSink& sink);

  /// Appends a record; fills in time and instruction count. No effect when nobody observes.
  void append(Record record) {
    if (observed_) store(record);
  }
  /// Hands all buffered records to the readers.
  void flush();

  /// Set by the CPU before it lets an instruction reach a device, and at delivery.
  InstructionContext context;

  void exchange(Archive& archive) { archive(last_request_); }

 private:
  void store(Record record);

  const Clock* clock_;
  std::vector<std::string> sources_;
  std::vector<LedgerSink*> sinks_;
  std::vector<Record> buffer_;
  u64 last_request_ = 0;
  bool observed_ = false;
};

}  // namespace vitrine
