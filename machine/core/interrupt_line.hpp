// A wire. Each driver has one vote, the wire's level is the OR of the votes, listeners learn levels.
// There is no pulse and no edge here: edges exist only inside the controller that detects them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/device.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

class InterruptLine;

/// One driver's vote on a line. A default-made driver is connected to nothing: setting it has no effect.
class LineDriver {
 public:
  LineDriver() = default;

  /// Drives the level. `detail` says the cause in the device's own enum; it goes into the Raised record.
  /// Setting the level that it has already does nothing. A new request id is made when this vote goes high.
  void set(Level level, u8 detail = 0) const;
  /// Lowers the line because the pulse is over, not because its cause is gone: a controller that has latched nothing
  /// yet knows that the next edge asks for the same.
  void end_pulse() const;
  /// As set(), but carries a request that already has an id (a controller's output pin, a router). On a numbered line
  /// it makes no Raised and no Lowered: the line where it began has them.
  void carry(Level level, RequestId request) const;
  [[nodiscard]] Level level() const;
  [[nodiscard]] bool connected() const { return line_ != nullptr; }
  /// The line's number on its board; InterruptLine::no_number if there is none.
  [[nodiscard]] u8 number() const;
  /// The guest accesses the driving device at `where` (port or physical address): Attended, the first time since the
  /// driver raised the line.
  void attended(u64 where) const;

 private:
  friend class InterruptLine;
  LineDriver(InterruptLine& line, u8 index) : line_(&line), index_(index) {}

  InterruptLine* line_ = nullptr;
  u8 index_ = 0;
};

class InterruptLine {
 public:
  /// `number` is the line's number on its board (ISA IRQ), for the ledger; no_number for internal wires, which
  /// make no Raised and Lowered records.
  static constexpr u8 no_number = 0xFF;
  InterruptLine(Ledger& ledger, std::string_view name, u8 number) : ledger_(&ledger), name_(name), number_(number) {}
  InterruptLine(const InterruptLine&) = delete;
  InterruptLine& operator=(const InterruptLine&) = delete;

  /// A new vote, initially low. `source`: the driving device, for the ledger. At most 32 per line.
  LineDriver add_driver(SourceId source);
  /// `listener.line_changed(pin, ...)` is called at each change of the wire's level, and now if it is high already (a
  /// chip may drive its output as soon as it is there).
  void connect(Device& listener, Pin pin);

  [[nodiscard]] Level level() const { return votes_ != 0 ? Level::High : Level::Low; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] u8 number() const { return number_; }
  /// The request that the wire carries now: that of the driver that raised it first.
  [[nodiscard]] RequestId request() const { return request_; }

  /// Restoring sets the votes; listeners hear nothing.
  void exchange(Archive& archive) {
    archive(votes_, request_, carried_);
    for (Driver& driver : drivers_) archive(driver.unattended);
  }

 private:
  friend class LineDriver;
  struct Listener {
    Device* device;
    Pin pin;
  };
  struct Driver {
    SourceId source;
    RequestId unattended{};  // its last request, until the guest accesses the device
  };
  enum class Fall : u8 { CauseGone, PulseOver };
  void vote(u8 index, Level level, u8 detail, RequestId carried, Fall fall = Fall::CauseGone);
  /// What vote() comes to where one chip carries requests to another.
  [[nodiscard]] bool is_private_wire() const { return number_ == no_number && drivers_.size() == 1; }
  void carry(Level level, RequestId request);
  void tell(Level level);

  Ledger* ledger_;
  std::string name_;
  u8 number_;
  std::vector<Driver> drivers_;
  std::vector<Listener> listeners_;
  u32 votes_ = 0;
  RequestId request_{};
  bool carried_ = false;  // request_ was raised on another line
};

}  // namespace vitrine
