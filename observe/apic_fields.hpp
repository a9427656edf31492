// The fields of APIC registers as the ledger hands them over: redirection entries, LVT entries, SVR, MSI capabilities.
//
// Manual: 82093AA data sheet, 3.2.4; Intel SDM vol. 3A §10.5.1 (LVT), §10.9 (SVR), §10.4.4 (IA32_APIC_BASE).
#pragma once

#include <array>
#include <cstddef>

#include "base/types.hpp"
#include "machine/core/interrupt_message.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

/// Lines of the board below this, causes of APICs from here on (ApicPin).
inline constexpr u8 first_apic_pin = static_cast<u8>(ApicPin::Timer);
[[nodiscard]] constexpr bool is_line(u8 pin) { return pin < first_apic_pin; }
inline constexpr u8 first_pci_line = 16;
/// What an IPI comes on.
inline constexpr u8 interprocessor_pin = static_cast<u8>(ApicPin::Interprocessor);
/// Two CPUs of which one has not taken the other's IPI for so long, in ns, wait for each other.
inline constexpr u64 deadlock_patience = 10'000'000;

/// An entry of an I/O APIC (64 bits) or of a local vector table (the low 32 of them).
struct VectorEntry {
  u64 bits = 0;
  [[nodiscard]] constexpr u8 vector() const { return static_cast<u8>(bits); }
  [[nodiscard]] constexpr MessageMode mode() const { return static_cast<MessageMode>(bits >> 8 & 7); }
  [[nodiscard]] constexpr bool logical() const { return (bits >> 11 & 1) != 0; }
  [[nodiscard]] constexpr bool active_low() const { return (bits >> 13 & 1) != 0; }
  [[nodiscard]] constexpr bool remote_irr() const { return (bits >> 14 & 1) != 0; }
  [[nodiscard]] constexpr bool level() const { return (bits >> 15 & 1) != 0; }
  [[nodiscard]] constexpr bool masked() const { return (bits >> 16 & 1) != 0; }
  [[nodiscard]] constexpr u8 timer_mode() const { return static_cast<u8>(bits >> 17 & 3); }
  [[nodiscard]] constexpr u8 destination() const { return static_cast<u8>(bits >> 56); }
  /// NMI, SMI, INIT and ExtINT take no vector from the entry.
  [[nodiscard]] constexpr bool has_vector() const {
    return mode() == MessageMode::Fixed || mode() == MessageMode::LowestPriority;
  }
};

/// A Blocked record that ends its request: a local APIC remembers nothing of a source of its own that is masked. Its
/// pins LINT0 and LINT1 are lines, which stay as they are.
[[nodiscard]] constexpr bool is_swallowed(const Record& blocked) {
  const auto pin = static_cast<ApicPin>(blocked.pin);
  const auto obstacle = static_cast<Obstacle>(blocked.detail);
  return !is_line(blocked.pin) && pin != ApicPin::Lint0 && pin != ApicPin::Lint1 && pin < ApicPin::Interprocessor &&
         (obstacle == Obstacle::EntryMasked || obstacle == Obstacle::ApicDisabled);
}

/// The 8259's output leads to all CPUs; those but the first have nothing to say of it.
[[nodiscard]] constexpr bool is_others_wire(const Record& blocked) {
  return blocked.cpu != 0 && blocked.pin == static_cast<u8>(ApicPin::Lint0);
}

/// Vectors that an APIC can't deliver: SDM vol. 3A §10.5.2.
inline constexpr u8 first_legal_vector = 16;

namespace apic_register {
inline constexpr u64 software_enable = 1 << 8;      ///< SVR
inline constexpr u64 suppress_broadcast = 1 << 12;  ///< SVR
inline constexpr u64 global_enable = 1 << 11;       ///< IA32_APIC_BASE
inline constexpr u64 x2apic_enable = 1 << 10;       ///< IA32_APIC_BASE
}  // namespace apic_register

/// A few of the machine's components: those that hold one request. Which are many, so that a bit for each would not do.
class SourceSet {
 public:
  void add(u16 source) {
    if (place_of(source) != count_) return;
    if (count_ == sources_.size()) {  // only in a damaged trace
      sources_.back() = source;
    } else {
      sources_[count_++] = source;
    }
  }
  void remove(u16 source) {
    const std::size_t place = place_of(source);
    if (place != count_) sources_[place] = sources_[--count_];
  }
  void clear() { count_ = 0; }
  [[nodiscard]] bool contains(u16 source) const { return place_of(source) != count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  // There are hardly ever more than two.
  [[nodiscard]] std::size_t place_of(u16 source) const {
    std::size_t place = 0;
    while (place != count_ && sources_[place] != source) ++place;
    return place;
  }

  std::array<u16, 7> sources_{};
  u8 count_ = 0;
};

}  // namespace vitrine
