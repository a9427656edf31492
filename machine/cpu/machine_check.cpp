#include "machine/cpu/machine_check.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {

namespace msr {
constexpr u32 capabilities = 0x179, status = 0x17A, bank_control2 = 0x280, bank_control = 0x400, bank_status = 0x401,
              bank_address = 0x402, bank_misc = 0x403;
}

constexpr u64 banks = 1, has_corrected_interrupt = u64{1} << 10;                      // IA32_MCG_CAP, §15.3.1.1
constexpr u64 restart_valid = 1, in_progress = u64{1} << 2, status_writable = 0b111;  // IA32_MCG_STATUS
constexpr u64 threshold_mask = 0x7FFF, interrupts = u64{1} << 30;                     // IA32_MCi_CTL2, §15.3.2.5

// IA32_MCi_STATUS, §15.3.2.2.
constexpr unsigned valid = 63, overflow = 62, uncorrected = 61, enabled = 60, address_valid = 58, context_corrupt = 57;
constexpr unsigned count_low = 38;
constexpr u64 count_mask = u64{0x7FFF} << count_low;

}  // namespace

MachineCheck::Answer MachineCheck::read(u32 number, u64& value) const {
  switch (number) {
    case msr::capabilities:
      value = banks | has_corrected_interrupt;
      return Answer::Done;
    case msr::status:
      value = status_;
      return Answer::Done;
    case msr::bank_control:
      value = control_;
      return Answer::Done;
    case msr::bank_status:
      value = error_;
      return Answer::Done;
    case msr::bank_address:
      value = address_;
      return Answer::Done;
    case msr::bank_misc:
      value = misc_;
      return Answer::Done;
    case msr::bank_control2:
      value = corrected_;
      return Answer::Done;
    default:
      return Answer::NotMine;
  }
}

MachineCheck::Answer MachineCheck::write(u32 number, u64 value) {
  switch (number) {
    case msr::status:
      if ((value & ~status_writable) != 0) return Answer::Refused;
      status_ = value;
      return Answer::Done;
    case msr::bank_control:  // §15.3.2.1: all ones or all zeros
      if (value != 0 && value != ~u64{0}) return Answer::Refused;
      control_ = value;
      return Answer::Done;
    case msr::bank_status:  // software can only clear it
      if (value != 0) return Answer::Refused;
      error_ = 0;
      return Answer::Done;
    // §15.3.2.3 and §15.3.2.4 let these be cleared only. unverified: that processors hold to it; kvm-unit-tests (msr)
    // wants them writable.
    case msr::bank_address:
      address_ = value;
      return Answer::Done;
    case msr::bank_misc:
      misc_ = value;
      return Answer::Done;
    case msr::bank_control2:
      if ((value & ~(threshold_mask | interrupts)) != 0) return Answer::Refused;
      corrected_ = value;
      return Answer::Done;
    default:
      return Answer::NotMine;
  }
}

bool MachineCheck::log(const Error& error) {
  const bool is_uncorrected = error.severity == Severity::Uncorrected;
  const bool was_valid = bit(error_, valid);
  const bool was_uncorrected = was_valid && bit(error_, uncorrected);
  u64 count = (error_ & count_mask) >> count_low;
  if (!is_uncorrected && count < threshold_mask) ++count;
  // §15.3.2.2.1: a corrected error does not overwrite an uncorrected one, nor does a second uncorrected one.
  if (was_uncorrected) {
    error_ = with_bit(error_, overflow, true);
  } else {
    error_ = u64{1} << valid | error.code;
    error_ = with_bit(error_, overflow, was_valid);
    error_ = with_bit(error_, uncorrected, is_uncorrected);
    error_ = with_bit(error_, context_corrupt, is_uncorrected);
    error_ = with_bit(error_, enabled, bit(control_, 0));
    error_ = with_bit(error_, address_valid, error.address != 0);
    address_ = error.address;
  }
  error_ = (error_ & ~count_mask) | count << count_low;
  // §15.5.1.
  return !is_uncorrected && (corrected_ & interrupts) != 0 && count == (corrected_ & threshold_mask);
}

bool MachineCheck::signals() const { return bit(control_, 0); }

// The interrupted program can go on as far as RIP is concerned; PCC says that its state may be wrong.
bool MachineCheck::enter() {
  if ((status_ & in_progress) != 0) return false;
  status_ = restart_valid | in_progress;
  return true;
}

void MachineCheck::exchange(Archive& archive) { archive(status_, control_, error_, address_, misc_, corrected_); }

}  // namespace vitrine
