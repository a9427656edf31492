// The ledger: the one stream of typed records from which report, why, sanitizer, trace and digest derive.
//
// Every interrupt request gets an id when it is raised; the id travels with it through line, controller,
// CPU and handler. Ids are handed out whether or not anybody observes, so observing changes nothing.
// Not observed, an append is one test of a flag.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
  Raised = 1,   ///< a device's cause drives its line high. id; pin: IRQ line number (0..15, PIRQA.. 16..23) or
                ///< ApicPin::Message; detail: cause (device's own enum); extra: number of an MSI(-X) message
  Lowered = 2,  ///< the line went low. id of the request that it carried; pin
  Latched = 3,  ///< a controller set the request bit. id; pin
  Merged = 4,  ///< raised while an earlier request was still pending, which goes on for both. id; pin; other: id of the
               ///< pending one. Also when the earlier one's pulse had ended before anybody took it (the PIT's next
               ///< period). Of a CPU: a second NMI while one is pending
  Blocked = 5,       ///< a pending request can't proceed. id; pin; detail: Obstacle; address: instruction that set the
                     ///< obstacle; since: when it was set; other: id in service, if that is the obstacle
  Withdrawn = 6,     ///< the request went away before acknowledge. id; pin; of a CPU: an NMI that INIT took away
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
                  ///< Raised::detail would be; detail None: the end of that (device_records.hpp)
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
  // Messages between APICs (machine/core/interrupt_message.hpp). With them come for a local APIC ("lapicN", cpu: N):
  // Raised (a cause of its own; pin: ApicPin), Latched and Merged (IRR), Blocked, Withdrawn, Acknowledged, InService,
  // EndOfInterrupt, Spurious, each with `vector` (pin 0xFF: it came by a message); for an I/O APIC ("ioapic0"):
  // Latched, Merged, Blocked, InService (remote IRR), EndOfInterrupt, LineLost, MaskChanged (extra, other: 1 masked, 0
  // open), each with pin 0..23.
  MessageSent = 31,  ///< id; vector; pin: of the sender (I/O APIC pin, ApicPin); detail: MessageMode; extra:
                     ///< destination (32 bits), bits 32.. as in message_extra; address: instruction that sent it, if
                     ///< one did; since: MSI: address of the write (no time). cpu: the sender, for an IPI
  MessageLost = 32,  ///< nobody accepted it, or its receiver could do nothing with it. id; vector; pin; detail:
                     ///< MessageLoss; extra: as in MessageSent
  Copied = 33,       ///< the message has more than one receiver: id: the request that this one (cpu) got; other: the
                     ///< one that was sent; vector
  CpuStarted = 34,   ///< a CPU left the wait for SIPI. id; cpu; address: where it begins; vector: the SIPI's
  CpuReset = 35,     ///< INIT reached a CPU. id; cpu; detail: 1 waits for SIPI now, 0 begins at the reset vector
};

/// Where a request of a local APIC comes from, and `pin` of what it sends. Also `pin` of an MSI's Raised and
/// MessageSent. Above the numbers of all lines of a board: ISA IRQs 0..15, PCI's PIRQA..PIRQH 16..23.
enum class ApicPin : u8 {
  Timer = 0xE0,
  Thermal = 0xE1,
  Performance = 0xE2,
  Lint0 = 0xE3,
  Lint1 = 0xE4,
  Error = 0xE5,
  Cmci = 0xE6,
  Interprocessor = 0xE7,  ///< ICR, self IPI
  Message = 0xE8,         ///< MSI, MSI-X, HPET's FSB delivery
};

/// Bits of MessageSent's extra above the destination.
namespace message_extra {
inline constexpr u64 logical = u64{1} << 32, level = u64{1} << 33, deassert = u64{1} << 34, wide = u64{1} << 35;
inline constexpr unsigned shorthand = 36;  ///< 2 bits
inline constexpr unsigned receivers = 40;  ///< 8 bits: how many accepted it
}  // namespace message_extra

/// Why a message was of no effect (RecordKind::MessageLost::detail). Append only.
enum class MessageLoss : u8 {
  NoReceiver = 1,        ///< no local APIC has that id
  ReceiverDisabled = 2,  ///< its local APIC is off (IA32_APIC_BASE), or off by SVR and the message needs it on
  IllegalVector = 3,     ///< vector below 16
  NotWaiting = 4,        ///< a SIPI for a CPU that does not wait for one
  ReservedMode = 5,      ///< a delivery mode that is reserved where it was sent
  Unsupported = 6,       ///< SMI: there is no SMM
  NoAddress = 7,         ///< an MSI's address is neither FEEx_xxxxh nor RAM. since: the address
  WaitsForStartUp = 8,   ///< an NMI for a CPU that waits for a SIPI
  Deassert = 9,          ///< a level that is not asserted asks for nothing
  Shorthand = 10,        ///< an IPI whose delivery mode its shorthand does not go with
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
  ThermalInterrupt = 11,  ///< IA32_THERM_INTERRUPT
};

/// Which register of a controller (RecordKind::ControllerProgrammed::detail). Append only.
enum class ControllerRegister : u8 {
  VectorBase = 1,  ///< 8259: ICW2
  Automatic = 2,   ///< 8259: ICW4, AEOI (1) or not (0)
  SpecialFullyNested = 3,
  SpecialMask = 4,
  EdgeLevel = 5,           ///< ELCR: a bit for each pin
  Rotation = 6,            ///< lowest-priority pin
  Initialised = 7,         ///< ICW1 begins (0) or the last ICW was written (1)
  RedirectionEntry = 8,    ///< I/O APIC: pin; extra, other: 64 bits
  SpuriousVector = 9,      ///< local APIC: SVR. From here on of a local APIC, pin 0 unless said
  TaskPriority = 10,       ///< TPR; only changes of its class are recorded
  LocalVector = 11,        ///< an LVT entry; pin: ApicPin
  TimerInitialCount = 12,  ///< or the deadline, in TSC-deadline mode
  TimerDivide = 13,
  LogicalDestination = 14,
  DestinationFormat = 15,
  ApicBase = 16,  ///< IA32_APIC_BASE
  Imcr = 17,
  PirqRoute = 18,       ///< PCI router; pin: 16 + n for PIRQ n
  MessageControl = 19,  ///< MSI or MSI-X capability: control word; source: the device
  MessageEntry = 20,    ///< MSI(-X) address and data. pin: entry; extra: address; other: data | masked << 32
  HpetTimer = 21,       ///< HPET: configuration of timer `pin`
  HpetControl = 22,     ///< HPET: general configuration
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
  PriorityTooLow = 9,   ///< local APIC: not above the processor priority. extra: PPR; other: id in service, if that is
                        ///< what raises it, else TPR does
  ApicDisabled = 10,    ///< local APIC: off by SVR, or (extra 1) by IA32_APIC_BASE
  EntryMasked = 11,     ///< masked LVT entry, redirection entry or MSI(-X) vector
  RemoteIrr = 12,       ///< I/O APIC: a level request was sent and no EOI came back
  FunctionMasked = 13,  ///< MSI(-X) is not enabled, or its function mask is set
  BusMasterOff = 14,    ///< PCI command register: bus mastering off, so that an MSI can't be written
  NotConnected = 15,    ///< IMCR, or the router, leads the line elsewhere
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

/// Where records are written, in their order, and how they are handed on without a copy.
class RecordBuffer {
 public:
  static constexpr std::size_t capacity = 4096;  ///< records

  RecordBuffer() = default;  ///< it has no room: it is empty and full
  RecordBuffer(RecordBuffer&& other) noexcept { swap(other); }
  RecordBuffer& operator=(RecordBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  [[nodiscard]] static RecordBuffer with_room() {
    RecordBuffer buffer;
    buffer.records_ = std::make_unique<Record[]>(capacity);
    buffer.next_ = buffer.records_.get();
    buffer.end_ = buffer.next_ + capacity;
    return buffer;
  }

  [[nodiscard]] bool empty() const { return next_ == records_.get(); }
  [[nodiscard]] bool full() const { return next_ == end_; }
  /// The place of one more record, which may hold an old one. Only if it is not full.
  Record& add() { return *next_++; }
  [[nodiscard]] std::span<const Record> records() const { return {records_.get(), next_}; }
  void clear() { next_ = records_.get(); }
  void swap(RecordBuffer& other) noexcept {
    std::swap(records_, other.records_);
    std::swap(next_, other.next_);
    std::swap(end_, other.end_);
  }

 private:
  std::unique_ptr<Record[]> records_;
  Record* next_ = nullptr;
  Record* end_ = nullptr;
};

/// Who reads the ledger. Called in order, in batches; must not touch the machine.
class LedgerSink {
 public:
  virtual ~LedgerSink() = default;
  virtual void consume(std::span<const Record> records) = 0;
  /// As consume(), of the reader that was attached last: it may keep the buffer, and leaves an empty one with room.
  virtual void take(RecordBuffer& buffer) {
    consume(buffer.records());
    buffer.clear();
  }
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

  /// Appends a record; fills in time, instruction count and the CPU that runs. No effect when nobody observes.
  void append(const Record& record) { append_for(context.cpu, record); }
  /// As append(), of what happens at CPU `cpu`, whoever runs.
  void append_for(u8 cpu, const Record& record) {
    if (!observed_) return;
    const u64 now = clock_->now().value;
    // Inlined, so that the caller's record is made here.
    Record& kept = buffer_.add();
    kept = record;
    kept.time = now;
    kept.instructions = context.instructions;
    kept.cpu = cpu;
    if (buffer_.full()) [[unlikely]]
      flush();
  }
  /// Hands all buffered records to the readers.
  void flush();

  /// Set by the CPU before it lets an instruction reach a device, and at delivery.
  InstructionContext context;

  void exchange(Archive& archive) { archive(last_request_); }

 private:
  const Clock* clock_;
  std::vector<std::string> sources_;
  std::vector<LedgerSink*> sinks_;
  RecordBuffer buffer_;  // with room while somebody observes
  u64 last_request_ = 0;
  bool observed_ = false;
};

}  // namespace vitrine
