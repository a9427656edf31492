// What every chip is to the rest of the machine.
#pragma once

#include <string_view>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/clock.hpp"
#include "machine/core/event_queue.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

enum class Level : u8 { Low, High };

/// One of a device's register windows, numbered by the device's own enum.
using Region = Quantity<struct RegionTag, u8>;

/// Bytes of one bus access: 1, 2, 4 or 8.
using AccessSize = Quantity<struct AccessSizeTag, u8>;

/// The parts of the machine that a device uses. The board makes one per device.
struct DeviceContext {
  Clock& clock;
  EventQueue& events;
  Ledger& ledger;
  DeviceId id;
  SourceId source;
};

/// A chip. All calls come from the one machine thread.
/// The guest may call read and write with every offset inside the region and every size: never assert on them.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  /// Its name in ledger and archive, e.g. "pic0", "com1".
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The RESET pin: back to the power-on state, outputs driven accordingly, own events cancelled.
  virtual void reset() = 0;
  /// A guest's read, with its effects. Unused bits of the result are 0.
  virtual u64 read(Region region, u64 offset, AccessSize size);
  /// A guest's write.
  virtual void write(Region region, u64 offset, AccessSize size, u64 value);
  /// What a read would return, without any effect.
  [[nodiscard]] virtual u64 peek(Region region, u64 offset, AccessSize size) const;
  /// A guest's access at `where` (port or physical address) is about to reach read() or write(). For the ledger only.
  virtual void accessed(u64 where);
  /// An input pin changed its level. `request` is the request that the line carries. When it goes low: 0, or the
  /// request whose pulse is over while its cause remains (LineDriver::end_pulse).
  virtual void line_changed(Pin pin, Level level, RequestId request);
  /// An own event is due.
  virtual void event(u16 kind, u64 payload);
  /// Saves or restores the whole state. Restoring drives no line.
  virtual void exchange(Archive& archive) = 0;
};

/// What the CPU gets from the interrupt controller on its INTA cycle.
struct Acknowledged {
  Vector vector{};
  RequestId request{};  ///< 0 when spurious
  bool spurious = false;
};

/// The controller that answers the CPU's INTA cycle.
class InterruptAcknowledger {
 public:
  virtual ~InterruptAcknowledger() = default;
  virtual Acknowledged acknowledge() = 0;
};

}  // namespace vitrine
