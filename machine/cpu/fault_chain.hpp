// The exceptions that led to where the CPU is now, oldest first: what a triple fault is explained from.
//
// The CPU fills one in as it raises faults; observe/ turns it into sentences. Plain data, no pointers.
#pragma once

#include <array>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

/// Which check of the manual refused an access, an instruction or a delivery. Part of the trace format
/// (RecordKind::DeliveryFailed::detail): append only.
enum class FailedCheck : u8 {
  None = 0,
  GateNotPresent = 1,     ///< P is clear in the IDT entry (or call gate)
  VectorPastLimit = 2,    ///< the vector's entry lies past IDTR.limit
  BadGateType = 3,        ///< the IDT entry is no interrupt, trap or task gate for this mode
  DplTooLow = 4,          ///< INT n, INT3 or INTO with CPL > the gate's DPL
  SelectorNull = 5,       ///< a null selector where a segment is needed
  SelectorPastLimit = 6,  ///< the selector's descriptor lies past the limit of GDT or LDT
  NotCode = 7,            ///< the gate's selector is no code segment
  SegmentNotPresent = 8,  ///< P is clear in the segment's descriptor
  BadPrivilege = 9,       ///< DPL, RPL and CPL don't fit
  StackSelector = 10,     ///< the new SS is null, not writable, or of the wrong privilege
  StackNotMapped = 11,    ///< the page of the new stack faulted
  NonCanonical = 12,      ///< a 64-bit address that is not canonical
  PageNotPresent = 13,    ///< a paging entry with P clear
  PageProtection = 14,    ///< a present page that forbids this access (write, user, execute, SMEP, SMAP)
  PageReservedBit = 15,   ///< a reserved bit is set in a paging entry
  SegmentLimit = 16,      ///< the access lies past the segment's limit
  SegmentType = 17,       ///< a write to a read-only segment, a read of an execute-only one, ...
  TssBad = 18,            ///< TR holds no usable TSS, or its stack fields lie past its limit
  Privileged = 19,        ///< the instruction needs CPL 0 (or IOPL)
  BadLongMode = 20,       ///< a 64-bit gate's code segment has L clear or D set
  ReservedValue = 21,     ///< a reserved bit in a control register, MSR, or state image
  Undefined = 22,         ///< the opcode is undefined here
  Alignment = 23,         ///< the operand is not aligned as the instruction wants it
};

/// One exception, at the moment when the CPU raised it.
struct ExceptionStep {
  u8 vector = 0;
  bool has_error_code = false;
  FailedCheck check = FailedCheck::None;
  u8 privilege = 0;  ///< CPL
  u16 error_code = 0;
  u16 selector = 0;  ///< the selector that was looked at, when the check is about one
  u16 cs = 0;
  u16 ss = 0;
  u8 delivering_vector = 0;  ///< when `during_delivery`: the vector that was being delivered
  bool during_delivery = false;
  DeliveryKind delivering_kind{};  ///< how that vector came about
  u64 linear_address = 0;          ///< what could not be reached: descriptor, stack slot, operand
  u64 rip = 0;                     ///< of the instruction
  u64 rsp = 0;
  u64 cr2 = 0;
  u64 time = 0;  ///< virtual nanoseconds

  void exchange(Archive& archive) {
    archive(vector, has_error_code, check, privilege, error_code, selector, cs, ss, delivering_vector, during_delivery,
            delivering_kind, linear_address, rip, rsp, cr2, time);
  }
};

/// The last few exceptions, oldest first. After a triple fault: the ones that made it, ending with the fault that
/// could not be delivered as a double fault.
struct FaultChain {
  static constexpr u8 capacity = 8;
  std::array<ExceptionStep, capacity> steps{};
  u8 count = 0;

  /// Appends a step; the oldest goes when it is full.
  constexpr void add(const ExceptionStep& step) {
    if (count == capacity) {
      for (u8 i = 1; i < capacity; ++i) steps[i - 1u] = steps[i];
      --count;
    }
    steps[count++] = step;
  }
  constexpr void clear() { count = 0; }
  void exchange(Archive& archive) {
    archive(steps, count);
    if (archive.loading() && count > capacity) {
      count = 0;
      archive.refuse(Archive::Error::BadValue);
    }
  }
};

}  // namespace vitrine
