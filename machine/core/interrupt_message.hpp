// What an I/O APIC, an MSI write and an IPI all become: a message that local APICs accept or not.
//
// Manual: Intel SDM vol. 3A §10.6 (ICR), §10.11 (MSI); 82093AA data sheet, 3.2.4.
#pragma once

#include <span>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

/// Delivery mode as the three bits of ICR, redirection entry and MSI data have it (SDM vol. 3A §10.6.1).
enum class MessageMode : u8 {
  Fixed = 0,
  LowestPriority = 1,
  Smi = 2,
  Reserved = 3,
  Nmi = 4,
  Init = 5,
  StartUp = 6,  ///< ICR only
  ExtInt = 7,   ///< not ICR: the vector comes from the 8259s
};

/// Which delivery modes there may be.
class MessageModes {
 public:
  constexpr void add(MessageMode mode) { bits_ |= 1u << static_cast<unsigned>(mode); }
  constexpr void add(MessageModes others) { bits_ |= others.bits_; }
  [[nodiscard]] constexpr bool has(MessageMode mode) const { return (bits_ >> static_cast<unsigned>(mode) & 1) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }

 private:
  u32 bits_ = 0;
};

struct InterruptMessage {
  u32 destination = 0;  ///< APIC id or logical id. 8 bits from the I/O APIC, an MSI and an xAPIC ICR; 32 from x2APIC
  u8 vector = 0;
  MessageMode mode = MessageMode::Fixed;
  bool logical = false;
  bool level = false;    ///< trigger mode: an EOI of this vector is told to the I/O APICs
  bool asserted = true;  ///< false: INIT level de-assert
  bool wide = false;     ///< `destination` has 32 bits; broadcast is FFFFFFFFh, not FFh
  RequestId request{};   ///< the request that it carries; never 0
  u64 written_at = 0;    ///< MSI: the address of the write, for the ledger
  [[nodiscard]] bool broadcast() const { return destination == (wide ? 0xFFFFFFFF : 0xFF); }
};

/// A local APIC as the others on the bus see it.
class ApicBusAgent {
 public:
  virtual ~ApicBusAgent() = default;
  /// Is it the destination (or one of them)? Physical, flat, cluster or x2APIC as its own registers say
  /// (SDM vol. 3A §10.6.2, §10.12.10).
  [[nodiscard]] virtual bool addressed_by(const InterruptMessage& message) const = 0;
  /// For lowest-priority delivery: its arbitration priority register, 0..255 (SDM vol. 3A §10.6.2.4).
  [[nodiscard]] virtual u8 arbitration_priority() const = 0;
  /// Is it the focus processor for the vector: has it the vector in IRR or ISR already (and SVR bit 9 clear)?
  [[nodiscard]] virtual bool focus(u8 vector) const = 0;
  /// Does it take such a message as it is now? No if it is off (IA32_APIC_BASE), or off by SVR and the message is no
  /// NMI, INIT or SIPI (SDM vol. 3A §10.4.7.2).
  [[nodiscard]] virtual bool takes(const InterruptMessage& message) const = 0;
  /// Takes the message, and says in the ledger what became of it. Called only if takes() says so.
  virtual void accept(const InterruptMessage& message) = 0;
  /// Which CPU's it is.
  [[nodiscard]] virtual u8 cpu() const = 0;
};

/// What an I/O APIC hears of the local APICs: the broadcast of an EOI (SDM vol. 3A §10.8.5), and that one of them may
/// accept now what it did not before (82093AA 3.2.4, delivery status).
class BusListener {
 public:
  virtual ~BusListener() = default;
  virtual void eoi_broadcast(u8 vector) = 0;
  virtual void receivers_changed() = 0;
};

/// The wires between all APICs of a machine (the 3-wire bus, the system bus today).
class ApicBus {
 public:
  explicit ApicBus(Ledger& ledger) : ledger_(&ledger) {}
  ApicBus(const ApicBus&) = delete;
  ApicBus& operator=(const ApicBus&) = delete;

  static constexpr std::size_t most_agents = 64;
  /// In the order of CPU numbers; at most `most_agents`.
  void attach(ApicBusAgent& agent);
  void attach(BusListener& listener) { listeners_.push_back(&listener); }

  /// Which agents besides the addressed ones count (ICR shorthands, SDM vol. 3A §10.6.1).
  enum class Shorthand : u8 { None = 0, Self = 1, AllIncludingSelf = 2, AllExcludingSelf = 3 };
  static constexpr u8 no_cpu = 0xFF;

  /// Delivers the message now: to every addressed agent that takes it, or, for lowest priority, to one: the focus
  /// processor, else the one with the lowest arbitration priority, else (a tie) the next one after the last winner.
  /// Writes MessageSent with `from` and `pin`; a second receiver gets a request of its own (Copied). Returns how many
  /// took it; 0: MessageLost is in the ledger. `sender`: for shorthands, the CPU that sends.
  unsigned send(const InterruptMessage& message, SourceId from, u8 pin, Shorthand shorthand = Shorthand::None,
                u8 sender = no_cpu);

  void broadcast_eoi(u8 vector) {
    for (BusListener* listener : listeners_) listener->eoi_broadcast(vector);
  }
  /// A local APIC was switched on, or answers to other destinations.
  void tell_receivers_changed() {
    for (BusListener* listener : listeners_) listener->receivers_changed();
  }

  void reset() { last_winner_ = no_cpu; }
  void exchange(Archive& archive) { archive(last_winner_); }

 private:
  struct Route {
    Shorthand shorthand;
    u8 sender;
  };
  [[nodiscard]] static bool is_receiver(const ApicBusAgent& agent, const InterruptMessage& message, Route route);
  [[nodiscard]] ApicBusAgent* lowest_priority(u8 vector, std::span<ApicBusAgent* const> candidates) const;
  void lose(const InterruptMessage& message, SourceId from, u8 pin, u64 extra, MessageLoss why);

  Ledger* ledger_;
  std::vector<ApicBusAgent*> agents_;
  std::vector<BusListener*> listeners_;
  u8 last_winner_ = no_cpu;
};

/// A write of a device to the address range of MSIs (SDM vol. 3A §10.11): what it means.
/// `address`: 0xFEE00000..0xFEEFFFFF. `data`: 32 bits, of which 16 count.
[[nodiscard]] InterruptMessage message_of_msi(u64 address, u32 data, RequestId request);
/// As what a write of `data` to `address` would be delivered; none if it is no MSI, or one that is dropped.
[[nodiscard]] MessageModes mode_of_msi(u64 address, u32 data);
[[nodiscard]] constexpr bool is_msi_address(u64 address) { return (address & ~u64{0xFFFFF}) == 0xFEE00000; }

}  // namespace vitrine
